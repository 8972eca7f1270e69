"""Jobs that stand for a row: the row knows how far they are, RQ only rang for it."""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.access import caller, demand
from catalog.errors import NotFound
from catalog.imports import service as imports
from catalog.products import service as products

RAW = {"pending": "PENDING", "running": "PROGRESS", "completed": "SUCCESS"}  # all others are FAILURE


@dataclass(frozen=True)
class Progress:
    """How far it is: `state` in our words, `status` in the raw ones, `percent` 0 to 100."""

    state: str
    status: str
    percent: int
    message: str
    error: str | None


@dataclass(frozen=True)
class Kind:
    """A feature whose jobs take the id of a row as their first argument."""

    name: str
    function: str
    queue: str
    scope: str  # needed in addition to `jobs`
    progress: Callable[[Collection[uuid.UUID]], dict[uuid.UUID, Progress]]
    result: Callable[[uuid.UUID], Any]
    cancel: Callable[[uuid.UUID], object]
    retry: Callable[[uuid.UUID], object] | None = None  # None: run RQ's job again
    own: Callable[[Collection[uuid.UUID]], set[uuid.UUID]] = set  # the rows that a caller with the scope may see

    def visible(self, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Return those of these rows that the caller may see."""
        return self.own(ids) if caller().may(self.scope) else set()


@dataclass(frozen=True)
class Row:
    """One row of a kind, and how far it is."""

    kind: Kind
    id: uuid.UUID
    progress: Progress
    is_visible: bool

    def demand(self) -> None:
        """Raise Forbidden for a caller without the scope of the row, NotFound for a row of another caller."""
        demand([self.kind.scope])
        if not self.is_visible:
            raise NotFound("There is no such job.")


def of(calls: Iterable[tuple[str, Sequence[Any]]]) -> dict[tuple[str, str], Row]:
    """Return the rows that these calls (function, arguments) stand for, by function and id; one query for each kind."""
    ids: dict[str, set[uuid.UUID]] = {kind.function: set() for kind in KINDS}
    for function, arguments in calls:
        if function in ids and arguments and (row_id := parse(str(arguments[0]))):
            ids[function].add(row_id)
    return {
        (kind.function, str(row.id)): row
        for kind in KINDS
        if ids[kind.function]
        for row in _rows(kind, ids[kind.function])
    }


def _rows(kind: Kind, ids: Collection[uuid.UUID]) -> Iterator[Row]:
    visible = kind.visible(ids)
    for row_id, progress in kind.progress(ids).items():
        yield Row(kind, row_id, progress, row_id in visible)


def find(row_id: str) -> Row | None:
    """Return the import, the bulk deletion or the queued write with this id, or None."""
    parsed = parse(row_id)
    calls = [(kind.function, [str(parsed)]) for kind in KINDS] if parsed else []
    return next(iter(of(calls).values()), None)


def parse(text: str) -> uuid.UUID | None:
    """Return the UUID that a text is, or None."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _imports(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Progress]:
    words = {"Processing": "running"}
    return {
        row_id: Progress(words.get(at.state, at.state.lower()), at.status, at.percent, at.message, at.error)
        for row_id, at in imports.statuses(ids).items()
    }


def _deletions(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Progress]:
    return {
        row_id: Progress(at.state, RAW.get(at.state, "FAILURE"), at.percent, at.message, at.error)
        for row_id, at in products.deletion_statuses(ids).items()
    }


_WRITE_STATES = {"queued": "pending", "done": "completed", "failed": "failed"}


def _writes(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Progress]:
    found = {}
    for row_id, write in products.write_statuses(ids).items():
        state = _WRITE_STATES[write.state]
        percent = 100 if state == "completed" else 0
        message = f"{write.kind.capitalize()} product {write.product_id}"
        found[row_id] = Progress(state, RAW.get(state, "FAILURE"), percent, message, write.error)
    return found


def _write_result(row_id: uuid.UUID) -> dict[str, Any]:
    write = products.write_statuses([row_id])[row_id]
    return {"product_id": str(write.product_id), "code": write.code, "errors": write.errors or []}


def _deletion_result(row_id: uuid.UUID) -> dict[str, int]:
    return {"deleted_count": products.deletion_statuses([row_id])[row_id].deleted}


KINDS = (
    Kind(
        "import",
        imports.JOB,
        "imports",
        "imports",
        _imports,
        lambda row_id: imports.result(row_id)["result"],
        imports.cancel,
        own=imports.visible,
    ),
    Kind(
        "bulk_deletion",
        products.DELETION_JOB,
        "default",
        "products:write",
        _deletions,
        _deletion_result,
        products.cancel_deletion,
    ),
    Kind(
        "product_write",
        products.WRITES_JOB,
        "default",
        "products:write",
        _writes,
        _write_result,
        products.cancel_write,
        products.retry_write,
    ),
)
