"""Prints a report's tables, and writes the report as JSON and Markdown."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.kit.figures import Bar
from catalog import config

RESULTS = config.ROOT / "bench" / "results"
CALM_LOAD = 0.7  # processes at work before the first run


@dataclass
class Table:
    """A heading, the columns' names (the first is text, the others are figures) and the rows."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def as_markdown(self) -> str:
        """Return the table in GitHub's Markdown."""
        marks = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = [f"| {' | '.join(cells)} |" for cells in (self.columns, marks, *self.rows)]
        return "\n".join([f"## {self.heading}", "", *lines])

    def show(self) -> None:
        """Print the table, its columns aligned."""
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        print(f"\n{self.heading}")
        for cells in (self.columns, *self.rows):
            figures = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
            print("  " + "  ".join([cells[0].ljust(widths[0]), *figures]))


@dataclass
class Report:
    """`NAME.json` holds `facts` and the bars, `NAME.md` the tables and the notes; both name the `machine`."""

    name: str
    title: str
    machine: dict[str, Any]
    facts: dict[str, Any]
    tables: list[Table]
    bars: list[Bar]
    notes: list[str] = field(default_factory=list)

    def publish(self, folder: Path) -> None:
        """Print everything and write both files into `folder`."""
        tables = [*self.tables, Table("Bars", ["figure", "measured", "bar", ""], [bar.row() for bar in self.bars])]
        if self.machine["load"] > CALM_LOAD:
            self.notes.append(f"The machine was busy before the first run (load {self.machine['load']}): run it again.")
        for table in tables:
            table.show()
        print("\n" + "\n".join(self.notes))
        folder.mkdir(parents=True, exist_ok=True)
        bars = [bar.as_dict() for bar in self.bars]
        content = {"name": self.name, "machine": self.machine, **self.facts, "bars": bars}
        (folder / f"{self.name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        (folder / f"{self.name}.md").write_text(self._markdown(tables))
        print(f"\nWritten: {folder / self.name}.json and .md")

    def _markdown(self, tables: list[Table]) -> str:
        about = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        notes = "\n".join(f"- {note}" for note in self.notes)
        parts = [f"# {self.title}", about, *(table.as_markdown() for table in tables), notes]
        return "\n\n".join(parts) + "\n"


def describe_machine() -> dict[str, Any]:
    """Return what the figures depend on; to be called before the first run, while the machine is still idle."""
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        said = subprocess.run(command, cwd=config.ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return said.stdout.strip() or "unknown"
