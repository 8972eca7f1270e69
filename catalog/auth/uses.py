"""When keys were last used: noted in memory, written by a thread of its own, at most once a minute."""

import logging
import threading
import time

from sqlalchemy import Engine, bindparam, func, update
from sqlalchemy.exc import SQLAlchemyError

from catalog.auth.models import ApiKey

log = logging.getLogger(__name__)

WRITTEN_EVERY_SECONDS = 60.0

_USED = func.to_timestamp(bindparam("used"))
_WRITE = (
    update(ApiKey)
    .where(ApiKey.id == bindparam("key"))
    .values(last_used_at=func.greatest(func.coalesce(ApiKey.last_used_at, _USED), _USED))
)


class Uses:
    """The uses that one process has seen and not yet written."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._seen: dict[str, float] = {}
        self._wanted, self._starting = threading.Event(), threading.Lock()
        self._thread: threading.Thread | None = None

    def note(self, key_id: str, now: float) -> None:
        """Note a use; `now` in seconds since 1970."""
        self._seen[key_id] = now
        if not self._wanted.is_set():
            self._wanted.set()
            self._start()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:  # not before the fork
                self._thread = threading.Thread(target=self._run, name="uses of keys", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while self._wanted.wait():
            self._wanted.clear()
            try:
                self.write()
            except SQLAlchemyError as error:
                log.warning("The last uses of keys could not be written: %s", type(error).__name__)
            time.sleep(WRITTEN_EVERY_SECONDS)

    def write(self) -> None:
        """Write what was seen since the last time. Raises SQLAlchemyError; the next uses are then written later."""
        seen, self._seen = self._seen, {}
        rows = [{"key": key_id, "used": used} for key_id, used in sorted(seen.items())]
        if rows:
            with self._engine.begin() as connection:
                connection.execute(_WRITE, rows)
