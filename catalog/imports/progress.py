"""How far an import is, as Redis shows it while it runs: a copy of the row, so never ahead of the table."""

import json
import logging
import uuid
from typing import Any

import redis

log = logging.getLogger(__name__)

COLUMNS = ("state", "percent", "total_rows", "created", "updated", "unchanged", "superseded", "rejected", "staged_rows")
EXPIRY_SECONDS = 5


class Board:
    """The place in Redis where progress is shown. Redis being down is logged and harms nobody."""

    def __init__(self, client: redis.Redis):
        self._client = client

    def show(self, import_id: uuid.UUID, values: dict[str, Any]) -> None:
        """Show `values` (COLUMNS) for a few seconds."""
        try:
            self._client.set(_key(import_id), json.dumps(values), ex=EXPIRY_SECONDS)
        except redis.RedisError as error:
            log.debug("The progress of import %s is not shown: %s", import_id, error)

    def read(self, import_id: uuid.UUID) -> dict[str, Any] | None:
        """Return what is shown, or None: then the table knows."""
        try:
            shown = self._client.get(_key(import_id))
        except redis.RedisError:
            return None
        return json.loads(shown) if shown else None  # type: ignore[arg-type]

    def wipe(self, import_id: uuid.UUID) -> None:
        """Show nothing more: the import has ended."""
        try:
            self._client.delete(_key(import_id))
        except redis.RedisError as error:
            log.debug("The progress of import %s stays shown for a moment: %s", import_id, error)


def _key(import_id: uuid.UUID) -> str:
    return f"catalog:import:{import_id}"
