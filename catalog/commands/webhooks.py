"""`flask webhooks …`, and `manage.py webhooks …`, which is the same on this project's own servers."""

import json
import time
import uuid
from datetime import datetime
from typing import Any

import click

from catalog.commands.calls import loaded, told
from catalog.terminal import print_table, visible

WEBHOOK = click.argument("webhook", type=click.UUID)


@click.group("webhooks")
def webhooks() -> None:
    """Webhooks: list, test, tail, replay, receive."""


@webhooks.command("list")
def list_webhooks() -> None:
    """List the webhooks with their counts."""
    from catalog.webhooks import service

    rows = []
    for hook in service.page(limit=1_000, offset=0)["items"]:
        counts = (f"{hook.success_count:,}", f"{hook.failure_count:,}", hook.last_error or "")
        rows.append((hook.id, hook.url, " ".join(hook.events), "yes" if hook.is_active else "no", *counts))
    print_table(("id", "url", "events", "active", "delivered", "failed", "last error"), rows)


@webhooks.command("test")
@WEBHOOK
@click.option("--event", default="product.created", help="The event to send.")
@click.option("--payload", default="{}", help="Its data, as JSON.")
def test(webhook: uuid.UUID, event: str, payload: str) -> None:
    """Send a test to WEBHOOK at once; exit with status 1 if it fails."""
    from catalog.webhooks import schemas, service

    asked = loaded(schemas.TestSchema(), {"event": event, "payload": _json(payload)})
    result = told(service.test, webhook, asked["event"], asked["payload"])
    click.echo(
        f"{result.status_code or 'no answer'} in {result.milliseconds} ms {visible(result.error or 'delivered')}"
    )
    click.get_current_context().exit(1 if result.error else 0)


@webhooks.command("tail")
@WEBHOOK
@click.option("--follow/--no-follow", "-f", default=False, help="Go on with new attempts.")
def tail(webhook: uuid.UUID, follow: bool) -> None:
    """Print the last attempts to WEBHOOK, the newest last."""
    from catalog.webhooks import history

    seen: uuid.UUID | None = None
    while True:
        items = told(history.logs, webhook, {"limit": 20})["items"]
        for item in reversed([item for item in items if seen is None or item.id > seen]):
            click.echo(visible(_line(item)))
        seen = items[0].id if items else seen
        if not follow:
            return
        _forget()
        time.sleep(1)


@webhooks.command("replay")
@WEBHOOK
@click.option("--since", type=click.DateTime(), help="From then on, UTC.")
@click.option("--until", type=click.DateTime(), help="Up to then, UTC.")
@click.option("--status", type=click.Choice(["delivered", "failed"]), help="Only deliveries that ended so.")
@click.option("--event", help="Only this event.")
def replay(webhook: uuid.UUID, **filters: Any) -> None:
    """Send past events to WEBHOOK again, in the background."""
    from catalog.webhooks import history_schemas
    from catalog.webhooks import replay as replays

    given = {name: _text(value) for name, value in filters.items() if value is not None}
    asked = told(replays.request, webhook, loaded(history_schemas.ReplaySchema(), given))
    click.echo(f"Replay {asked.id} submitted")


@webhooks.command("receive")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 in a container.")
@click.option("--port", default=8080, show_default=True, help="Port to listen at.")
@click.option("--secret", help="Verify signatures with it.")
@click.option("--status", default=200, show_default=True, help="Answer with this status.")
@click.option("--delay", default=0.0, help="Seconds before the answer.")
@click.option("--drip", is_flag=True, help="Answer a byte at a time, for ever.")
@click.option("--flap", default=0, help="Fail the first so many tries of each delivery.")
def receive(host: str, port: int, **behaviour: Any) -> None:
    """Receive deliveries, verify and print them; misbehave as told. Subscribe http://127.0.0.1:PORT/."""
    from rich.console import Console

    from catalog.webhooks.receiver import Behaviour, serve

    console = Console()
    console.print(f"Receiving at http://{host}:{port}/ (Ctrl-C ends it)")
    try:
        serve(port, Behaviour(**behaviour), lambda report: console.print(_shown(report), highlight=False), host)
    except KeyboardInterrupt:
        console.print("Bye.")
    except OSError as error:
        raise click.ClickException(f"Cannot listen on port {port}: {error.strerror}") from error


def _shown(report: dict[str, Any]) -> Any:
    from rich.text import Text

    good = report["problem"] is None and report["status"] < 300
    verdict = report["problem"] or ("signed" if report["signed"] else "not signed")
    head = visible(f"{report['status']} {report['event']} {report['id']} {verdict}")
    return Text(f"{head}\n", style="green" if good else "red") + Text(json.dumps(report["data"], indent=2), style="dim")


def _line(item: Any) -> str:
    outcome = item.error or "delivered"
    return (
        f"{item.created_at:%Y-%m-%d %H:%M:%S} {item.event} try {item.attempt}: {outcome} ({item.response_time_ms} ms)"
    )


def _json(written: str) -> Any:
    try:
        return json.loads(written)
    except ValueError as error:
        raise click.UsageError(f"--payload is no JSON: {error}") from error


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _forget() -> None:
    from catalog.extensions import db

    db.session.rollback()


@click.command("webhooks", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def verb(arguments: tuple[str, ...]) -> None:
    """Webhooks: `webhooks list`, `test`, `tail`, `replay`, and `receive`, a receiver for trying things out."""
    from catalog.commands.data import run_flask

    if arguments[:1] == ("receive",):  # needs no database
        webhooks.main(list(arguments), prog_name="manage.py webhooks")
    raise SystemExit(run_flask(["webhooks", *arguments]))
