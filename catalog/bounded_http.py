"""HTTP through libcurl, bounded in time and size: what all requests of ours have in common, and a plain GET.

The timeouts of `requests` are those of each read, so a server that sends a byte now and then is waited for without end.
libcurl has one limit for the whole, from the lookup of the name to the last byte.
"""

import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import certifi
import pycurl

_TIMED_OUT, _CUT_BY_US = pycurl.E_OPERATION_TIMEDOUT, pycurl.E_WRITE_ERROR

# Handles by process, each with its open connections: a forked child must not talk over its parent's.
_idle: defaultdict[int, list[Any]] = defaultdict(list)


class RequestFailed(Exception):
    """There was no whole answer; the message is ours."""


class TimedOut(RequestFailed):
    """The answer took longer than allowed."""


class TooLarge(RequestFailed):
    """The answer is larger than allowed."""


@dataclass
class Body:
    """What arrives of a body, up to a limit; a body that is larger is cut, which ends the transfer."""

    limit: int
    received: bytearray = field(default_factory=bytearray)
    is_cut: bool = False

    def take(self, data: bytes) -> int:
        """Keep what fits; libcurl ends the transfer where that is not all."""
        room = self.limit - len(self.received)
        self.received += data[:room]
        self.is_cut = len(data) > room
        return min(len(data), room)

    def clear(self) -> None:
        """Make room for the next one."""
        self.received.clear()
        self.is_cut = False


def handle(ca_file: str | None = None) -> Any:
    """Return a handle of libcurl that follows no redirect, and takes nothing from the environment."""
    curl = pycurl.Curl()
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.FOLLOWLOCATION, 0)
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.NOPROXY, "*")
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
    curl.setopt(pycurl.CAINFO, ca_file or certifi.where())
    return curl


def set_time_limit(curl: Any, seconds: float) -> None:
    """Limit the next transfer as a whole."""
    curl.setopt(pycurl.TIMEOUT_MS, max(1, round(seconds * 1000)))  # 0 would be no limit


def get(url: str, total_seconds: float, max_bytes: int) -> tuple[int, bytes]:
    """Return the status and the body of an answer; connections are kept. Redirects are answers as any other.

    Raises TimedOut, TooLarge and RequestFailed.
    """
    curl = _idle_or_new()
    try:
        body = Body(max_bytes)
        curl.setopt(pycurl.URL, url.encode())
        curl.setopt(pycurl.WRITEFUNCTION, body.take)
        set_time_limit(curl, total_seconds)
        curl.perform()
        return int(curl.getinfo(pycurl.RESPONSE_CODE)), bytes(body.received)
    except pycurl.error as error:
        raise _failure(error.args[0], body.is_cut, total_seconds, max_bytes) from error
    finally:
        _idle[os.getpid()].append(curl)


def _idle_or_new() -> Any:
    try:
        return _idle[os.getpid()].pop()
    except IndexError:
        return handle()


def _failure(code: int, is_cut: bool, total_seconds: float, max_bytes: int) -> RequestFailed:
    if code == _TIMED_OUT:
        return TimedOut(f"No whole answer within {total_seconds:g} s")
    if code == _CUT_BY_US and is_cut:
        return TooLarge(f"The answer is larger than {max_bytes:,} bytes")
    return RequestFailed(f"libcurl error {code}")  # its own words may come from the other side
