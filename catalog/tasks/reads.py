"""What is cached of tasks: the JSON that GET answers."""

import uuid
from typing import Any

from catalog.cache import cached
from catalog.http import etag
from catalog.tasks import service
from catalog.tasks.schemas import TaskSchema

TTL_SECONDS = 600

_schema = TaskSchema()


@cached("tasks::{task_id}", ttl=TTL_SECONDS, etag=lambda value: etag(value["version"]))
def task(task_id: uuid.UUID) -> Any:
    """Return a task's JSON. Raises NotFound."""
    return _schema.dump(service.get(task_id))
