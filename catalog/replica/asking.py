"""Asking a server that may be hung: psycopg2 in its asynchronous mode, with a deadline for every answer."""

import select
import time
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ


class Asking:
    """One connection, made when it is first needed, and made anew after whatever went wrong."""

    def __init__(self, parameters: dict[str, Any], seconds: float):
        self._parameters, self._seconds = parameters, seconds
        self._connection: Any = None

    def row(self, query: str) -> Any:
        """Return the one row of a query. Raises psycopg2.Error, and TimeoutError after `seconds`."""
        deadline = time.monotonic() + self._seconds
        try:
            if self._connection is None:
                self._connection = psycopg2.connect(**self._parameters, async_=1)
                self._wait(deadline)
            cursor = self._connection.cursor()
            cursor.execute(query)
            self._wait(deadline)
            return cursor.fetchone()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _wait(self, deadline: float) -> None:
        while (state := self._connection.poll()) != POLL_OK:
            left = max(deadline - time.monotonic(), 0)
            readers, writers = ([self._connection], []) if state == POLL_READ else ([], [self._connection])
            if not any(select.select(readers, writers, [], left)):
                raise TimeoutError("The server does not answer")
