"""An import in the words of the API: its progress, its result, and its refused rows as a file."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from catalog.formula_escaping import csv_line
from catalog.imports import sources
from catalog.imports.models import COUNTERS, Import, RejectedRow
from catalog.imports.reader import OURS

LINES_A_PIECE = 500  # of errors.csv
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


def error_file(imported: Import, rows: Iterable[tuple[int, str, str, list[str]]]) -> Iterator[str]:
    """Yield a CSV of rejected rows (line, field, message, cells) that can be corrected and imported again.

    Our three columns come first, so that a row with too few or too many cells stays what it was. What a spreadsheet
    would take for a formula is escaped, whether or not it was in the file.
    """
    header, filename = [*OURS, *imported.header], imported.filename  # read now: the session ends before the last row
    lines = (
        csv_line([str(line), field, error, *_plain(field, sources.row_values(filename, cells))])
        for line, field, error, cells in rows
    )
    return _joined(chain([csv_line(header)], lines))


def _plain(field: str, values: list[str]) -> list[str]:
    """Return the cells of a row; the one of a line that is no row without the line's end."""
    return [values[0].rstrip("\r\n")] if field == "row" and len(values) == 1 else values


def _joined(lines: Iterator[str]) -> Iterator[str]:
    while piece := "".join(islice(lines, LINES_A_PIECE)):
        yield piece
