"""REST over tasks; the application serves it at two addresses."""

import uuid
from typing import Any

from flask import url_for

from catalog.http import Blueprint, copy_answer, etag, wanted_versions
from catalog.openapi import LOCATION
from catalog.tasks import reads, schemas, service

blueprint = Blueprint("tasks", __name__, url_prefix="/api/v1/tasks", description="What is to be done.", scope="tasks")


@blueprint.get("")
@blueprint.arguments(schemas.TaskQuerySchema, location="query")
@blueprint.response(200, schemas.TaskPageSchema)
@blueprint.problem(413, "The rows of a page by `offset` have too many bytes; `detail` tells how many fit")
def list_tasks(query: dict[str, Any]) -> Any:
    """List tasks

    The newest first, filtered, in pages by `offset` or by `cursor`. A page may have fewer than `limit` items
    where more would have too many bytes: continue while `has_more`, by `next_cursor`.
    """
    return service.page(query)


@blueprint.post("")
@blueprint.arguments(schemas.TaskCreateSchema)
@blueprint.once()
@blueprint.response(201, schemas.TaskSchema, headers=LOCATION)
def create_task(fields: dict[str, Any]) -> Any:
    """Create a task

    It is `PENDING`. `due_at` needs an offset (`Z` or `+01:00`); it is answered in UTC.
    """
    task = service.create(fields)
    return task, 201, {"ETag": etag(task.version), "Location": url_for(".get_task", task_id=task.id)}


@blueprint.get("/<uuid:task_id>")
@blueprint.response(200, schemas.TaskSchema)
@blueprint.alt_response(304, description="Unchanged")
@blueprint.problem(404, "No such task")
def get_task(task_id: uuid.UUID) -> Any:
    """Read a task

    From the cache where it has a copy, as `X-Cache` tells.
    """
    return copy_answer(reads.task(task_id))


@blueprint.put("/<uuid:task_id>")
@blueprint.arguments(schemas.TaskChangeSchema)
@blueprint.response(200, schemas.TaskSchema)
@blueprint.problem(404, "No such task")
@blueprint.problem(409, "The status cannot follow the present one")
@blueprint.problem(412, "`If-Match` names another version")
def put_task(changes: dict[str, Any], task_id: uuid.UUID) -> Any:
    """Change a task

    Only the given fields change. `PENDING` and `IN_PROGRESS` may become each other, `COMPLETED` or `CANCELLED`;
    those two are final. The same status again is no change.
    """
    task = service.update(task_id, changes, wanted_versions())
    return task, 200, {"ETag": etag(task.version)}


@blueprint.delete("/<uuid:task_id>")
@blueprint.response(204)
@blueprint.problem(404, "No such task")
@blueprint.problem(412, "`If-Match` names another version")
def delete_task(task_id: uuid.UUID) -> None:
    """Delete a task

    At once, and for good, whatever its status.
    """
    service.delete(task_id, wanted_versions())
