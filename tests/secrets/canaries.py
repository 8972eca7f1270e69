"""Secrets that can be recognised, and the search for them in everything that a service leaves behind."""

import base64
import binascii
import json
import secrets
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg2
import redis

Place = tuple[str, bytes]


class Canaries:
    """Secrets with one random word in all of them, by which each is known in whatever form it turns up."""

    def __init__(self) -> None:
        self.word = f"canary{secrets.token_hex(6)}"
        self._needles = _forms(self.word.encode())

    def text(self, name: str) -> str:
        """Return a secret of letters, digits and hyphens."""
        return f"{name}-{self.word}-{secrets.token_hex(4)}"

    def key(self) -> str:
        """Return a secret of 32 bytes in URL-safe base64, as ENCRYPTION_KEYS has them."""
        return base64.urlsafe_b64encode((self.word.encode() + secrets.token_bytes(32))[:32]).decode()

    def whsec(self) -> str:
        """Return a secret in the form of Standard Webhooks."""
        return f"whsec_{base64.b64encode(self.word.encode() + secrets.token_bytes(16)).decode()}"

    def add(self, secret: str) -> None:
        """Look for a secret, too, that somebody else made up."""
        self._needles |= _forms(secret.encode())

    def found(self, places: Iterable[Place]) -> list[str]:
        """Return the places that hold a canary, with what stands around the first one."""
        return [f"{name}: {around!r}" for name, content in places if (around := self._around(content))]

    def _around(self, content: bytes) -> bytes:
        ways = [content, *_unpacked(content)]
        hits = ((way, way.find(needle)) for way in ways for needle in self._needles)
        return next((way[max(0, at - 150) : at + 150] for way, at in hits if at >= 0), b"")


def _forms(word: bytes) -> set[bytes]:
    """As it is, in hexadecimal as PostgreSQL shows bytes, and within base64 at any of its three alignments."""
    forms = {word, word.hex().encode(), word.hex().upper().encode()}
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + word)
        inner = encoded[(shift * 8 + 5) // 6 : len(encoded) - 4].rstrip(b"=")
        forms |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return forms


def _unpacked(content: bytes) -> Iterator[bytes]:
    """RQ keeps arguments and tracebacks compressed, results also in base64."""
    for packed in (lambda: content, lambda: base64.b64decode(content, validate=True)):
        with suppress(zlib.error, binascii.Error, ValueError):
            yield zlib.decompress(packed())


def tables(database: str) -> Iterator[Place]:
    """Yield every table of the database as text."""
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT relid::regclass::text FROM pg_stat_user_tables ORDER BY 1")
        for (name,) in cursor.fetchall():
            cursor.execute(f"SELECT coalesce(string_agg(one::text, chr(10)), '') FROM {name} AS one")
            yield f"table {name}", cursor.fetchone()[0].encode()
    connection.close()


def keys(name: str, client: redis.Redis) -> Iterator[Place]:
    """Yield every key of a Redis with its value, part by part."""
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
    }
    for key in client.scan_iter(count=1000):
        yield f"{name} key {key!r}", key
        for part in _parts(readers[client.type(key)](key)):
            yield f"{name} {key!r}", part


def _parts(value: object) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        yield from _parts([*value, *value.values()])
    elif isinstance(value, list | tuple | set):
        for part in value:
            yield from _parts(part)


def files(*folders: Path) -> Iterator[Place]:
    """Yield every file below these folders: logs, the servers' own, metrics, uploads."""
    for folder in dict.fromkeys(folders):
        for path in sorted(folder.rglob("*")):
            with suppress(FileNotFoundError):  # the servers go on working
                if path.is_file():
                    yield f"file {path.relative_to(folder)}", path.read_bytes()


def answer(label: str, status: int, headers: dict, body: bytes) -> Place:
    """Return an HTTP answer as a place."""
    return f"answer {status} to {label}", json.dumps(headers).encode() + b"\n" + body
