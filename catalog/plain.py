"""What JSON columns and messages make of values that JSON does not know."""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any


def plain(value: Any) -> Any:
    """Return what stands for a value in JSON; a `default` of json.dumps(). Raises TypeError."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"No JSON for {type(value).__name__}")
