"""For whom a request is counted: its key, else its address."""

import functools
import ipaddress
from typing import Any

from flask import request

from catalog import access


def who() -> str:
    """Return whom the current request is counted for."""
    return _named(access.caller(), request.remote_addr)


def by_environ(environ: dict[str, Any]) -> str | None:
    """Return the same before Flask; None where a request has a key that nobody has looked at yet."""
    caller = environ.get("catalog.caller")
    if caller is not None:
        return _named(caller, environ.get("REMOTE_ADDR"))
    if "HTTP_AUTHORIZATION" in environ or "HTTP_X_API_KEY" in environ:
        return None
    return by_address(environ.get("REMOTE_ADDR", ""))


def _named(caller: access.Caller, address: str | None) -> str:
    return by_address(address or "") if caller.id == "anonymous" else caller.id


@functools.lru_cache(maxsize=4096)
def by_address(address: str) -> str:
    """Return an IPv4 address as it is, of an IPv6 one the network: one client has all addresses of a /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address or "unknown"
    return address if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))
