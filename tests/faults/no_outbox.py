"""The service as many build it: events are put on the queue after the commit, and there is no outbox.

It answers the same and sends the same on a good day. The kill test must find what it loses.
"""

import json
import os
import uuid
from typing import Any

import requests
from sqlalchemy import select

from catalog import jobqueue
from catalog.app import create_app
from catalog.database import after_commit, transaction
from catalog.extensions import db
from catalog.webhooks import outbox, service
from catalog.webhooks.models import Webhook

JOB = "tests.faults.no_outbox.deliver"


def publish(event: str, data: dict[str, Any]) -> None:
    """Put a job on the queue once the change is committed."""
    written = outbox.encode(data)
    with transaction():
        after_commit(lambda: jobqueue.ring(JOB, str(uuid.uuid4()), event, written, queue_name="default"))


@jobqueue.in_app_context
def deliver(identity: str, event: str, data: str) -> None:
    """Post an event to every webhook."""
    body = json.dumps({"id": identity, "event": event, "data": json.loads(data)})
    for url in db.session.scalars(select(Webhook.url)):
        requests.post(url, body, headers={"webhook-id": identity}, timeout=2)


service.publish = publish  # type: ignore[assignment]
app = create_app() if "gunicorn" in os.environ.get("SERVER_SOFTWARE", "") else None
