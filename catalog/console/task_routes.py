"""The tasks as a board: a column for each status."""

import uuid
from typing import Any

from flask import Response

from catalog.console import board, pages
from catalog.http import wanted_versions
from catalog.tasks import schemas, service

blueprint = pages.blueprint("tasks", __name__)


@blueprint.get("")
def index() -> Response:
    """Show the board."""
    return _board()


@blueprint.get("/new")
def new() -> Response:
    """Show the form of a new task."""
    return pages.show("_task_form.html", task={}, statuses=[])


@blueprint.post("")
@blueprint.arguments(schemas.TaskCreateSchema)
def create(fields: dict[str, Any]) -> Response:
    """Add a task."""
    task = service.create(fields)
    return _board(f"{task.title} is on the board.")


@blueprint.get("/<uuid:task_id>")
def edit(task_id: uuid.UUID) -> Response:
    """Show a task, to be changed."""
    task = service.get(task_id)
    return pages.show("_task_form.html", task=task, statuses=board.next_statuses(task.status))


@blueprint.post("/<uuid:task_id>")
@blueprint.arguments(schemas.TaskChangeSchema)
def change(changes: dict[str, Any], task_id: uuid.UUID) -> Response:
    """Change a task, or move it."""
    service.update(task_id, changes, wanted_versions())
    return _board("The task is saved.")


@blueprint.post("/<uuid:task_id>/delete")
def delete(task_id: uuid.UUID) -> Response:
    """Remove a task."""
    service.delete(task_id)
    return _board("The task is deleted.")


def _board(notice: str | None = None) -> Response:
    return pages.show("tasks.html", part="_board.html", section="tasks", columns=board.columns(), notice=notice)
