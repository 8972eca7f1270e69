// Files that are on their way, kept by the browser, so that they go on after the page was loaded again.
"use strict";
const shelf = (() => {
  const opened = new Promise((resolve) => {
    const request = indexedDB.open("uploads", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("files");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
  });
  const key = ({ name, size }) => `${name}:${size}`;

  // What the browser will not keep is brought in all the same; only nobody takes it up after a reload.
  async function asked(mode, ask, otherwise) {
    const database = await opened;
    if (!database) return otherwise;
    return new Promise((resolve) => {
      const transaction = database.transaction("files", mode);
      const request = ask(transaction.objectStore("files"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => resolve(otherwise);
    });
  }

  return {
    put: (file) => asked("readwrite", (files) => files.put(file, key(file))),
    remove: (file) => asked("readwrite", (files) => files.delete(key(file))),
    all: () => asked("readonly", (files) => files.getAll(), []),
  };
})();
