"""Queued writes as many build them: the job is all there is, with the write as its arguments.

It answers the same, makes the same products on a good day, and writes at once when Redis is down. The kill test must
find what it loses.
"""

import json
import os
import uuid
from typing import Any

from catalog import jobqueue
from catalog.app import create_app
from catalog.products import queueing, service

JOB = "tests.faults.no_row.write"


def create(fields: dict[str, Any]) -> queueing.Answer:
    """Put a creation on the queue."""
    return _sent("create", uuid.uuid4(), fields)


def update(reference: str, changes: dict[str, Any]) -> queueing.Answer:
    """Put a change on the queue."""
    return _sent("update", uuid.UUID(reference), changes)


def _sent(kind: str, product_id: uuid.UUID, fields: dict[str, Any]) -> queueing.Answer:
    written = json.dumps(fields, default=float)
    if not jobqueue.ring(JOB, kind, str(product_id), written, queue_name="default"):
        write(kind, str(product_id), written)
    return queueing.Answer(True, "queued", None, product_id)


@jobqueue.in_app_context
def write(kind: str, product_id: str, fields: str) -> None:
    """Make the write."""
    if kind == "create":
        service.create({"id": uuid.UUID(product_id), **json.loads(fields)})
    else:
        service.update(uuid.UUID(product_id), json.loads(fields))


queueing.create, queueing.update = create, update
app = create_app() if "gunicorn" in os.environ.get("SERVER_SOFTWARE", "") else None
