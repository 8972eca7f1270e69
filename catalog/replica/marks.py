"""Who has written lately: such a caller is answered by the primary, so that nobody misses a write of its own."""

import logging

from catalog.cache.client import Client, Unreachable

log = logging.getLogger(__name__)

SLACK = 1.2  # the clock of the Redis server may run that much faster than ours
COMMIT_SECONDS = 2.0  # between a mark and the commit that it is made for

# A server that has not kept the marks (restarted, wiped, promoted) knows of no writer until as long has passed as a
# mark lasts: its run id is not the one that stands here.
_WROTE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  redis.call('SET', KEYS[2], ARGV[1])
  redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
end
return redis.call('EXISTS', KEYS[1], KEYS[3])
"""
_MARK = "return redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])"


class Marks:
    """The callers that have written in the last `seconds`, in the cache's Redis, for all processes."""

    def __init__(self, client: Client, prefix: str, seconds: float):
        self._client, self._prefix = client, prefix
        self._milliseconds = int((seconds * SLACK + COMMIT_SECONDS) * 1000)

    def set(self, caller: str) -> None:
        """Note that a caller has written, or will have in a moment; to be called before that is answered."""
        try:
            self._client.run(_MARK, [self._key(caller)], self._milliseconds)
        except Unreachable as error:
            log.warning("It is not noted that %s has written: %s", caller, error)

    def wrote(self, caller: str) -> bool:
        """Tell whether a caller may have written lately; so it is while Redis cannot say."""
        keys = [self._key(caller), f"{self._prefix}:wrote-by", f"{self._prefix}:wrote-unknown"]
        try:
            return bool(self._client.run(_WROTE, keys, self._client.link().run_id, self._milliseconds))
        except Unreachable:
            return True

    def _key(self, caller: str) -> str:
        return f"{self._prefix}:wrote:{caller}"
