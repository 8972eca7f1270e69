"""What lies in Redis, and the scripts that change it. docs/adr/0005-cache.md says why it is safe.

    <prefix>:c:<name>     an entry: a copy (V…), a loader's lease (L…) or a writer's fence (F…)
    <prefix>:n:<space>    a namespace's generation (G…) or a writer's fence (F…)
    <prefix>:trust        the epoch, for as long as copies may be believed: half a second
    <prefix>:epoch        the same, kept: the server's run id and something random

A copy begins with a stamp: the code that made it, the epoch and the namespace's generation as its loader
saw them. It counts only while the stamp is what a reader would write now, so that a change of one of the
three ends any number of copies at once. All tokens are random and never come again.
"""

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

LOAD_MILLISECONDS = 5_000  # a loader's lease; a slower load is not kept
FENCE_MILLISECONDS = 15_000  # a fence whose writer died; its row has been found long before

# It says that there is a copy and does not give it: on a replica, a script also sees trust that has run out.
ACQUIRE = """
local trust = redis.call('GET', KEYS[2])
if not trust or string.sub(trust, 1, #ARGV[5]) ~= ARGV[5] then return {'untrusted'} end
local generation = redis.call('GET', KEYS[3])
if not generation then
  generation = ARGV[4]
  redis.call('SET', KEYS[3], generation)
end
local entry = redis.call('GET', KEYS[1])
if string.sub(generation, 1, 1) == 'F' or entry and string.sub(entry, 1, 1) == 'F' then return {'fenced'} end
if entry and string.sub(entry, 1, 1) == 'L' then return {'busy'} end
local stamp = ARGV[1] .. trust .. ' ' .. generation .. '\\n'
if entry and string.sub(entry, 1, #stamp) == stamp then return {'copy'} end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return {'load', stamp}
"""

FILL = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""

# A loader that failed gives its place to the next one.
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"

FENCE = "for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end"

# What stands there goes, unless it is the fence of another writer, who will clear it.
CLEAR = """
for number, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  if held and (held == ARGV[number] or string.sub(held, 1, 1) ~= 'F') then redis.call('DEL', key) end
end
"""

# The end of trust was reckoned from the server's own clock before PostgreSQL was asked.
TRUST = """
local epoch = redis.call('GET', KEYS[2])
if not epoch or string.sub(epoch, 1, #ARGV[1]) ~= ARGV[1] then
  epoch = ARGV[1] .. ARGV[2]
  redis.call('SET', KEYS[2], epoch)
end
redis.call('SET', KEYS[1], epoch, 'PXAT', ARGV[3])
"""


@dataclass(frozen=True)
class Keys:
    """The names of everything in Redis, under one prefix."""

    prefix: str

    @property
    def trust(self) -> str:
        """The key that says that copies may be believed."""
        return f"{self.prefix}:trust"

    @property
    def epoch(self) -> str:
        """The key that holds what all copies of this time are stamped with."""
        return f"{self.prefix}:epoch"

    def of(self, name: str) -> str:
        """Return the key of a name: `product:7` or `tasks::7` is an entry, `product:*` a namespace."""
        space, _, rest = name.partition(":")
        return f"{self.prefix}:n:{space}" if rest == "*" else f"{self.prefix}:c:{name}"

    def space_of(self, name: str) -> str:
        """Return the key of the namespace that an entry's name is in."""
        return self.of(name.partition(":")[0] + ":*")


def token(kind: str) -> str:
    """Return a new F, G or L that never comes again."""
    return kind + secrets.token_hex(8)


def code_digest(folder: Path) -> str:
    """Return a digest of all Python files in a folder: what a copy's shape may depend on."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
