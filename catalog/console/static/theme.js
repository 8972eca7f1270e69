// Before the page is painted: light or dark, as chosen here or else as the system has it.
"use strict";
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => localStorage.getItem("theme") || (system.matches ? "dark" : "light");
  const apply = () => {
    document.documentElement.dataset.bsTheme = chosen();
    document.dispatchEvent(new Event("theme"));
  };
  apply();
  system.addEventListener("change", apply);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    localStorage.setItem("theme", chosen() === "dark" ? "light" : "dark");
    apply();
  });
})();
