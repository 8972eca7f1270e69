"""A receiver on a real socket that can misbehave in every way a test thinks of."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Request:
    """What arrived: headers by lower-case name, the body, and time.monotonic() of its arrival."""

    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


def answer(status: int, body: bytes = b"", **headers: str) -> Callable[[socket.socket, Request], None]:
    """Return a behaviour that gives one plain answer."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    sent = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    return lambda connection, _: connection.sendall(sent)


class Receiver:
    """A server in threads; `behave` answers each whole request and may be replaced at any time."""

    def __init__(self, behave: Callable[[socket.socket, Request], None] | None = None, host: str = "127.0.0.1") -> None:
        self.behave = behave or answer(200, b"ok")
        self.requests: list[Request] = []
        self.connections = 0
        self.closing = threading.Event()
        self._arrived = threading.Condition()
        self._server = socket.create_server((host, 0), backlog=512)
        self.port = self._server.getsockname()[1]
        self.url = f"http://{host}:{self.port}/hook"

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def wait(self, count: int, seconds: float = 10) -> list[Request]:
        """Return the requests once there are so many; fails after so many seconds."""
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.requests) >= count, seconds)
        assert arrived, f"{len(self.requests)} of {count} requests arrived in {seconds} s"
        return self.requests

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            stream = connection.makefile("rb")
            while (request := self._read(stream)) is not None:
                with self._arrived:
                    self.requests.append(request)
                    self._arrived.notify_all()
                self.behave(connection, request)

    def _read(self, stream) -> Request | None:
        if not stream.readline():
            return None
        headers = {}
        while (line := stream.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return Request(headers, stream.read(int(headers.get("content-length", 0))))


def make_certificate(folder: Path) -> Path:
    """Make a certificate for localhost that nobody signed but itself: cert.pem and key.pem in the folder."""
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run(
        [*command.split(), "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True
    )
    return folder


class TlsReceiver(Receiver):
    """The same over TLS."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        super().__init__(host=host)
        self.url = self.url.replace("http:", "https:")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "cert.pem", folder / "key.pem")

    def _serve(self, connection: socket.socket) -> None:
        try:
            wrapped = self._context.wrap_socket(connection, server_side=True)
        except (ssl.SSLError, OSError):
            return
        super()._serve(wrapped)
