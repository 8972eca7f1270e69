"""`import FILE`: uploads to the running service over HTTP and shows the import's progress until its end."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from catalog.terminal import visible

POLL_SECONDS = 0.25
REJECTED_SHOWN = 10
ENDED = ("Completed", "Failed", "Cancelled")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--mode", type=click.Choice(["upsert", "create_only", "update_only"]), help="What to do with a known SKU."
)
@click.option("--on-error", type=click.Choice(["skip", "abort"]), help="What to do with a row that is wrong.")
@click.option("--empty", type=click.Choice(["keep", "clear"]), help="What an empty cell does to a known product.")
@click.option("--delimiter", help="Between columns; found out if not given.")
@click.option("--encoding", help="Of a file that is not UTF-8.")
@click.option("--sheet", help="Of an .xlsx file; its first if not given.")
@click.option("--mapping", help='Columns to fields, as JSON: {"Preis": ["price", "parse_number:de"]}.')
@click.option("--mapping-name", help="A mapping that is kept in the service, by its name.")
@click.option("--strict", is_flag=True, help="Exit with status 1 if any row was rejected.")
@click.option("--url", help="The service, such as http://127.0.0.1:5000; this project's if not given.")
def import_file(file: Path, strict: bool, url: str | None, **options: str | None) -> None:
    """Import products from FILE (.csv, .tsv, .jsonl, also as .gz, or .xlsx) into the running service."""
    from catalog.commands.client import Service

    given = {name: value for name, value in options.items() if value}
    status = run(Service(url or own_url()), file, given)
    sys.exit(1 if status["state"] != "Completed" or (strict and status["errors"]) else 0)


def run(service: Any, file: Path, options: dict[str, str], console: Any = None) -> dict[str, Any]:
    """Upload a file, show the import's progress and its outcome, and return its last status."""
    with _progress(console) as progress:
        task = _upload(service, file, options, progress)
        status = _follow(service, task, progress)
    _report(service, task, status)
    return status


def own_url() -> str:
    """Return the address of this project's service."""
    from catalog.stack.project import Project

    return Project().url


def _progress(console: Any) -> Any:
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description:<10}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.fields[pace]:>16}"),
        progress.TimeRemainingColumn(),
        console=console,
    )


def _upload(service: Any, file: Path, options: dict[str, str], progress: Any) -> str:
    size = file.stat().st_size
    bar = progress.add_task("Uploading", total=size or 1, pace="")
    task = service.upload(file, options, lambda sent: progress.update(bar, completed=min(sent, size)))
    progress.update(bar, completed=size or 1)
    return str(task)


def _follow(service: Any, task: str, progress: Any) -> dict[str, Any]:
    """Poll until the import has ended; return its last status."""
    bar = progress.add_task("Importing", total=100, pace="")
    began = time.monotonic()
    while True:
        status: dict[str, Any] = service.status(task)
        pace = status["current"] / max(time.monotonic() - began, 0.001)
        progress.update(bar, completed=status["progress_percent"], pace=f"{pace:,.0f} rows/s" if pace else "")
        if status["state"] in ENDED:
            return status
        time.sleep(POLL_SECONDS)


def _report(service: Any, task: str, status: dict[str, Any]) -> None:
    """Print the counts, then the first rejected rows and where the others are."""
    if status["state"] != "Completed":
        click.echo(visible(f"{status['state']}: {status.get('error') or status.get('message') or ''}"), err=True)
    details = service.details(task)
    for name in ("created", "updated", "unchanged", "superseded", "rejected"):
        if details.get(name) is not None:
            click.echo(f"  {name:<11}{details[name]:>12,}")
    rejected = service.rejected(task)
    for row in rejected[:REJECTED_SHOWN]:
        click.echo(visible(f"  line {row['row']}: {row['error']}"))
    if rejected:
        click.echo(f"All rejected rows: {service.url}/api/v1/imports/{task}/errors.csv")
