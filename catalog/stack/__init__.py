"""The embedded PostgreSQL and Redis and the process list, for machines without Docker.

`Embedded` is all that the tests need; `project`, `supervisor` and `control` are what `manage.py start` is made of.
"""

from catalog.stack.embedded import Embedded
from catalog.stack.errors import StackError

__all__ = ["Embedded", "StackError"]
