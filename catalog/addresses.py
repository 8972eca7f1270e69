"""Client addresses in one canonical form: IPv4 as such, without port, brackets or zone."""

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

_WITH_PORT = re.compile(r"\[([^\[\]]*)\](?::\d{1,5})?|([^:\[\]]*):\d{1,5}", re.ASCII)


@lru_cache(maxsize=4096)
def canonical(text: str) -> str | None:
    """Return an address as `192.0.2.1` or `2001:db8::1`, or None where the text is none.

    IPv4 clients of a socket that is bound to `::` come as `::ffff:192.0.2.1` (RFC 4291, section 2.5.5.2); proxies may
    append the client's port.
    """
    given = text.strip()
    if match := _WITH_PORT.fullmatch(given):
        given = match[1] or match[2] or ""
    try:
        address = ip_address(given.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
