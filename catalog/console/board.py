"""Tasks as a board: what each column shows, and where a task may go from there."""

from typing import Any

from catalog.tasks import service as tasks

SHOWN = 50  # of each column
TITLES = {
    "PENDING": "To be done",
    "IN_PROGRESS": "Being done",
    "COMPLETED": "Done",
    "CANCELLED": "Cancelled",
}


def columns() -> list[dict[str, Any]]:
    """Return the columns: {"status", "title", "tasks", "total", "next"}, the newest tasks first."""
    return [
        {
            "status": status,
            "title": title,
            "next": {one: TITLES[one] for one in next_statuses(status)},
            **_column(status),
        }
        for status, title in TITLES.items()
    ]


def next_statuses(status: str) -> list[str]:
    """Return the statuses that can follow one, in the order of the board."""
    return [one for one in TITLES if one in tasks.TRANSITIONS[status]]


def _column(status: str) -> dict[str, Any]:
    found = tasks.page({"status": status, "limit": SHOWN})
    return {"tasks": found["items"], "total": found["total"]}
