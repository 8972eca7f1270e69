"""A TCP proxy before a Unix socket, that can be cut and healed: a partition for those who go through it."""

import contextlib
import socket
import threading
from collections.abc import Callable


class Proxy:
    """Listens on a free port of this machine; `port` says which."""

    def __init__(self, target: str = ""):
        self._target = target
        self._open = threading.Event()
        self._open.set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)

    def cut(self) -> None:
        """Let nothing through any more: connections stand, and nothing moves on them (a black hole)."""
        self._open.clear()

    def heal(self) -> None:
        """Let everything through again, also what was sent meanwhile."""
        self._open.set()

    def reset(self) -> None:
        """End all connections."""
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def close(self) -> None:
        """Stop listening and end all connections."""
        self._open.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self.reset()
        while self._threads:
            self._threads.pop().join(5)
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: socket.socket) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._start(self._join, client)

    def _join(self, client: socket.socket) -> None:
        self._open.wait()
        with client, contextlib.suppress(OSError), self._dial() as server:
            self._pairs.append((client, server))
            back = self._start(self._pump, server, client)
            self._pump(client, server)
            back.join()

    def _dial(self) -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self._target)
        except OSError:
            server.close()
            raise
        return server

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._open.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
