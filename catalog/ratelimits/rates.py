"""Rates as settings write them: `60/minute`, `10/15 minutes`, `10 per 15 minutes`."""

import re
from dataclasses import dataclass

_UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "month": 30 * 86_400, "year": 360 * 86_400}
_RATE = re.compile(r"\s*([0-9]+)\s*(?:/|per)\s*([0-9]+)?\s*([a-z]+?)s?\s*", re.IGNORECASE | re.ASCII)
_SEPARATORS = re.compile("[,;|]")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a window of so many units; `seconds` is the length of the window."""

    amount: int
    multiples: int
    unit: str
    seconds: int

    def key_for(self, *names: str) -> str:
        """Return the key of a counter: other rates have other counters. Other versions read the same keys."""
        return f"LIMITER/{'/'.join(names)}/{self.amount}/{self.multiples}/{self.unit}"


def parse(text: str) -> Rate:
    """Return the rate that a setting names; of several, separated by `,`, `;` or `|`, the first. Raises ValueError."""
    first, *_ = [_parsed(part) for part in _SEPARATORS.split(text)]
    return first


def _parsed(text: str) -> Rate:
    found = _RATE.fullmatch(text)
    if found is None or found[3].lower() not in _UNITS:
        raise ValueError(f"not a rate: {text!r}")
    unit, multiples = found[3].lower(), int(found[2] or 1) or 1
    return Rate(int(found[1]), multiples, unit, _UNITS[unit] * multiples)
