"""Texts that mean something else: markup, numbers as people write them, yes and no, money, measures."""

import html
import re
from decimal import Decimal, localcontext
from typing import Literal

import re2

from catalog.transforms import register
from catalog.transforms.arguments import to_number
from catalog.transforms.arithmetic import plain

Style = Literal["en", "de", "fr", "ch"]

# For each style: what divides thousands, and what stands before the decimals.
_STYLES = {"en": (",", "."), "de": (".", ","), "fr": (" ", ","), "ch": ("'", ".")}
_ALIKE = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'", "\u2212": "-"})
_NUMBERS = {
    style: re.compile(
        rf"([+-]?)\s?([0-9]{{1,3}}(?:{re.escape(mark)}[0-9]{{3}}){{1,9}}|[0-9]{{0,30}})(?:{re.escape(point)}([0-9]{{1,30}}))?"
    )
    for style, (mark, point) in _STYLES.items()
}
_CURRENCY = re.compile(r"(?i:\b(?:EUR|USD|GBP|CHF|JPY|SEK|NOK|DKK|PLN|CZK|CAD|AUD|Fr|kr|zł|Kč)\b\.?)|[€$£¥₹]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_YES = _words("true yes y t 1 on ja j wahr oui vrai si sí verdadero tak x ✓")
_NO = _words("false no n f 0 off nein falsch non faux falso nie")
# RE2, since html.parser takes minutes for 100,000 characters of `<a <a <a `.
_HIDDEN = re2.compile(
    r"(?is)<script\b.*?(?:</script\s*>|\z)|<style\b.*?(?:</style\s*>|\z)|<!--.*?(?:-->|\z)|<[!?][^>]*>"
)
_REST = r"""(?:"[^"]*"|'[^']*'|[^"'<>])*>"""
_BREAK = re2.compile(rf"(?i)</?(?:br|p|div|li|tr|td|th|h[1-6]|ul|ol|table|section|article)(?:[\s/]{_REST}|>)")
_TAG = re2.compile(rf"</?[A-Za-z]{_REST}")

_FACTORS: dict[str, dict[str, Decimal]] = {
    "weight": {name: Decimal(grams) for name, grams in {"mg": "0.001", "g": "1", "kg": "1000", "t": "1000000"}.items()}
    | {"oz": Decimal("28.349523125"), "lb": Decimal("453.59237")},
    "length": {
        name: Decimal(metres)
        for name, metres in {"mm": "0.001", "cm": "0.01", "m": "1", "km": "1000", "in": "0.0254"}.items()
    }
    | {"ft": Decimal("0.3048"), "yd": Decimal("0.9144"), "mi": Decimal("1609.344")},
    "volume": {name: Decimal(litres) for name, litres in {"ml": "0.001", "cl": "0.01", "l": "1", "m3": "1000"}.items()}
    | {"fl_oz": Decimal("0.0295735295625"), "gal": Decimal("3.785411784")},
}
_DEGREES = ("c", "f", "k")


@register()
def strip_html(text: str) -> str:
    """Leave the text of HTML: no tags, scripts or styles; entities become their characters."""
    visible = _HIDDEN.sub("", text)
    lines = html.unescape(_TAG.sub("", _BREAK.sub("\n", visible))).split("\n")
    return "\n".join(line.strip() for line in lines if line.strip())


@register()
def parse_number(text: str, style: Style = "en") -> Decimal:
    """Read a number as written there: 1,234.5 (en), 1.234,5 (de), 1 234,5 (fr), 1'234.5 (ch)."""
    written = text.translate(_ALIKE).strip()
    match = _NUMBERS[style].fullmatch(written)
    if not match or not (match[2] or match[3]):
        raise ValueError(f"{text.strip()[:50]!r} is not a number in the style {style}.")
    whole = match[2].replace(_STYLES[style][0], "")
    return to_number(f"{match[1]}{whole or '0'}.{match[3] or '0'}" if match[3] else f"{match[1]}{whole}")


@register()
def parse_bool(text: str) -> bool:
    """Read yes or no, true or false, 1 or 0, on or off, also in German, French, Spanish, Italian and Polish."""
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise ValueError(f"{word[:50]!r} is neither yes nor no.")
    return word in _YES


@register()
def parse_currency(text: str, style: Style = "en") -> Decimal:
    """Read an amount of money without its currency: EUR 1,234.50 (en), 1.234,50 € (de), CHF 5.- (ch)."""
    amount = _CURRENCY.sub("", text.translate(_ALIKE)).strip()
    return parse_number(re.sub(r"[.,][-\u2013\u2014]{1,2}$", "", amount), style)


@register()
def convert_unit(number: Decimal, source: str, target: str) -> Decimal:
    """Convert between units of weight, length, volume or temperature: g kg lb, cm in ft, ml l gal, c f k."""
    wanted = (source.lower(), target.lower())
    if all(unit in _DEGREES for unit in wanted):
        return _temperature(number, *wanted)
    for factors in _FACTORS.values():
        if all(unit in factors for unit in wanted):
            with localcontext(prec=100):
                return plain(number * factors[wanted[0]] / factors[wanted[1]])
    known = "; ".join(" ".join(units) for units in (*_FACTORS.values(), _DEGREES))
    raise ValueError(f"Cannot convert {source[:20]!r} to {target[:20]!r}. Units that go together: {known}.")


def _temperature(number: Decimal, source: str, target: str) -> Decimal:
    with localcontext(prec=100):
        celsius = {"c": number, "f": (number - 32) * 5 / 9, "k": number - Decimal("273.15")}[source]
        return plain({"c": celsius, "f": celsius * 9 / 5 + 32, "k": celsius + Decimal("273.15")}[target])
