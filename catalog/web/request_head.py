"""Request heads: parsed once, in the worker's loop, by gunicorn's own parser.

What decides how a request is received (the length of its body, chunks, `Expect`) is read from the parsed request, so
that no head is understood in two ways. A head that the parser refuses is answered with its error.
"""

from typing import Any

from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import InvalidRequestLine
from gunicorn.http.parser import RequestParser

from catalog.web.incoming import PatientUnreader

FORM = "application/x-www-form-urlencoded"


class HeadParser(RequestParser):  # type: ignore[misc]
    """A parser whose loop calls `parse_head()`; the thread then gets the request, or the error, by `next()`."""

    unreader: PatientUnreader

    def __init__(self, cfg: Any, connection: Any, peer: Any):
        super().__init__(cfg, connection, peer)
        self.unreader = PatientUnreader(connection)
        self._parsed: Any = None

    def parse_head(self, received: bytes) -> Any:
        """Parse the head that `received` begins with; return the request, or None where it is refused."""
        self.unreader.unread(received)
        self.unreader.may_wait = False
        try:
            self._parsed = super().__next__()
        except Exception as error:
            self._parsed = error
            return None
        finally:
            self.unreader.may_wait = True
        return self._parsed

    @property
    def is_form(self) -> bool:
        """Whether the parsed request has a form that is not multipart, which no upload has."""
        headers = getattr(self._parsed, "headers", ())
        return any(name == "CONTENT-TYPE" and value.lower().startswith(FORM) for name, value in headers)

    def __next__(self) -> Any:
        """Return the parsed request. Raises what the parser raised."""
        parsed, self._parsed = self._parsed, None
        if parsed is None:
            raise InvalidRequestLine("")
        if isinstance(parsed, Exception):
            raise parsed
        return parsed


def body_length(request: Any) -> int | None:
    """Return the length of a request's body in bytes; None where only reading it tells: chunks."""
    reader = request.body.reader
    return None if isinstance(reader, ChunkedReader) else int(reader.length)
