"""The sending process: one thread keeps libcurl busy, another leases deliveries and records what came of them.

Neither waits for the other, so hundreds of requests are under way while their predecessors are written down. The
database thread sleeps until PostgreSQL notifies it, results come in, or a second has passed: what was not rung for
is found then. Redis plays no part.
"""

import logging
import select
import signal
import threading
import time
from collections import deque
from typing import Any

import psycopg2
from flask import Flask
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from catalog.extensions import db
from catalog.webhooks import leases, outbox, receivers
from catalog.webhooks.attempts import Attempt, entry
from catalog.webhooks.bell import Bell
from catalog.webhooks.leases import Leased, Message
from catalog.webhooks.receivers import Receiver
from catalog.webhooks.sender import Sender
from catalog.webhooks.shares import MOST, SHARE, Shares
from catalog.webhooks.transfer import Post

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
LINGER_SECONDS = 0.004  # under load: a few milliseconds more make for fewer, larger statements
GRACE_SECONDS = 2.0  # at the end, for the requests that are under way


def run(app: Flask, until_idle: bool = False) -> None:
    """Send what is due until SIGTERM or SIGINT, or with `until_idle` until nothing is due any more."""
    with app.app_context():
        dispatcher = Dispatcher(app, receivers.new_sender(), until_idle)
    if threading.current_thread() is threading.main_thread() and not until_idle:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: dispatcher.stop())
    dispatcher.run()


class Dispatcher:
    """Moves deliveries from the database through the sender and back.

    `_ready` and `_results` are the two hand-overs between the threads; `_taken` are all deliveries that this
    process holds, and belongs to the database thread.
    """

    def __init__(self, app: Flask, sender: Sender, until_idle: bool = False):
        self._app = app
        self._sender = sender
        self._until_idle = until_idle
        self._ready: deque[Post] = deque()
        self._results: deque[dict[str, Any]] = deque()
        self._taken: dict[str, Leased] = {}
        self._shares = Shares()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._bell = Bell()

    def stop(self) -> None:
        """Lease nothing more, give what is under way a moment, and let `run()` return."""
        self._stopping.set()
        self._bell.ring()

    def run(self) -> None:
        """Send until told to stop, or until idle."""
        ledger = threading.Thread(target=self._keep_the_ledger, name="ledger", daemon=True)
        ledger.start()
        while not self._ended.is_set():
            while self._ready:
                self._sender.start(self._ready.popleft())
            results = self._sender.turn(POLL_SECONDS)
            if results:
                self._results.extend(map(entry, results))
                self._bell.ring()
        ledger.join(GRACE_SECONDS)
        self._sender.close()
        self._bell.close()

    def _keep_the_ledger(self) -> None:
        """Lease and record; a database that is away is waited for, and results are kept until it is back."""
        with self._app.app_context():
            while not self._ended.is_set():
                try:
                    with db.engine.connect() as connection:
                        connection.detach()  # it listens and holds a lock, which is not for the pool
                        self._serve(connection)
                except (SQLAlchemyError, psycopg2.Error) as error:
                    log.warning("Webhooks wait for the database: %s", error)
                    self._stopping.wait(POLL_SECONDS)
                    self._end_if(self._stopping.is_set())
                except Exception:
                    log.exception("The webhook sender failed, and goes on")
                    self._stopping.wait(POLL_SECONDS)

    def _serve(self, connection: Connection) -> None:
        with connection.begin():
            outbox.enlist(connection)
        while not self._stopping.is_set():
            moved = self._record(connection) + self._lease(connection)
            if not moved:
                self._end_if(self._until_idle and not self._taken)
                if self._ended.is_set():
                    return
                self._wait(connection, POLL_SECONDS)
            elif len(self._taken) > SHARE:
                time.sleep(LINGER_SECONDS)
        self._finish(connection)
        self._end_if(True)

    def _end_if(self, over: bool) -> None:
        if over:
            self._ended.set()
            self._sender.wake()

    def _lease(self, connection: Connection) -> int:
        """Take what is due and hand it to the sender."""
        if len(self._taken) >= MOST:
            return 0
        with connection.begin():
            waiting = {one.webhook_id: one for one in leases.waiting(connection)}
            rooms = self._shares.rooms(list(waiting.values()))
            leased = leases.lease(connection, rooms) if rooms else []
            if not leased:
                return 0
            found = leases.messages(connection, list({one.event_id for one in leased}))
            known = receivers.receivers(connection, list({one.webhook_id for one in leased}))
        for one in leased:
            self._taken[one.delivery_id] = one
            self._shares.take(one.delivery_id, waiting[one.webhook_id])
            self._hand_over(one, found.get(one.event_id), known.get(one.webhook_id))
        self._sender.wake()
        return len(leased)

    def _hand_over(self, one: Leased, message: Message | None, receiver: Receiver | None) -> None:
        if message is None or receiver is None:
            self._let_go(one.delivery_id)  # deleted in this moment; the pruning sweep removes the rest
            return
        attempt = Attempt(one, message, receiver)
        if receiver.problem:
            self._results.append(entry(attempt.problem()))
        else:
            self._ready.append(attempt.post())

    def _record(self, connection: Connection) -> int:
        """Write down what came in; what cannot be written stays, and is tried again."""
        batch = list(self._results)
        if not batch:
            return 0
        with connection.begin():
            leases.record(connection, batch)
        for recorded in batch:
            self._results.popleft()
            self._let_go(recorded["delivery_id"], recorded["status_code"] is not None)
        return len(batch)

    def _let_go(self, delivery_id: str, answered: bool | None = None) -> None:
        self._taken.pop(delivery_id, None)
        self._shares.release(delivery_id, answered)

    def _wait(self, connection: Connection, seconds: float) -> None:
        driver: Any = connection.connection.dbapi_connection
        if not self._results and not driver.notifies:
            select.select([driver, self._bell], [], [], seconds)
        self._bell.hear()
        driver.poll()
        driver.notifies.clear()

    def _finish(self, connection: Connection) -> None:
        """Give the requests under way a moment, record them, and give back the leases of the others."""
        end = time.monotonic() + GRACE_SECONDS
        while self._taken and time.monotonic() < end:
            if not self._record(connection):
                self._wait(connection, 0.05)
        with connection.begin():
            leases.release(connection, list(self._taken.values()))
