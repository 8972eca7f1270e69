"""`export FILE`: the running service's products into a file, streamed; nothing half-written is left under its name."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

FORMATS = ("csv", "jsonl")


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--format", "form", type=click.Choice(FORMATS), help="What FILE's name ends in, if not given; else csv.")
@click.option("--search", help="Words in SKU, name, description and category.")
@click.option("--sku", help="Part of the SKU.")
@click.option("--name", help="Part of the name.")
@click.option("--category", help="The category.")
@click.option("--active/--inactive", default=None, help="Only those that are active, or that are not.")
@click.option("--min-price", help="Price from.")
@click.option("--max-price", help="Price to.")
@click.option("--sort", help="Such as name or -price.")
@click.option("--url", help="The service, such as http://127.0.0.1:5000; this project's if not given.")
def export_file(file: Path, form: str | None, url: str | None, **filters: Any) -> None:
    """Export the running service's products to FILE (.csv or .jsonl), or - for the screen; `import` reads it back."""
    from catalog.commands.client import Service
    from catalog.commands.imports import own_url

    query = {name: value for name, value in filters.items() if value is not None}
    if query.get("active") is not None:
        query["active"] = str(query["active"]).lower()
    query["format"] = form or ("jsonl" if file.suffix.lower() == ".jsonl" else "csv")
    with _written(file) as sink:
        size = Service(url or own_url()).export(query, sink)
    if str(file) != "-":
        click.echo(f"{size:,} bytes written to {file}.")


@contextmanager
def _written(file: Path) -> Iterator[IO[bytes]]:
    """Yield what to write to: standard output for -, else a file beside FILE that takes its place at the end."""
    if str(file) == "-":
        yield sys.stdout.buffer
        return
    part = file.with_name(file.name + ".part")
    try:
        with part.open("wb") as sink:
            yield sink
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
