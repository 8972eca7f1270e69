"""GraphQL over imports. A file is uploaded over REST; here it is watched and cancelled."""

from typing import Self

import strawberry
from strawberry import ID

from catalog.graph import Json, Time, identity, loaded, needs, wanted
from catalog.imports import answers, models, service

_PAGE = answers.HistoryQuerySchema()
_LISTED = {"limit": "first", "offset": "skip"}
_SCOPE = needs("imports")
_AS_THEY_ARE = (
    *("filename", "state", "error", "percent", "total_rows", "processed_rows", "created", "updated"),
    *("unchanged", "superseded", "rejected", "encoding", "header", "ignored_columns", "cancel_requested"),
    *("created_at", "started_at", "finished_at"),
)


@strawberry.type
class Import:
    """The import of one file; its counts add up to the rows processed."""

    id: ID
    filename: str
    size: float = strawberry.field(description="Bytes of the file.")
    options: Json
    encoding: str | None
    header: list[str]
    ignored_columns: list[str]
    state: str = strawberry.field(description="pending, running, completed, failed or cancelled.")
    error: str | None
    percent: int
    total_rows: int
    processed_rows: int
    created: int
    updated: int
    unchanged: int
    superseded: int
    rejected: int
    cancel_requested: bool
    created_at: Time
    started_at: Time | None
    finished_at: Time | None

    @classmethod
    def of(cls, row: models.Import) -> Self:
        """Return a row of the table as it is shown."""
        same = {name: getattr(row, name) for name in _AS_THEY_ARE}
        return cls(id=ID(str(row.id)), size=float(row.size), options=Json(row.options), **same)


@strawberry.type
class ImportPage:
    """A page of imports, the latest first."""

    items: list[Import]
    total: int
    has_more: bool


@strawberry.type
class ImportPayload:
    """The import as it is after a change."""

    import_: Import = strawberry.field(name="import")


@strawberry.type
class Query:
    """What can be asked about imports."""

    @strawberry.field(metadata=_SCOPE)
    def imports(self, first: int | None = 20, skip: int | None = 0) -> ImportPage:
        """List imports, newest first."""
        page = service.history(**loaded(_PAGE, wanted(limit=first, offset=skip), _LISTED))
        items = [Import.of(row) for row in page["items"]]
        return ImportPage(items=items, total=page["total"], has_more=page["has_more"])

    @strawberry.field(name="import", metadata=_SCOPE)
    def import_(self, import_id: ID) -> Import | None:
        """Everything about an import; its `id` is the `task_id` that the upload answered."""
        return Import.of(service.get(identity(import_id)))


@strawberry.type
class Mutation:
    """What can be done to imports."""

    @strawberry.mutation(metadata=_SCOPE)
    def cancel_import(self, import_id: ID) -> ImportPayload:
        """Cancel an import: a waiting one at once, a running one after the chunk at hand."""
        return ImportPayload(import_=Import.of(service.cancel(identity(import_id))))
