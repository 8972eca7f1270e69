"""What came by the Redis list and could not become an order, for those who look after it."""

from typing import Any

import redis
from flask import Flask, current_app

from catalog.errors import Conflict, Unavailable
from catalog.orders import consumer

SHOWN = 100


def listing() -> dict[str, Any]:
    """Return {"on", "total", "items"}: whether there is a list at all, and its first hundred dead. Raises Unavailable.

    An item is {"at", "reason", "order"}, the order as text.
    """
    app = _app()
    if not app.config["ORDER_QUEUE_REDIS_URL"]:
        return {"on": False, "total": 0, "items": []}
    try:
        queue = consumer.of(app)
        total, dead = queue.number_dead(), queue.dead(SHOWN)
    except redis.RedisError as error:
        raise Unavailable("The Redis of the order list does not answer just now.") from error
    items = [
        {"at": one.at, "reason": one.reason, "order": one.order.decode(errors="backslashreplace")[:2_000]}
        for one in dead
    ]
    return {"on": True, "total": total, "items": items}


def requeue() -> int:
    """Put all of the dead at the end of the list again; return how many. Raises Conflict, Unavailable."""
    app = _app()
    if not app.config["ORDER_QUEUE_REDIS_URL"]:
        raise Conflict("ORDER_QUEUE_REDIS_URL is not set, so there is no list.")
    try:
        return consumer.of(app).requeue()
    except redis.RedisError as error:
        raise Unavailable("The Redis of the order list does not answer just now.") from error


def _app() -> Flask:
    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]
