"""A small receiver for trying things out: verifies and prints each delivery, and misbehaves when told to."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from catalog.webhooks import signing

LOOPBACK = "127.0.0.1"
MAX_BODY = 1_000_000


@dataclass
class Behaviour:
    """How to answer: with `status` after `delay` seconds, or a byte at a time (`drip`); `flap` tries fail first."""

    status: int = 200
    delay: float = 0.0
    drip: bool = False
    flap: int = 0
    secret: str | None = None
    _tries: dict[str, int] = field(default_factory=dict)

    def answer(self, identity: str) -> int:
        """Return the status for a delivery, which counts as a try of it."""
        self._tries[identity] = self._tries.get(identity, 0) + 1
        return 503 if self._tries[identity] <= self.flap else self.status


def serve(port: int, behaviour: Behaviour, show: Callable[[dict[str, Any]], None], host: str = LOOPBACK) -> None:
    """Receive on a port of `host` until interrupted; `show` is called with what is known of each delivery."""
    with server(port, behaviour, show, host) as running:
        running.serve_forever()


def server(
    port: int, behaviour: Behaviour, show: Callable[[dict[str, Any]], None], host: str = LOOPBACK
) -> ThreadingHTTPServer:
    """Return the receiver, not yet serving; port 0 takes any."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(min(length, MAX_BODY))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = behaviour.answer(headers.get("webhook-id", ""))
            show(_report(headers, body, status, behaviour.secret))
            time.sleep(behaviour.delay)
            if behaviour.drip:
                self._drip()
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _drip(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
            while True:
                self.wfile.write(b".")
                time.sleep(0.5)

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                self.close_connection = True  # the sender has had enough, as it should

        def log_message(self, *_: Any) -> None:
            """Say nothing: `show` does."""

    return ThreadingHTTPServer((host, port), Handler)


def _report(headers: dict[str, str], body: bytes, status: int, secret: str | None) -> dict[str, Any]:
    try:
        data = json.loads(body).get("data")
    except (ValueError, AttributeError):
        data = body.decode("utf-8", "replace")
    return {
        "event": headers.get("x-webhook-event"),
        "id": headers.get("webhook-id"),
        "status": status,
        "problem": signing.problem(secret, headers, body, time.time()) if secret else None,
        "signed": "webhook-signature" in headers,
        "data": data,
    }
