"""GraphQL over tasks."""

from typing import Self

import strawberry
from strawberry import ID, UNSET

from catalog.graph import Done, Time, given, identity, loaded, needs, wanted
from catalog.tasks import models, schemas, service

_QUERY, _NEW, _CHANGES = schemas.TaskQuerySchema(), schemas.TaskCreateSchema(), schemas.TaskChangeSchema()
_LISTED = {"limit": "first", "offset": "skip", "cursor": "after"}
_SCOPE = needs("tasks")
_AS_THEY_ARE = ("title", "description", "status", "version", "due_at", "created_at", "updated_at")


@strawberry.type
class Task:
    """Something to be done, perhaps about a product."""

    id: ID
    title: str
    description: str | None
    status: str = strawberry.field(description="PENDING, IN_PROGRESS, COMPLETED or CANCELLED.")
    product_id: ID | None = strawberry.field(description="The UUID of the product that it is about.")
    due_at: Time | None
    version: int = strawberry.field(description="Counts its changes.")
    created_at: Time
    updated_at: Time

    @classmethod
    def of(cls, row: models.Task) -> Self:
        """Return a row of the table as it is shown."""
        same = {name: getattr(row, name) for name in _AS_THEY_ARE}
        return cls(id=ID(str(row.id)), product_id=ID(str(row.product_id)) if row.product_id else None, **same)


@strawberry.type
class TaskPage:
    """A page of tasks, the newest first."""

    items: list[Task]
    total: int
    has_more: bool
    next_cursor: ID | None


@strawberry.type
class TaskPayload:
    """The task as it is after a change."""

    task: Task


@strawberry.type
class Query:
    """What can be asked about tasks."""

    @strawberry.field(metadata=_SCOPE)
    def tasks(
        self,
        first: int | None = 20,
        skip: int | None = 0,
        after: ID | None = UNSET,
        status: str | None = UNSET,
        product_id: ID | None = UNSET,
        due_after: Time | None = UNSET,
        due_before: Time | None = UNSET,
    ) -> TaskPage:
        """Tasks, the newest first: by status, product, and when they are due (`dueBefore` itself excluded)."""
        filters = wanted(status=status, product_id=product_id, cursor=after, limit=first, offset=skip or None)
        page = service.page(loaded(_QUERY, filters | _moments(due_after=due_after, due_before=due_before), _LISTED))
        cursor = ID(str(page["next_cursor"])) if page["next_cursor"] else None
        items = [Task.of(row) for row in page["items"]]
        return TaskPage(items=items, total=page["total"], has_more=page["has_more"], next_cursor=cursor)

    @strawberry.field(metadata=_SCOPE)
    def task(self, task_id: ID) -> Task | None:
        """Return the task with this id."""
        return Task.of(service.get(identity(task_id)))


@strawberry.type
class Mutation:
    """What can be done to tasks."""

    @strawberry.mutation(metadata=_SCOPE)
    def create_task(
        self,
        title: str,
        description: str | None = UNSET,
        product_id: ID | None = UNSET,
        due_at: Time | None = UNSET,
    ) -> TaskPayload:
        """Create a task, which is PENDING."""
        fields = given(title=title, description=description, product_id=product_id) | _moments(due_at=due_at)
        return TaskPayload(task=Task.of(service.create(loaded(_NEW, fields))))

    @strawberry.mutation(metadata=_SCOPE)
    def update_task(
        self,
        task_id: ID,
        title: str | None = UNSET,
        description: str | None = UNSET,
        status: str | None = UNSET,
        product_id: ID | None = UNSET,
        due_at: Time | None = UNSET,
        version: int | None = UNSET,
    ) -> TaskPayload:
        """Change the given fields of a task; with `version`, only if it is still that one."""
        fields = given(title=title, description=description, status=status, product_id=product_id)
        changes = loaded(_CHANGES, fields | _moments(due_at=due_at))
        versions = set(wanted(version=version).values()) or None
        return TaskPayload(task=Task.of(service.update(identity(task_id), changes, versions)))

    @strawberry.mutation(metadata=_SCOPE)
    def delete_task(self, task_id: ID) -> Done:
        """Delete a task."""
        service.delete(identity(task_id))
        return Done(success=True, message=f"Task {task_id} deleted")


def _moments(**arguments: Time | None) -> dict[str, str | None]:
    """Return times as text, as the schemas read them."""
    return {name: value.isoformat() if value else None for name, value in given(**arguments).items()}
