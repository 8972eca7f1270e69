"""`flask orders …`, and `manage.py orders …`, which is the same on this project's own servers."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import click

from catalog.terminal import visible

SENDERS = 8
PUSHED_AT_ONCE = 500


@click.group("orders")
def orders() -> None:
    """Orders: seed, consume, dead, requeue."""


@orders.command("consume")
def consume() -> None:
    """Take orders from the Redis list until told to stop."""
    from catalog.orders import consumer

    _list()
    consumer.run(_app())


@orders.command("dead")
@click.option("--limit", default=100, show_default=True, help="The first so many.")
def show_dead(limit: int) -> None:
    """List the orders in the Redis list that could not be taken in: when, why, and as they were."""
    dead = _list().dead()
    for each in dead[:limit]:
        order = each.order.decode(errors="backslashreplace")[:1_000]
        click.echo(f"{visible(each.at)}  {visible(each.reason)}\n    {visible(order)}")
    click.echo(f"{len(dead):,} dead")


@orders.command("requeue")
def requeue() -> None:
    """Put the dead back into the Redis list, to be tried again."""
    click.echo(f"{_list().requeue():,} requeued")


@orders.command("seed")
@click.option("--mode", type=click.Choice(["api", "redis"]), default="api", show_default=True, help="Where they go.")
@click.option("--count", default=100, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--seed", type=int, help="The same seed makes the same orders; a new one if not given.")
@click.option("--url", help="The service, such as http://127.0.0.1:5000; this one's if not given.")
def seed(mode: str, count: int, seed: int | None, url: str | None) -> None:
    """Submit realistic orders, of the SKUs that the catalog has."""
    import secrets

    from catalog.orders import seeds

    if _app().config["CATALOG_ENV"] == "production":
        raise click.ClickException("Made-up orders are for development; this is CATALOG_ENV=production.")
    chosen = secrets.randbelow(2**31) if seed is None else seed
    made = (_app().json.dumps(order) for order in seeds.orders(count, chosen, _skus()))
    send = _to_the_list if mode == "redis" else _to_the_api(url or "http://{HOST}:{PORT}".format(**_app().config))
    refused = [reason for reason in _with_progress(send(made), count) if reason]
    click.echo(f"{count - len(refused):,} orders submitted (--seed {chosen})")
    for reason in refused[:10]:
        click.echo(f"  refused: {visible(reason)}", err=True)
    click.get_current_context().exit(1 if refused else 0)


def _to_the_list(made: Iterable[str]) -> Iterator[None]:
    target = _list()
    made = iter(made)
    while batch := list(islice(made, PUSHED_AT_ONCE)):
        target.push(batch)
        yield from (None for _ in batch)


def _to_the_api(url: str) -> Callable[[Iterable[str]], Iterator[str | None]]:
    """Return what posts orders, several at a time, and yields for each why it was refused, or None."""
    import requests

    session = requests.Session()
    session.trust_env = False
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=SENDERS))

    def post(order: str) -> str | None:
        try:
            headers = {"Content-Type": "application/json"}
            answer = session.post(f"{url.rstrip('/')}/api/v1/orders", order.encode(), headers=headers, timeout=30)
        except requests.RequestException as error:
            return f"{url} does not answer: {error}"
        return None if answer.ok else answer.text

    def send(made: Iterable[str]) -> Iterator[str | None]:
        with ThreadPoolExecutor(SENDERS) as threads:
            yield from threads.map(post, made)

    return send


def _with_progress(steps: Iterable[Any], count: int) -> Iterator[Any]:
    from rich import progress

    columns = (*progress.Progress.get_default_columns(), progress.MofNCompleteColumn())
    with progress.Progress(*columns) as shown:
        yield from shown.track(steps, total=count, description="Submitting")


def _skus() -> list[str]:
    """Return SKUs of the catalog; FakeStore's, where it has none."""
    from catalog.database import transaction
    from catalog.products import service as products

    with transaction():
        page = products.search({"limit": 1_000, "sort": "number"})
    return [product.sku for product in page.items]


def _list() -> Any:
    from catalog.orders import consumer

    if not _app().config["ORDER_QUEUE_REDIS_URL"]:
        raise click.UsageError("ORDER_QUEUE_REDIS_URL is not set, so there is no list.")
    return consumer.of(_app())


def _app() -> Any:
    from flask import current_app

    return current_app._get_current_object()  # type: ignore[attr-defined]


@click.command("orders", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def verb(arguments: tuple[str, ...]) -> None:
    """Orders: `orders seed`, `consume`, `dead` and `requeue`."""
    from catalog.commands.data import run_flask

    raise SystemExit(run_flask(["orders", *arguments]))
