"""FakeStore on a real socket; it also fails, hangs and lies."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler", int], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "FakeStore"

    def do_GET(self) -> None:
        number = int(self.path.rpartition("/")[2])
        self.server.asked.append((self.path, number))
        self.server.clients.add(self.client_address)
        with suppress(OSError):
            self.server.behave(self, number)

    def reply(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class FakeStore(ThreadingHTTPServer):
    """Knows the products 1 to 20, as the true one does."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behave: Behaviour | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave = behave or good
        self.asked: list[tuple[str, int]] = []
        self.clients: set[Any] = set()
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> "FakeStore":
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


def product(number: int, **fields: Any) -> bytes:
    known = {
        "id": number,
        "title": f"Thing {number}",
        "price": 9.95,
        "category": "things",
        "image": "https://i.example/1",
    }
    return json.dumps({**known, "description": "x", "rating": {"rate": 3.9, "count": 120}, **fields}).encode()


def good(handler: Handler, number: int) -> None:
    """As the true one answers: 200 with nothing for a product that there is not."""
    handler.reply(product(number) if 1 <= number <= 20 else b"")


def saying(body: bytes, status: int = 200) -> Behaviour:
    return lambda handler, _: handler.reply(body, status)


def hanging(handler: Handler, _: int) -> None:
    handler.server.closing.wait(30)


def dripping_head(handler: Handler, _: int) -> None:
    """A byte of a header now and then, for ever: no read of it times out."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while not handler.server.closing.wait(0.05):
        handler.wfile.write(b"x")


def dripping_body(handler: Handler, _: int) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not handler.server.closing.wait(0.05):
        handler.wfile.write(b" ")


def closing(handler: Handler, _: int) -> None:
    handler.close_connection = True
    handler.connection.close()


def endless(handler: Handler, _: int) -> None:
    """As much as one takes, as fast as one takes it."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    handler.close_connection = True
    while not handler.server.closing.is_set():
        handler.wfile.write(b" " * 65_536)


def slow(seconds: float) -> Behaviour:
    def behave(handler: Handler, number: int) -> None:
        time.sleep(seconds)
        good(handler, number)

    return behave
