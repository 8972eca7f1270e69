"""What is wrong with the value of a setting; each raises ValidationError, or for one of a list ValueError."""

import base64
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from environs import ValidationError, validate


def each(values: list[str], read: Callable[[str], Any], complaint: str) -> None:
    """Check every value of a list; the message counts them and never quotes one, since some are secret."""
    for number, value in enumerate(values, start=1):
        try:
            read(value.strip())
        except ValueError:
            raise ValidationError(f"number {number} {complaint}") from None


def encryption_key(text: str) -> bytes:
    """Read a key of AES-256 in URL-safe base64."""
    key = base64.urlsafe_b64decode(text)
    if len(key) != 32:
        raise ValueError("wrong length")
    return key


def url(*schemes: str) -> Callable[[Any], Any]:
    """Judge a URL early: whoever reads it later would quote a part of its password, taken for a host or a port."""

    def check(url: str) -> None:
        try:
            parts = urlsplit(url)
            sound = parts.scheme.partition("+")[0] in schemes and (parts.port or True)
        except ValueError:
            sound = False
        if not sound or parts.netloc.count("@") > 1 or "@" in parts.path + parts.fragment:
            names = " or ".join(f"{scheme}://" for scheme in schemes)
            raise ValidationError(f"must be a URL with {names}, its password percent-encoded")

    return check


def redis_url(text: str) -> None:
    """Judge the URL of one server, or of the Sentinels that know it."""
    from catalog.redisurl import SENTINEL, server

    if f"{SENTINEL}://" not in text:
        url("redis", "rediss", "unix")(text)
        return
    try:
        server(text)
    except ValueError:
        form = f"redis{SENTINEL}://host:26379,host:26379/service/0, its password percent-encoded"
        raise ValidationError(f"must be a URL with a service after its Sentinels, like {form}") from None


def at_least(minimum: int) -> Callable[[Any], Any]:
    """Return the rule of a number that has a minimum."""
    return validate.Range(min=minimum)


def rate(text: str) -> None:
    """Judge how many in what time, or that it is off."""
    from catalog.ratelimits.rates import parse

    try:
        parse(text if text != "off" else "1/second")
    except ValueError:
        raise ValidationError("must be like 100/second, 6000/minute or off") from None


def window(text: str) -> None:
    """Judge the same where it cannot be off."""
    if text == "off":
        raise ValidationError("must be like 10/15 minutes; it cannot be off")
    rate(text)


_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.ASCII | re.IGNORECASE)


def host(text: str) -> None:
    """Judge a host as browsers send it, without its port."""
    if not _HOST.fullmatch(text):
        raise ValueError("no host")


def origin(text: str) -> None:
    """Judge an origin as browsers send it, or `*` for all."""
    parts = urlsplit(text)
    if text != "*" and (parts.scheme not in ("http", "https") or text != f"{parts.scheme}://{parts.netloc}"):
        raise ValueError("no origin")
