"""How far an import is, as Redis shows it while it runs: a copy of the row, never older than one that was read."""

import json
import logging
import uuid
from typing import Any

import redis

from catalog.imports.models import COUNTERS

log = logging.getLogger(__name__)

COLUMNS = ("state", "percent", "total_rows", "staged_rows", *COUNTERS)
EXPIRY_SECONDS = 5

# A value that is older than the one shown is not shown: a reader may have seen the table, which is ahead.
_SHOW_UNLESS_OLDER = """
local shown = redis.pcall('GET', KEYS[1])
local read, values = pcall(cjson.decode, shown)
local rank = read and type(values) == 'table' and tonumber(values.rank)
if not rank or rank <= tonumber(ARGV[2]) then
    redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
end"""
_ENDED_RANK = 10**13
_MOST = 2**31 - 1


class Board:
    """The place in Redis where progress is shown. Redis being down is logged and harms nobody."""

    def __init__(self, client: redis.Redis):
        self._client = client

    def show(self, import_id: uuid.UUID, values: dict[str, Any]) -> None:
        """Show `values` (COLUMNS) of a running import for a few seconds, unless later ones are shown."""
        rank = values["percent"] * 10**10 + sum(values[counter] for counter in COUNTERS)
        self._show(import_id, {**values, "rank": rank})

    def show_end(self, import_id: uuid.UUID) -> None:
        """Show that the import has ended, so that nobody shows it running once more."""
        self._show(import_id, {"state": "ended", "rank": _ENDED_RANK})

    def read(self, import_ids: list[uuid.UUID]) -> dict[uuid.UUID, dict[str, Any]]:
        """Return what is shown of those of these imports that run; of the others the table knows."""
        if not import_ids:
            return {}
        try:
            texts: Any = self._client.mget([_key(import_id) for import_id in import_ids])
        except redis.RedisError:
            return {}
        shown = {import_id: _values(text) for import_id, text in zip(import_ids, texts, strict=True) if text}
        return {import_id: values for import_id, values in shown.items() if values}

    def _show(self, import_id: uuid.UUID, values: dict[str, Any]) -> None:
        try:
            self._client.eval(
                _SHOW_UNLESS_OLDER, 1, _key(import_id), json.dumps(values), values["rank"], EXPIRY_SECONDS
            )
        except redis.RedisError as error:
            log.debug("The progress of import %s is not shown: %s", import_id, error)


def _values(text: bytes) -> dict[str, Any] | None:
    """Return what is shown of a running import; None where it has ended, or something else is written there."""
    try:
        values = json.loads(text)
    except ValueError:
        return None
    if not isinstance(values, dict) or not values.keys() >= set(COLUMNS) or values["state"] != "running":
        return None
    numbers = [values[name] or 0 for name in COLUMNS[1:]]
    return values if all(type(number) is int and 0 <= number <= _MOST for number in numbers) else None


def _key(import_id: uuid.UUID) -> str:
    return f"catalog:import:{import_id}"
