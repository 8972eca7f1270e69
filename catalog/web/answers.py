"""gunicorn's answers, the short ones in one piece: one packet and one call to the kernel in place of two."""

from gunicorn import util
from gunicorn.http import wsgi

MOST_BYTES = 65_536  # beyond that a copy costs more than a packet


class Answer(wsgi.Response):  # type: ignore[misc]
    """Sends its head together with a body that comes whole."""

    headers_sent: bool

    def write(self, arg: bytes) -> None:
        """Send a piece of the body, after the head."""
        if self.headers_sent or self._omits_body or self.response_length != len(arg) or len(arg) > MOST_BYTES:
            super().write(arg)
            return
        self.headers_sent, self.sent = True, len(arg)
        util.write(self.sock, self._head() + arg)

    def _head(self) -> bytes:
        lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
        return "".join(lines).encode("latin-1")
