"""Headers of a webhook whose values are secrets: kept encrypted, shown as a mask, never given back.

What a value is for is told by its header's name, such as Authorization or X-Api-Key, or by the value itself, such as
`Bearer …`. All other headers are no secrets: they are shown, and kept as they are.
"""

import re
from collections.abc import Mapping

from catalog import encryption
from catalog.errors import ValidationFailed, field_error
from catalog.redaction import MASK, redacted

Headers = dict[str, str]

_TELLING_NAME = re.compile(r"auth|cookie|credential|key|pass|pwd|secret|session|signature|token", re.IGNORECASE)


def is_secret(name: str, value: str) -> bool:
    """Tell whether the value of a header is kept as a secret."""
    return bool(_TELLING_NAME.search(name)) or redacted(value) != value


def sealed(headers: Mapping[str, str], kept: Mapping[str, str]) -> tuple[Headers, Headers]:
    """Return headers as a client sent them in two parts: in the clear, and by name the encrypted secrets.

    A value that is the mask stands for the secret of that name in `kept`, so that what was read can be written back.
    Raises ValidationFailed for a mask where none is kept.
    """
    before = {name.lower(): value for name, value in kept.items()}
    clear, secret = {}, {}
    for name, value in headers.items():
        if value == MASK and name.lower() in before:
            secret[name] = before[name.lower()]
        elif not is_secret(name, value):
            clear[name] = value
        elif value == MASK:
            raise ValidationFailed([field_error(f"headers.{name}", "The mask stands for a value, and none is kept.")])
        else:
            secret[name] = encryption.encrypt(value).decode()
    return clear, secret


def opened(secret: Mapping[str, str]) -> Headers:
    """Return the secret headers in the clear, for sending. Raises encryption.Undecryptable."""
    return {name: encryption.decrypt(value.encode()) for name, value in secret.items()}


def shown(clear: Mapping[str, str], secret: Mapping[str, str]) -> Headers:
    """Return the headers as everyone may see them."""
    return {**clear, **dict.fromkeys(secret, MASK)}
