"""The process that takes orders from the Redis list, in batches, until told to stop.

Kept first, then removed from Redis: a kill between the two makes another consumer submit the same content again, which
is the same order.
"""

import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Sequence

import marshmallow as ma
import redis
from flask import Flask
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from catalog import redisurl
from catalog.errors import CatalogError, flatten
from catalog.extensions import db
from catalog.orders import service
from catalog.orders.content import Content
from catalog.orders.redislist import Dead, RedisList
from catalog.orders.schemas import OrderSubmitSchema
from catalog.strictjson import parse_json

log = logging.getLogger(__name__)

BATCH = 200
WAIT_SECONDS = 0.5
BEAT_SECONDS = 1.0
PAUSE_SECONDS = 1.0  # after PostgreSQL or Redis did not answer

_AWAY = (redis.RedisError, OperationalError, PoolTimeout)  # a server does not answer: retry, no element is dead

_schema = OrderSubmitSchema()


def of(app: Flask) -> RedisList:
    """Return the list that the settings name; ORDER_QUEUE_REDIS_URL must be set."""
    url, retry = app.config["ORDER_QUEUE_REDIS_URL"], redisurl.at_once()
    patient = redisurl.client(url, socket_timeout=5.0, socket_connect_timeout=1.0, retry=retry)
    return RedisList(patient, app.config["ORDER_QUEUE_LIST"])


def run(app: Flask) -> None:
    """Consume until SIGTERM or SIGINT, whether PostgreSQL and Redis are there or not."""
    consumer = Consumer(app, of(app))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: consumer.stop())
    consumer.run()


class Consumer:
    """One consumer, named for its machine and process, and never again."""

    def __init__(self, app: Flask, queue: RedisList):
        self._app, self._queue = app, queue
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._stopping = threading.Event()
        self._recovery_due = 0.0

    def stop(self) -> None:
        """Finish the batch at hand, and end."""
        self._stopping.set()

    def run(self) -> None:
        """Take and keep until told to stop."""
        beat = threading.Thread(target=self._beat, name="beat", daemon=True)
        beat.start()
        with self._app.app_context():
            while not self._stopping.is_set():
                self._turn()
        beat.join()
        self._give_back()

    def _turn(self) -> None:
        try:
            self._recover_if_due()
            elements = self._queue.take(self.name, BATCH)
            if elements:
                self._keep(elements)
            else:
                self._queue.wait(WAIT_SECONDS)
        except _AWAY as error:
            log.warning("Orders wait in their list: %s", error)
            self._pause()
        except Exception:
            log.exception("Could not consume orders, retrying")
            self._pause()
        finally:
            db.session.remove()

    def _pause(self) -> None:
        self._give_back()
        self._stopping.wait(PAUSE_SECONDS)

    def _keep(self, elements: Sequence[bytes]) -> None:
        """Keep what can be an order; note why the others cannot."""
        reasons = _submit(elements)
        for reason in filter(None, reasons):
            log.warning("An order in the list is dead: %s", reason)
        dead = [Dead.now(element, why) if why else None for element, why in zip(elements, reasons, strict=True)]
        self._queue.done(self.name, list(zip(elements, dead, strict=True)))

    def _recover_if_due(self) -> None:
        if time.monotonic() < self._recovery_due:
            return
        self._recovery_due = time.monotonic() + BEAT_SECONDS
        if recovered := self._queue.recover():
            log.warning("%s orders that a consumer had taken who is gone are back in the list", recovered)

    def _beat(self) -> None:
        while not self._stopping.wait(BEAT_SECONDS):
            try:
                self._queue.announce(self.name)
            except redis.RedisError:
                log.debug("No beat", exc_info=True)  # the turn at hand warns

    def _give_back(self) -> None:
        """Return claimed orders that were not stored to the list."""
        try:
            self._queue.retire(self.name)
        except redis.RedisError as error:
            log.warning("What was taken is left to the other consumers: %s", error)


def _submit(elements: Sequence[bytes]) -> list[str | None]:
    """Store the orders; return for each element the reason why it is dead, or None.

    After an error each element is stored alone, so that only those that cause one are dead.
    """
    try:
        read = [read_order(element) for element in elements]
        outcomes = iter(service.submit_many([order for order in read if isinstance(order, dict)]))
        return [each if isinstance(each, str) else _in_words(next(outcomes)) for each in read]
    except _AWAY:
        raise
    except Exception as error:
        log.exception("Could not store orders of the list: count=%s", len(elements))
        db.session.remove()
        return [_in_words(error)] if len(elements) == 1 else [_submit([element])[0] for element in elements]


def read_order(element: bytes) -> Content | str:
    """Return the content of an order in the list, or why it is none. No content makes this fail."""
    try:
        return _schema.load(parse_json(element))  # type: ignore[no-any-return]
    except CatalogError as error:
        return error.detail
    except ma.ValidationError as error:
        return "; ".join(f"{each['field']}: {each['message']}" for each in flatten(error.messages))
    except Exception as error:
        log.exception("Could not read an order of the list")
        return str(_in_words(error))


def _in_words(outcome: object) -> str | None:
    """Return why there is no order of it, or None where there is one."""
    if isinstance(outcome, CatalogError):
        named = "; ".join(f"{each['field']}: {each['message']}" for each in outcome.errors)
        return f"{outcome.detail} {named}".strip()
    return f"{type(outcome).__name__}: {outcome}" if isinstance(outcome, Exception) else None
