"""`demo`: starts everything if need be, walks through it, and leaves it up."""

import time
from typing import Any

import click


@click.command()
@click.option("--fast", is_flag=True, help="A tenth of the rows.")
@click.option("--url", help="A running service, in place of this project's own.")
@click.option("--receiver", default="127.0.0.1", show_default=True, help="This machine, as the service names it.")
@click.option("--shown", help="The address of that service for a browser, if another.")
def demo(fast: bool, url: str | None, shown: str | None, receiver: str) -> None:
    """Walk through everything with real requests and answers, then show the figures; the service stays up."""
    from rich.console import Console

    from catalog.demo.shown import Walk

    console = Console(highlight=False)
    walk = Walk(url or _started(console), console)
    began = time.monotonic()
    _walk(walk, fast, receiver)
    _sum_up(walk, shown or walk.url, time.monotonic() - began)


def _started(console: Any) -> str:
    """Start this project's service, unless it runs; return its address."""
    from catalog.stack import control
    from catalog.stack.project import Project

    project = Project()
    if not control.is_running(project):
        console.print("Starting …")
        console.print(f"Ready after {control.start(project):.1f} s.")
    return project.url


def _walk(walk: Any, fast: bool, receiver: str) -> None:
    from catalog.demo import steps

    bind = "127.0.0.1" if receiver == "127.0.0.1" else "0.0.0.0"  # noqa: S104  # nosec B104
    steps.health(walk)
    path = steps.product(walk)
    steps.imports(walk, fast)
    steps.webhooks(walk, path, receiver, bind)
    steps.graphql(walk)
    steps.order(walk, path)
    steps.job(walk)


def _sum_up(walk: Any, url: str, seconds: float) -> None:
    from rich.table import Table

    walk.title(f"All of that in {seconds:.1f} s")
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in walk.figures:
        table.add_row(name, value)
    walk.console.print(table)
    walk.say("\nIt stays up:")
    for name, path in (("Products", "/api/v1/products"), ("Docs", "/api/docs"), ("GraphiQL", "/graphql")):
        walk.say(f"  {name:<9} {url}{path}")
