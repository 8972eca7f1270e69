"""For whom a request is counted: its key, else its address."""

import functools
import ipaddress

from catalog import access


def who() -> str:
    """Return whom the current request is counted for."""
    return counted_for(access.caller())


def counted_for(caller: access.Caller) -> str:
    """Return whom the requests of a caller are counted for."""
    return by_address(caller.address or "") if caller.id == "anonymous" else caller.id


@functools.lru_cache(maxsize=4096)
def by_address(address: str) -> str:
    """Return an IPv4 address as it is, of an IPv6 one the network: one client has all addresses of a /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address or "unknown"
    return address if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))
