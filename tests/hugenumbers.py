"""Numbers that a JSON text can write and arithmetic cannot hold."""

NUMBERS = {
    "huge": "1e999999999",
    "tiny": "1e-999999999",
    "negative": "-1e999999999",
    "beyond decimal": "1e9999999999999999999",
    "tiny beyond decimal": "1e-9999999999999999999",
    "zero with an exponent": "0e999999999",
    "over the bound": "1e401",
    "at the bound": "1e400",
    "tiny at the bound": "1e-400",
    "beyond float": "1e309",
    "minus zero": "-0.0",
    "many decimals": "1." + "0" * 100_000 + "1",
    "many leading zeros": "0." + "0" * 100_000 + "1",
    "many digits": "9" * 4_300,
    "too many digits": "9" * 4_301,
    "many digits with a fraction": "9" * 4_300 + ".5",
    "more digits than a context": "123456789012345678901234567890.123456789",
    "the longest below the check": "9999999999999999999.9999999999",
    "with a fraction": "5e-324",
}
REFUSED: tuple[str, ...] = (
    "huge",
    "tiny",
    "negative",
    "beyond decimal",
    "tiny beyond decimal",
    "zero with an exponent",
)
REFUSED += ("over the bound", "many decimals", "many leading zeros", "too many digits", "many digits with a fraction")
