"""Error responses of the web server itself, in the form of the application's (RFC 9457)."""

import json
import socket

from gunicorn import util

from catalog import headers
from catalog.errors import HTTP_CODES


def write_problem(connection: socket.socket, status: int, reason: str, message: str) -> None:
    """Send an error response before, or without, the application."""
    details = {
        408: "The request arrived too slowly.",
        413: "A form may have 1 MB, and must say its length.",
        503: "Too many requests are being received. Please try again.",
        414: f"The address is too long: {message}.",
        431: f"The headers are too large: {message}.",
    }
    body = {
        "type": "about:blank",
        "title": reason,
        "status": int(status),
        "detail": details.get(status, f"{reason}."),
        "code": HTTP_CODES.get(status, "internal_error" if status >= 500 else "bad_request"),
    }
    raw = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {int(status)} {reason}", "Connection: close", "Content-Type: application/problem+json"]
    lines += [f"Content-Length: {len(raw)}", *(["Retry-After: 5"] if status == 503 else [])]
    lines += [f"{name}: {value}" for name, value in headers.PLAIN]
    util.write_nonblock(connection, "\r\n".join(lines).encode() + b"\r\n\r\n" + raw)
