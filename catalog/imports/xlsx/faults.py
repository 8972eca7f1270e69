"""Cells that hold no value: an error, a formula without a result, a number that is none."""


class Fault(str):
    """What such a cell shows, with a stable code and the reason in words."""

    code: str
    message: str

    def __new__(cls, shown: str, code: str, message: str) -> "Fault":
        """Make one; it is a text, so that the row can be shown and reported as it was."""
        fault = super().__new__(cls, shown)
        fault.code, fault.message = code, message
        return fault
