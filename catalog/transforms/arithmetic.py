"""Numbers: exact, as decimals."""

from decimal import ROUND_HALF_UP, Decimal, localcontext

from catalog.transforms import register

_EXACT = 150  # digits: more than two arguments can make together
_MOST_PLACES = 30


@register()
def add(number: Decimal, other: Decimal) -> Decimal:
    """Add two numbers."""
    with localcontext(prec=_EXACT):
        return number + other


@register()
def subtract(number: Decimal, other: Decimal) -> Decimal:
    """Subtract the second number from the first."""
    with localcontext(prec=_EXACT):
        return number - other


@register()
def multiply(number: Decimal, other: Decimal) -> Decimal:
    """Multiply two numbers."""
    with localcontext(prec=_EXACT):
        return plain(number * other)


@register()
def divide(number: Decimal, other: Decimal) -> Decimal:
    """Divide the first number by the second, to 30 decimals."""
    if not other:
        raise ValueError("Cannot divide by zero.")
    with localcontext(prec=_EXACT):
        return plain(number / other)


@register()
def round_to(number: Decimal, places: int = 2) -> Decimal:
    """Round to so many decimals, a half away from zero, as prices are."""
    if not 0 <= places <= _MOST_PLACES:
        raise ValueError(f"`places` must be from 0 to {_MOST_PLACES}.")
    with localcontext(prec=_EXACT):
        return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def plain(number: Decimal) -> Decimal:
    """Return the number with at most 30 decimals and no zeros at their end."""
    with localcontext(prec=_EXACT):
        if int(number.as_tuple().exponent) < -_MOST_PLACES:
            number = number.quantize(Decimal(1).scaleb(-_MOST_PLACES), ROUND_HALF_UP)
        whole = number.to_integral_value()
        return whole if number == whole else number.normalize()
