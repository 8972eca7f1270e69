"""What schemathesis does before each call: a valid `Idempotency-Key` becomes one that no request had before.

Generated keys come again and again. A request that is answered from the record of one whose product is deleted by now
would be taken for a fault of the service.
"""

import ast
import re
import threading
import uuid
from typing import Any

import schemathesis

VALID = re.compile(r"[!-~]{1,255}")

# CPython 3.11 counts the depth of ast.parse() for all threads together, and hypothesis, which calls it in several, then
# fails with "AST constructor recursion depth mismatch".
_parse, _one_at_a_time = ast.parse, threading.Lock()


def _parse_alone(*args: Any, **kwargs: Any) -> Any:
    with _one_at_a_time:
        return _parse(*args, **kwargs)


ast.parse = _parse_alone


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Make the key of a request its own; keys that cannot be one stay as they are."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and VALID.fullmatch(key):
        case.headers["Idempotency-Key"] = f"{key[:200]}-{uuid.uuid4()}"
