"""Sends many requests at once with libcurl, each under one total time limit, and judges every connection."""

import selectors
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pycurl

from catalog import bounded_http
from catalog.webhooks.addresses import Policy, Refused, Target, parse
from catalog.webhooks.bell import Bell
from catalog.webhooks.names import Names, system_lookup
from catalog.webhooks.transfer import Post, Result, Transfer, milliseconds_since, result

KEPT_CONNECTIONS = 1024


class _Socket(socket.socket):
    """libcurl works on a copy of its descriptor, so this one may go as soon as nobody holds it."""

    def __del__(self) -> None:
        self.close()


class Sender:
    """An event loop over libcurl's multi interface. One thread calls it; `wake()` may be called from any.

    `lookup` turns a host name into addresses. Use `start()` and `turn()`, or `send()` for a single request.
    """

    def __init__(
        self,
        policy: Policy,
        ca_file: str | None = None,
        lookup: Callable[[str], tuple[str, ...]] = system_lookup,
    ):
        self._policy = policy
        self._ca_file = ca_file
        self._idle: list[Transfer] = []
        self._busy: dict[Any, Transfer] = {}
        self._waiting: list[tuple[Post, Target, float]] = []
        self._ended: list[Result] = []
        self._due: float | None = None
        self._bell = Bell()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._names = Names(self.wake, lookup)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, KEPT_CONNECTIONS)

    def start(self, post: Post) -> None:
        """Begin an attempt; its result comes out of a later `turn()`, also when the address is refused."""
        try:
            target = parse(post.url)
            if not isinstance(target.host, str):
                self._policy.judge(target.host, target.port)
        except Refused as error:
            self._ended.append(Result(post.key, None, "", 0, f"Refused: {error}"))
            return
        self._resolve(post, target, time.monotonic())

    def turn(self, seconds: float) -> list[Result]:
        """Carry on with everything for at most about so many seconds; return the attempts that ended."""
        for key, mask in self._selector.select(self._patience(seconds)):
            if key.fileobj is self._bell:
                self._bell.hear()
            else:
                self._multi.socket_action(key.fd, _curl_flags(mask))
        if self._due is not None and time.monotonic() >= self._due:
            self._due = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._retry_waiting()
        self._collect()
        ended, self._ended = self._ended, []
        return ended

    def send(self, post: Post) -> Result:
        """Carry out one attempt and return its result, within the post's time limit."""
        self.start(post)
        while not (results := self.turn(1.0)):
            pass
        return results[0]

    def wake(self) -> None:
        """Make a `turn()` in another thread return early."""
        self._bell.ring()

    def close(self) -> None:
        """Drop all connections and what is under way."""
        self._multi.close()
        self._selector.close()
        self._bell.close()

    def _patience(self, seconds: float) -> float:
        if self._ended:
            return 0.0
        ends = [started + post.timeout for post, _, started in self._waiting]
        if self._due is not None:
            ends.append(self._due)
        now = time.monotonic()
        return max(0.0, min([seconds, *(end - now for end in ends)]))

    def _watch(self, event: int, descriptor: int, *_: Any) -> None:
        """libcurl says which of its sockets it waits for, and how."""
        if event == pycurl.POLL_REMOVE:
            self._selector.unregister(descriptor)
            return
        mask = {
            pycurl.POLL_IN: selectors.EVENT_READ,
            pycurl.POLL_OUT: selectors.EVENT_WRITE,
            pycurl.POLL_INOUT: selectors.EVENT_READ | selectors.EVENT_WRITE,
        }[event]
        if descriptor in self._selector.get_map():
            self._selector.modify(descriptor, mask)
        else:
            self._selector.register(descriptor, mask)

    def _set_timer(self, milliseconds: int) -> None:
        self._due = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _resolve(self, post: Post, target: Target, started: float) -> None:
        if not isinstance(target.host, str):
            self._begin(post, target, (), started)
            return
        addresses = self._names.addresses(target.host, post.owner)
        if addresses is None:
            self._waiting.append((post, target, started))
        elif addresses:
            self._begin(post, target, addresses, started)
        else:
            self._end(post, started, f"The host {target.host} has no address")

    def _retry_waiting(self) -> None:
        """Go on with the attempts whose names are known by now; end those whose time is over."""
        waiting, self._waiting = self._waiting, []
        for post, target, started in waiting:
            if time.monotonic() - started >= post.timeout:
                self._end(post, started, f"Timed out after {post.timeout:g} s, looking up {target.host}")
            else:
                self._resolve(post, target, started)

    def _end(self, post: Post, started: float, error: str) -> None:
        self._ended.append(Result(post.key, None, "", milliseconds_since(started), error))

    def _begin(self, post: Post, target: Target, addresses: tuple[str, ...], started: float) -> None:
        transfer = self._idle.pop() if self._idle else self._new_transfer()
        transfer.post, transfer.started, transfer.refused = post, started, None
        transfer.body.clear()
        curl, left = transfer.curl, post.timeout - (time.monotonic() - started)
        curl.setopt(pycurl.URL, post.url)
        bounded_http.set_time_limit(curl, left)
        curl.setopt(pycurl.HTTPHEADER, _lines(post.headers))
        curl.setopt(pycurl.POSTFIELDS, post.body)
        curl.setopt(pycurl.RESOLVE, [_resolve_entry(target, addresses)] if addresses else [])
        self._busy[curl] = transfer
        self._multi.add_handle(curl)

    def _new_transfer(self) -> Transfer:
        curl = bounded_http.handle(self._ca_file)
        transfer = Transfer(curl)
        curl.setopt(pycurl.WRITEFUNCTION, transfer.body.take)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, lambda _, address: self._open(transfer, address))
        return transfer

    def _open(self, transfer: Transfer, address: Any) -> Any:
        """libcurl is about to connect to this very address; without a socket it cannot."""
        family, kind, protocol, (host, port, *_) = address
        try:
            self._policy.judge(host, port)
            return _Socket(family, kind, protocol)
        except (Refused, ValueError, OSError) as error:
            transfer.refused = f"Refused: {error}"
            return pycurl.SOCKET_BAD

    def _collect(self) -> None:
        _, done, failed = self._multi.info_read()
        for curl in done:
            self._finish(curl, 0, "")
        for curl, code, message in failed:
            self._finish(curl, code, message)

    def _finish(self, curl: Any, code: int, message: str) -> None:
        self._multi.remove_handle(curl)
        transfer = self._busy.pop(curl)
        self._ended.append(result(transfer, code, message))
        self._idle.append(transfer)


def _lines(headers: Mapping[str, str]) -> list[str]:
    # The last one keeps libcurl from asking for "100 Continue" first, which costs a second with many servers.
    return [*(f"{name}: {value}" for name, value in headers.items()), "Expect:"]


def _resolve_entry(target: Target, addresses: Iterable[str]) -> str:
    listed = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
    return f"{target.host}:{target.port}:{listed}"


def _curl_flags(mask: int) -> int:
    reads = pycurl.CSELECT_IN if mask & selectors.EVENT_READ else 0
    return reads | (pycurl.CSELECT_OUT if mask & selectors.EVENT_WRITE else 0)
