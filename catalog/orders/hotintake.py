"""The hot path of intake: an order that is certainly valid and new is kept and answered before Flask sees the request.

Requests that come in at the same time go together: one transaction, one flush of the disk. Everything else goes on to
Flask, which does the whole of it again: what breaks a rule, an order that is there already, a database that is away.
The order's id makes it safe to try twice.
"""

import io
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from flask import Flask
from sqlalchemy import Connection

from catalog import gate, hotpath, metrics, replica
from catalog.access import Caller
from catalog.errors import CatalogError
from catalog.extensions import db
from catalog.fields import utc
from catalog.headers import Headers
from catalog.orders import bell, intake
from catalog.orders.certain import certain
from catalog.orders.content import Content, quoted
from catalog.orders.models import QUEUED
from catalog.orders.together import Together
from catalog.ratelimits import callers
from catalog.strictjson import JSON_MAX_BYTES, parse_json

log = logging.getLogger("catalog.request")

PATH = "/api/v1/orders"
RING_SECONDS = 0.02

# Planning the statement takes PostgreSQL as long as carrying it out.
_PREPARE = f"PREPARE take_in(text) AS {intake.INSERT % {'rows': '$1'}}"

Kept = tuple[str, datetime] | None  # the hash, and when it was kept; None where there is an order with this id


class HotIntake:
    """A WSGI layer around the application."""

    def __init__(self, app: Flask):
        self._app = app
        self._inner: hotpath.Wsgi = app.wsgi_app
        self._gate, self._scope = gate.of(app), gate.scope_of(app, "POST", PATH)
        self._together: Together[intake.Asked, Kept] = Together(self._keep)
        self._connection: Connection | None = None
        self._ringer = Ringer(app)
        self._shared, self._replica = hotpath.Shared(app), replica.of(app)

    def __call__(self, environ: hotpath.Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Keep and answer an order, or pass the request on."""
        if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"] != PATH or not _is_plain(environ):
            return self._inner(environ, start_response)
        caller = self._gate.known(environ, self._scope)
        if caller is None:
            return self._inner(environ, start_response)
        started = time.perf_counter()
        raw = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        order = _read(raw) if len(raw) == int(environ["CONTENT_LENGTH"]) else None
        request_id = hotpath.request_id(environ)
        shared = self._shared.headers("writes", caller, environ, request_id) if order else None
        asked = intake.Asked(order, _who(caller, request_id)) if order and shared is not None else None
        kept = self._together.submit(asked) if asked else None
        if order is None or shared is None or kept is None or isinstance(kept, Exception):
            return self._inner({**environ, "wsgi.input": io.BytesIO(raw)}, start_response)
        if self._replica:
            self._replica.marks.set(callers.counted_for(caller))
        return _answer(order, *kept, shared, started, start_response)

    def _keep(self, asked: Sequence[intake.Asked]) -> list[Kept]:
        """Insert orders, durably when it returns."""
        orders = [intake.Given.of(each) for each in asked]
        given = intake.firsts(orders)
        inserted = dict(self._insert(intake.rows(given)))
        self._ringer.ring()
        return [self._kept(order, given, inserted) for order in orders]

    @staticmethod
    def _kept(order: intake.Given, given: dict[int, intake.Given], inserted: dict[int, datetime]) -> Kept:
        order_id = order.content["id"]
        is_new = order_id in inserted and given[order_id].hash == order.hash
        return (order.hash, inserted[order_id]) if is_new else None

    def _insert(self, rows: str) -> list[tuple[int, datetime]]:
        """One statement is one transaction here, and one trip to PostgreSQL: the connection commits by itself."""
        try:
            driver: Any = self._connected().connection.dbapi_connection
            with driver.cursor() as cursor:
                cursor.execute("EXECUTE take_in(%s)", (rows,))
                return list(cursor.fetchall())
        except BaseException:
            self._disconnect()
            raise

    def _connected(self) -> Connection:
        """Return the connection of this process, which the thread of `Together` alone uses."""
        if self._connection is None:
            with self._app.app_context():
                connection = db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()
            connection.exec_driver_sql(_PREPARE)
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


class Ringer:
    """Rings for orders from a thread of its own, a few milliseconds after the first and once for all till then."""

    def __init__(self, app: Flask):
        self._app = app
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None

    def ring(self) -> None:
        """See to it that the bell rings soon; what a kill keeps from it, the sweep does."""
        if self._thread is None:  # not before the fork
            self._thread = threading.Thread(target=self._run, name="ringer", daemon=True)
            self._thread.start()
        if not self._wanted.is_set():
            self._wanted.set()

    def _run(self) -> None:
        with self._app.app_context():
            while self._wanted.wait():
                self._wanted.clear()
                bell.ring()
                time.sleep(RING_SECONDS)


def register(app: Flask) -> None:
    """Answer new orders before Flask does."""
    app.wsgi_app = HotIntake(app)  # type: ignore[method-assign]


def _is_plain(environ: hotpath.Environ) -> bool:
    length = environ.get("CONTENT_LENGTH", "")
    return (
        hotpath.is_plain(environ)
        and not environ.get("QUERY_STRING")  # Flask rejects it
        and environ.get("CONTENT_TYPE") == "application/json"
        and length.isascii()
        and length.isdecimal()
        and len(length) < 8
        and int(length) <= JSON_MAX_BYTES
        and not environ.get("QUERY_STRING")
        and "HTTP_TRANSFER_ENCODING" not in environ
        and "HTTP_IDEMPOTENCY_KEY" not in environ
    )


def _who(caller: Caller, request_id: str) -> dict[str, str | None]:
    """Return who submits, as `audit.service.who()` does where Flask answers."""
    return {"id": caller.id, "name": caller.name, "address": caller.address, "request_id": request_id}


def _read(raw: bytes) -> Content | None:
    try:
        return certain(parse_json(raw))
    except CatalogError:
        return None


def _answer(
    order: Content, own: str, created_at: datetime, shared: Headers, started: float, start_response: Any
) -> list[bytes]:
    body = _shown(order, own, created_at)
    start_response(
        "202 ACCEPTED",
        [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Location", f"{PATH}/{order['id']}"),
            *shared,
        ],
    )
    metrics.count_request("POST", PATH, 202, time.perf_counter() - started)
    log.debug("POST %s 202", PATH)  # the row says more than a line would
    return [body]


def _shown(order: Content, own: str, created_at: datetime) -> bytes:
    """Return the JSON that OrderSchema makes of an order that has just been kept; a test compares the two."""
    items = ",".join(
        f'{{"sku":{quoted(item["sku"])},"quantity":{item["quantity"]},"unit_price":{float(item["unit_price"])!r},'
        f'"line_total":null,"product":null}}'
        for item in order["items"]
    )
    return (
        f'{{"id":{order["id"]},"customer":{quoted(order["customer"])},"status":"{QUEUED}","items":[{items}],'
        f'"total":null,"hash":"{own}","submitted_at":"{utc(order["submitted_at"])}","created_at":"{utc(created_at)}",'
        '"processed_at":null,"error":null,"attempts":0,"next_attempt_at":null}\n'
    ).encode()
