"""Where a webhook may connect to: the one judge of URLs and addresses (against request forgery, SSRF). Pure.

A URL is judged when a webhook is made or changed, for an early and clear error. What counts is the second
judgement, of the very address that a socket is about to be connected to: names cannot change in between.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_LENGTH = 500


def _networks(listed: str) -> tuple[Network, ...]:
    return tuple(ip_network(network) for network in listed.split())


# Spelled out, since `ipaddress.is_global` differs between Python versions and lets some of these pass.
_SPECIAL = _networks("""
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15
    198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
    2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20
""")
_PUBLIC_IPV6 = IPv6Network("2000::/3")  # the only range that is given out; all else is special

# Cloud metadata services, which hand credentials to whoever asks: never reached, whatever is opened.
_METADATA = _networks("""
    169.254.0.0/16 100.100.100.200 168.63.129.16 192.0.0.192 fe80::/10 fd00:ec2::/32 fd20:ce::/32
""")

_PRINTABLE = re.compile(r"[!-~]+")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_NUMERIC_LABEL = re.compile(r"\d+|0x[0-9a-f]*")


class Refused(ValueError):
    """The URL or address is not one that a webhook may have; the message says why."""


@dataclass(frozen=True)
class Target:
    """Where a URL leads: `host` is an address or a lower-case name."""

    host: Address | str
    port: int


@dataclass(frozen=True)
class Policy:
    """What is open: `networks` beyond the public internet, and the `ports` outside of those networks."""

    networks: tuple[Network, ...]
    ports: frozenset[int]

    @classmethod
    def of(cls, networks: Iterable[str], ports: Iterable[int | str]) -> "Policy":
        """Make a policy of the settings WEBHOOK_ALLOWED_NETWORKS and WEBHOOK_ALLOWED_PORTS."""
        return cls(tuple(ip_network(network.strip()) for network in networks), frozenset(map(int, ports)))

    def opens(self, address: Address) -> bool:
        """Tell whether the address lies in a network that was opened."""
        return any(address in network for network in self.networks)

    def judge(self, address: Address | str, port: int) -> None:
        """Raise Refused unless a socket may be connected to this very address and port."""
        inner = _unmapped(ip_address(address))
        if any(inner in network for network in _METADATA):
            raise Refused(f"{address} is link-local or a cloud metadata service, which is never called.")
        if self.opens(inner):
            return
        if _is_special(inner):
            raise Refused(f"{address} is not a public address; WEBHOOK_ALLOWED_NETWORKS can open its network.")
        if port not in self.ports:
            known = ", ".join(map(str, sorted(self.ports)))
            raise Refused(f"Port {port} is not one of {known}; WEBHOOK_ALLOWED_PORTS can open it.")

    def judge_url(self, url: str, resolved: Iterable[str] = ()) -> None:
        """Raise Refused unless a webhook may have this URL; `resolved` are the addresses its name has now.

        A name that has no address yet is accepted on one of the usual ports.
        """
        target = parse(url)
        addresses = [target.host] if not isinstance(target.host, str) else list(resolved)
        for address in addresses:
            self.judge(address, target.port)
        if not addresses and target.port not in self.ports:
            raise Refused(f"Port {target.port} is not open, and the host's address is not known.")


def _unmapped(address: Address) -> Address:
    """`::ffff:127.0.0.1` is judged as what it reaches. Other embedded forms (NAT64, 6to4) are special anyway."""
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def _is_special(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
        return True
    return any(address in network for network in _SPECIAL)


@lru_cache(1024)
def parse(url: str) -> Target:
    """Return where an http or https URL leads. Raises Refused for everything that readers may disagree on."""
    if len(url) > MAX_LENGTH:
        raise Refused(f"Longer than {MAX_LENGTH} characters.")
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise Refused("A URL has only ASCII letters, digits and signs; write a foreign host name in punycode.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused("Not a valid URL.") from error
    if parts.scheme not in ("http", "https") or not url.lower().startswith(parts.scheme + "://"):
        raise Refused("Not a valid http or https URL.")
    if "@" in parts.netloc:
        raise Refused("User names and passwords in a URL are refused; use `headers`.")
    if parts.netloc.endswith(":") or port == 0:
        raise Refused("Not a valid port.")
    return Target(_host(parts.netloc, parts.hostname or ""), port or {"http": 80, "https": 443}[parts.scheme])


def _host(netloc: str, host: str) -> Address | str:
    try:
        if netloc.startswith("["):
            return IPv6Address(host) if "%" not in host else _no_host()
        if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
            return IPv4Address(host)  # strict: no octal, hexadecimal or shortened forms
    except ValueError:
        return _no_host()
    return host if _NAME.fullmatch(host) else _no_host()


def _no_host() -> str:
    raise Refused("Not a valid host name or address; an IPv4 address has four decimal numbers.")
