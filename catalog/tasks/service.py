"""The rules of tasks. Every function that writes is one transaction, or joins the caller's."""

import uuid
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, text
from sqlalchemy.orm import Session

from catalog import pagination, replica
from catalog.audit import service as audit
from catalog.cache import invalidate
from catalog.database import transaction
from catalog.errors import Conflict, NotFound, PreconditionFailed, ValidationFailed, field_error
from catalog.extensions import db
from catalog.tasks.models import CANCELLED, COMPLETED, IN_PROGRESS, PENDING, Task
from catalog.tasks.schemas import TaskSchema

_TASK = TaskSchema()

TRANSITIONS = {
    PENDING: {IN_PROGRESS, COMPLETED, CANCELLED},
    IN_PROGRESS: {PENDING, COMPLETED, CANCELLED},
    COMPLETED: set(),
    CANCELLED: set(),
}


@replica.reads
def page(session: Session, query: dict[str, Any]) -> dict[str, Any]:
    """Return one page of tasks, the newest first, for a loaded TaskQuerySchema.

    The page is {"items", "total", "limit", "offset", "has_more", "next_cursor"}; the cursor is its last id.
    """
    filtered = _filtered(query)
    total = session.scalar(filtered.with_only_columns(func.count(Task.id))) or 0
    offset = query.get("offset", 0)
    start = filtered.where(Task.id < query["cursor"]) if "cursor" in query else filtered.offset(offset)
    found = pagination.fetch(
        session,
        start.order_by(Task.id.desc()),
        [Task.description],
        lambda columns: [columns.id.desc()],
        query["limit"],
        may_cut=not pagination.is_by_offset(query),
    )
    items = [row[0] for row in found.rows]
    place = {"limit": query["limit"], "offset": offset, "has_more": found.has_more}
    return {"items": items, "total": total, **place, "next_cursor": items[-1].id if found.has_more else None}


def get(task_id: uuid.UUID) -> Task:
    """Return a task as PostgreSQL has it now. Raises NotFound."""
    return _found(db.session.get(Task, task_id, populate_existing=True))


def create(fields: dict[str, Any]) -> Task:
    """Add a task, which is PENDING, and return it. Raises ValidationFailed for a product that there is not."""
    with transaction() as session:
        _hold_product(fields.get("product_id"))
        task = Task(**fields)
        session.add(task)
        session.flush()
        _forget(task)
        audit.record("create", "task", task.id, after=_written(task))
        return task


def update(task_id: uuid.UUID, changes: dict[str, Any], versions: set[int] | None = None) -> Task:
    """Change the given fields of a task and return it; a change that changes nothing keeps its version.

    `versions` are those the caller holds to be current, None for any. Raises NotFound, PreconditionFailed,
    ValidationFailed for a product that there is not, and Conflict for a status that cannot follow the present one.
    """
    with transaction() as session:
        _hold_product(changes.get("product_id"))
        task = _locked(task_id, versions)
        changed = {name: value for name, value in changes.items() if getattr(task, name) != value}
        if not changed:
            return task
        _check_transition(task.status, changed.get("status", task.status))
        before = _written(task)
        for name, value in changed.items():
            setattr(task, name, value)
        task.version += 1
        task.updated_at = func.clock_timestamp()
        session.flush()
        _forget(task)
        audit.record("update", "task", task_id, before, _written(task))
        return task


def delete(task_id: uuid.UUID, versions: set[int] | None = None) -> None:
    """Remove a task. Raises NotFound, and PreconditionFailed for a version that is not current."""
    with transaction() as session:
        task = _locked(task_id, versions)
        session.delete(task)
        session.flush()
        _forget(task)
        audit.record("delete", "task", task_id, before=_written(task))


def let_go_of_products() -> None:
    """To be called in a transaction that deletes products: the database takes them from their tasks.

    Which tasks those are nobody asks, so the cache forgets them all.
    """
    invalidate("tasks:*")


def _filtered(query: dict[str, Any]) -> Select[Any]:
    conditions: dict[str, Callable[[Any], ColumnElement[bool]]] = {
        "status": lambda value: Task.status == value,
        "product_id": lambda value: Task.product_id == value,
        "due_after": lambda value: Task.due_at >= value,
        "due_before": lambda value: Task.due_at < value,
    }
    return select(Task).where(*(condition(query[name]) for name, condition in conditions.items() if name in query))


def _found(task: Task | None) -> Task:
    if task is None:
        raise NotFound("There is no such task.")
    return task


def _locked(task_id: uuid.UUID, versions: set[int] | None) -> Task:
    """Return the task as it is now, locked until the transaction ends."""
    task = _found(db.session.get(Task, task_id, with_for_update=True, populate_existing=True))
    if versions is not None and task.version not in versions:
        raise PreconditionFailed(f"The task has changed since: its version is {task.version} now.")
    return task


def _hold_product(product_id: uuid.UUID | None) -> None:
    """See to it that a product stays until the commit; before the task is locked, as deleting a product does."""
    statement = text("SELECT id FROM products WHERE id = :id FOR KEY SHARE")
    if product_id is not None and db.session.scalar(statement, {"id": product_id}) is None:
        raise ValidationFailed([field_error("product_id", "There is no such product.", "not_found")])


def _check_transition(present: str, wanted: str) -> None:
    if wanted != present and wanted not in TRANSITIONS[present]:
        raise Conflict(
            f"A task that is {present} cannot become {wanted}.",
            errors=[field_error("status", f"{present} cannot become {wanted}.", "transition")],
        )


def _written(task: Task) -> dict[str, Any]:
    return _TASK.dump(task)  # type: ignore[no-any-return]


def _forget(task: Task) -> None:
    """Name everything cached that a change of this task makes wrong."""
    invalidate(f"tasks::{task.id}")
