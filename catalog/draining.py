"""Whether this web server is about to end: it still answers, and asks for the next requests to go elsewhere."""

import mmap

_begun = mmap.mmap(-1, 1)  # shared with the processes that are forked after the import


def begin() -> None:
    """Tell all processes of this web server."""
    _begun[0] = 1


def has_begun() -> bool:
    """Tell whether it is about to end."""
    return _begun[0] == 1
