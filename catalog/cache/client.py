"""The client of the cache's Redis: a socket for each thread, hiredis, short timeouts, a circuit breaker.

redis-py's own Python is most of what a hit would cost; this speaks the same protocol in a tenth of it.
"""

import hashlib
import logging
import os
import socket
import ssl
import struct
import threading
from collections.abc import Sequence
from typing import Any

import hiredis
import redis

from catalog import redisurl
from catalog.circuit_breaker import CircuitBreaker

log = logging.getLogger(__name__)

CONNECT_SECONDS = 0.25
REPLY_SECONDS = 0.25
PROBE_SECONDS = 0.1  # a probe delays one request, so it waits for less
PROBE_EVERY_SECONDS = 1.0

Argument = bytes | str | int


class Unreachable(Exception):
    """The cache gave no answer, or one that says it cannot do its work. Whether it did is unknown."""


def pack(*arguments: Argument) -> bytes:
    """Return a command as the protocol wants it (RESP 2)."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        raw = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


class Link:
    """One connection. `run_id` names the life of the server behind it: a restarted one has another.

    `master` is where Sentinel saw it, None for a server whose address is known.
    """

    usable = False

    def __init__(self, server: redisurl.Server, seconds: float):
        self.master = _master(server)
        options = {**server.options, "host": self.master[0], "port": self.master[1]} if self.master else server.options
        self._reader = hiredis.Reader()
        self._socket = _connected(options, seconds)
        self.usable = True
        try:
            self.run_id = self._greet(options)
        except BaseException:
            self.close()
            raise
        _limit(self._socket, REPLY_SECONDS)

    def _greet(self, options: dict[str, Any]) -> bytes:
        """Sign in and choose the database in one round trip; return the server's run id.

        Raises Unreachable where Sentinel saw a master that is none, or not yet.
        """
        greeting = [pack("INFO", "replication"), pack("INFO", "server")]
        if options.get("db"):
            greeting.insert(0, pack("SELECT", int(options["db"])))
        if options.get("password"):
            names = [options["username"]] if options.get("username") else []
            greeting.insert(0, pack("AUTH", *names, options["password"]))
        self._socket.sendall(b"".join(greeting))
        replies = [_checked(self._reply()) for _ in greeting]
        fields = dict(line.split(b":", 1) for reply in replies[-2:] for line in reply.split(b"\r\n") if b":" in line)
        if self.master and fields.get(b"role") != b"master":
            raise Unreachable("The server is not the master any more, or not yet")
        return fields.get(b"run_id", b"?")  # type: ignore[no-any-return]

    def call(self, packed: bytes) -> Any:
        """Send one packed command and return its reply; raises OSError, or Unreachable for an error reply."""
        try:
            self._socket.sendall(packed)
            reply = self._reply()
        except BaseException as error:  # also a job's timeout: its reply, read later, would pass for another's
            self.close()
            if isinstance(error, BlockingIOError):
                raise TimeoutError("timed out") from error
            raise
        if self.master and isinstance(reply, Exception) and str(reply).startswith("READONLY"):
            self.close()  # it was the master: Sentinel is asked for the next one
        return _checked(reply)

    def _reply(self) -> Any:
        while (reply := self._reader.gets()) is False:
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionResetError("The cache closed the connection")
            self._reader.feed(received)
        return reply

    def close(self) -> None:
        """Close the socket; what was sent may still be carried out."""
        self.usable = False
        self._socket.close()

    def __del__(self) -> None:
        if self.usable:  # its thread has ended
            self.close()


def _checked(reply: Any) -> Any:
    if isinstance(reply, Exception) and not str(reply).startswith("NOSCRIPT"):
        raise Unreachable(str(reply))
    return reply


def _master(server: redisurl.Server) -> redisurl.Address | None:
    try:
        return server.master()
    except redis.RedisError as error:
        raise Unreachable(str(error)) from error


def _connected(options: dict[str, Any], seconds: float) -> socket.socket:
    if "path" in options:
        return _connected_locally(options["path"], seconds)
    host = options.get("host", "localhost")
    plain = socket.create_connection((host, options.get("port", 6379)), timeout=seconds)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if options.get("ssl"):
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    return plain


def _connected_locally(path: str, seconds: float) -> socket.socket:
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        local.settimeout(seconds)
        local.connect(path)
    except OSError:
        local.close()
        raise
    return local


def _limit(connection: socket.socket, seconds: float) -> None:
    """Let the kernel keep the time: Python would poll before each send and each receive."""
    if isinstance(connection, ssl.SSLSocket):
        connection.settimeout(seconds)
        return
    connection.setblocking(True)
    limit = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, option, limit)


class Client:
    """All threads' connections, and the breaker that keeps a silent Redis from delaying every request.

    `name` is what the log calls the server.
    """

    def __init__(self, url: str, name: str = "cache"):
        self._server, self._name = redisurl.server(url), name
        self._breaker = CircuitBreaker(1, PROBE_EVERY_SECONDS)
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """Drop inherited connections: a forked child must not use its parent's sockets."""
        self._local = threading.local()
        self._probe = threading.Lock()  # hung Sentinels may take longer than the breaker's pause

    def link(self) -> Link:
        """Return this thread's connection, made if need be. Raises Unreachable while the breaker is open."""
        if self._breaker.tripped:
            self._close_breaker()
        link: Link | None = getattr(self._local, "link", None)
        return link if link and link.usable else self._connect(CONNECT_SECONDS)

    def call(self, packed: bytes) -> Any:
        """Carry out one packed command on this thread's connection. Raises Unreachable.

        A connection that had been closed meanwhile is renewed once, since every command that it is
        given may be repeated; a timeout is not waited for twice.
        """
        link = self.link()
        try:
            return link.call(packed)
        except TimeoutError as error:
            raise self._broken(error) from error
        except (OSError, hiredis.HiredisError) as error:
            self._drop()
            log.info("The connection to the %s ended: %s", self._name, error)
        try:
            return self._connect(CONNECT_SECONDS).call(packed)
        except (OSError, hiredis.HiredisError) as error:
            raise self._broken(error) from error

    def run(self, source: str, keys: Sequence[str], *arguments: Argument) -> Any:
        """Run a Lua script, by its digest where the server knows it, and return its reply. Raises Unreachable."""
        digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()  # Redis names scripts so
        reply = self.call(pack("EVALSHA", digest, len(keys), *keys, *arguments))
        if isinstance(reply, hiredis.ReplyError):
            return self.call(pack("EVAL", source, len(keys), *keys, *arguments))
        return reply

    def confirm(self) -> None:
        """Make sure that the Sentinels still take this thread's server for the master. Raises Unreachable."""
        master = self.link().master
        if master and not self._server.is_master(master):
            raise self._broken(ConnectionError("The Sentinels do not take the server for the master"))

    def is_open(self) -> bool:
        """Tell whether the breaker keeps callers away at this moment."""
        return self._breaker.is_open

    def _connect(self, seconds: float) -> Link:
        self._drop()
        try:
            self._local.link = Link(self._server, seconds)
        except (OSError, hiredis.HiredisError, Unreachable) as error:
            raise self._broken(error) from error
        return self._local.link  # type: ignore[no-any-return]

    def _close_breaker(self) -> None:
        """One caller a second tries a new connection, and never two at once; all others are turned away."""
        if not self._probe.acquire(blocking=False):
            raise Unreachable("The breaker is open")
        try:
            if not self._breaker.allows():
                raise Unreachable("The breaker is open")
            self._connect(PROBE_SECONDS)
            self._breaker.succeeded()
            log.warning("The %s answers again", self._name)
        finally:
            self._probe.release()

    def _broken(self, error: Exception) -> Unreachable:
        self._drop()
        if self._breaker.failed():
            log.warning("The %s does not answer: %s", self._name, error)
        return Unreachable(str(error) or type(error).__name__)

    def _drop(self) -> None:
        link = getattr(self._local, "link", None)
        self._local.link = None
        if link:
            link.close()
