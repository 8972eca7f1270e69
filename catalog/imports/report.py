"""An import in the words of the API: its progress, its result, and its refused rows as a file."""

import csv
import io
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from catalog.imports.models import COUNTERS, Import, RejectedRow
from catalog.imports.reader import OURS

STATES = {
    "pending": "Pending",
    "running": "Processing",
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
RAW_STATES = {
    "pending": "PENDING",
    "running": "PROGRESS",
    "completed": "SUCCESS",
    "failed": "FAILURE",
    "cancelled": "FAILURE",
}


@dataclass(frozen=True)
class Progress:
    """How far an import is: `current` of `total` rows have found their end; `percent` counts the reading too."""

    task_id: uuid.UUID
    state: str
    status: str
    percent: int
    current: int
    total: int
    created: int
    updated: int
    errors: int
    message: str
    error: str | None


def progress(import_id: uuid.UUID, values: dict[str, Any], error: str | None = None) -> Progress:
    """Return the progress that the row's `values` (progress.COLUMNS) say."""
    state = values["state"]
    current = sum(values[counter] for counter in COUNTERS)
    total = max(values["total_rows"], current)
    return Progress(
        task_id=import_id,
        state=STATES[state],
        status="STARTED" if state == "running" and not total else RAW_STATES[state],
        percent=values["percent"],
        current=current,
        total=total,
        created=values["created"],
        updated=values["updated"],
        errors=values["rejected"],
        message=message(values, current, total),
        error="Cancelled" if state == "cancelled" else error,
    )


def message(values: dict[str, Any], current: int, total: int) -> str:
    """Return one sentence for people."""
    applied = f"{values['created']:,} created, {values['updated']:,} updated, {values['unchanged']:,} unchanged"
    also = f"{values['superseded']:,} superseded, {values['rejected']:,} rejected"
    return {
        "pending": "Waiting for a worker",
        "running": f"{current:,} of {total:,} rows done"
        if values["staged_rows"] is not None
        else f"Reading and checking {total:,} rows",
        "completed": f"{applied}, {also}",
        "failed": f"Failed: {applied}, {also}",
        "cancelled": f"Cancelled after {current:,} of {total:,} rows: {applied}, {also}",
    }[values["state"]]


def result(imported: Import, rejected: Iterable[RejectedRow]) -> dict[str, Any]:
    """Return the answer on the result of an import; `result` is null until it has ended."""
    answer: dict[str, Any] = {"status": RAW_STATES[imported.state], "task_id": imported.id, "result": None}
    if imported.ended:
        values = {name: getattr(imported, name) for name in ("state", "staged_rows", *COUNTERS)}
        answer["result"] = {
            "status": imported.state,
            "message": message(values, imported.processed_rows, imported.total_rows),
            "total_rows": imported.total_rows,
            "processed_rows": imported.processed_rows,
            **{counter: values[counter] for counter in COUNTERS if counter != "rejected"},
            "errors": imported.rejected,
            "error": imported.error,
            "error_details": [detail(imported.header, row) for row in rejected],
            "superseded_details": imported.superseded_details,
            "ignored_columns": imported.ignored_columns,
        }
    return answer


def detail(header: list[str], row: RejectedRow) -> dict[str, Any]:
    """Return a refused row as {row, field, code, error, data}; `data` by column, or the raw text as `_raw`."""
    if row.code in ("quoting", "json"):
        data: dict[str, Any] = {"_raw": row.data[0]}
    else:
        data = dict(zip(header, row.data, strict=False))
        if extra := row.data[len(header) :]:
            data["_extra"] = extra
    return {"row": row.line, "field": row.field, "code": row.code, "error": f"{row.field}: {row.message}", "data": data}


def error_file(header: list[str], rows: Iterable[tuple[int, str, str, list[str]]]) -> Iterator[str]:
    """Yield a CSV of refused rows (line, field, message, cells) that can be mended and imported again.

    Our three columns come first, so that a row with too few or too many cells stays what it was.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([*OURS, *header])
    for number, (line, field, error, cells) in enumerate(rows, 1):
        writer.writerow([line, field, error, *(cell.rstrip("\r\n") if field == "row" else cell for cell in cells)])
        if number % 500 == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
