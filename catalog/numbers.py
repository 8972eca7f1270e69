"""Parses numbers of clients exactly, within bounds: arithmetic on one neither fails nor fills the memory."""

from decimal import Decimal

MAX_EXPONENT = 400  # of ten, either way: more than any double has
MAX_DIGITS = 4_300  # as Python reads a whole number


def exact(text: str) -> Decimal:
    """Return the number that a text contains, e.g. `-1.5e3`.

    Raises ValueError for no number, one beyond 10^±400, and one of more than 4,300 characters.
    """
    if len(text) > MAX_DIGITS:
        raise ValueError(f"A number has more than {MAX_DIGITS:,} digits.")
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise ValueError(f"{text[:30]} is no number, or its exponent is beyond ±{MAX_EXPONENT}.") from None
    if number.is_finite() and abs(number.adjusted()) > MAX_EXPONENT:
        raise ValueError(f"The exponent of {text[:30]} is beyond ±{MAX_EXPONENT}.")
    return number
