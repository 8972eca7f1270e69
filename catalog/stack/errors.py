"""The one error of this package; its message is for the person at the terminal."""


class StackError(Exception):
    """Something could not be started, stopped or found; says what, why, and what to do."""
