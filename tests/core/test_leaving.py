"""A web server that is told to end: it says so, answers what reached it, and refuses the rest in time."""

import http.client
import json
import os
import signal
import socket
import threading
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from sqlalchemy import text

from catalog.extensions import db
from catalog.web import leaving
from tests.processes import wait_for, web_server

pytestmark = pytest.mark.processes

PRODUCTS = "/api/v1/products"
JSON = {"Content-Type": "application/json"}
CLIENTS = 6
IN_PRODUCTION = {"CATALOG_ENV": "production", "SECRET_KEY": "s" * 40, "ENCRYPTION_KEYS": "A" * 43 + "="}


class OneByOne(threading.Thread):
    """Creates products, each over a connection of its own, until it is refused one."""

    def __init__(self, url: str, number: int):
        super().__init__(daemon=True)
        self.target, self.number = urlsplit(url), number
        self.made: list[str] = []
        self.dropped: list[str] = []

    def run(self) -> None:
        while not self.dropped:
            connection = http.client.HTTPConnection(self.target.hostname, self.target.port, timeout=20)
            with closing(connection):
                try:
                    connection.connect()
                except ConnectionRefusedError:
                    return
                self._create(connection, f"ONE-{self.number}-{len(self.made)}")

    def _create(self, connection: http.client.HTTPConnection, sku: str) -> None:
        try:
            connection.request("POST", PRODUCTS, json.dumps({"name": "x", "sku": sku}), JSON)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.dropped.append(f"{sku}: {error!r}")
            return
        (self.made if answer.status == 201 else self.dropped).append(sku)


def test_every_connection_that_is_made_is_answered_and_then_none_is_made(committed, environment):
    with web_server({**environment, "LOG_LEVEL": "WARNING"}, workers=2) as (url, master):
        clients = [OneByOne(url, number) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        wait_for(lambda: all(len(client.made) > 5 for client in clients))
        master.terminate()
        for client in clients:
            client.join(60)
    assert [client.dropped for client in clients] == [[]] * CLIENTS
    with committed.app_context():
        kept = db.session.scalar(text("SELECT count(*) FROM products WHERE sku LIKE 'ONE-%'"))
    assert kept == sum(len(client.made) for client in clients)


def test_requests_that_wait_to_be_accepted_when_the_end_comes_are_answered(environment):
    """The processes stand still meanwhile, as on a machine that is busy, so that the kernel holds all connections."""
    settings = {**environment, **IN_PRODUCTION, "WEB_DRAIN_SECONDS": "0"}
    with web_server(settings, workers=2) as (url, master), ExitStack() as stack:
        processes = [psutil.Process(pid) for pid in workers_of(master)]
        for process in processes:
            process.suspend()
        waiting = [stack.enter_context(socket.create_connection(urlsplit(url).netloc.split(":"))) for _ in range(20)]
        for each in waiting:
            each.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        master.terminate()
        wait_for(lambda: not psutil.Process(master.pid).net_connections("tcp"))
        for process in processes:
            process.resume()
        answers = [each.recv(100) for each in waiting]
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers), answers


def test_while_it_drains_it_is_not_ready_and_answers_and_keeps_no_connection(environment):
    settings = {**environment, "WEB_DRAIN_SECONDS": "60"}
    with web_server(settings, workers=2) as (url, master), requests.Session() as session:
        assert session.get(f"{url}/health/ready", timeout=20).json()["status"] == "ok"
        master.terminate()
        wait_for(lambda: session.get(f"{url}/health/ready", timeout=20).status_code == 503)
        answer = session.get(f"{url}/health/ready", timeout=20)
        assert answer.json()["status"] == "draining"
        assert int(answer.headers["Retry-After"]) > 0
        listed = session.get(f"{url}{PRODUCTS}", timeout=20)
        assert (listed.status_code, listed.headers["Connection"]) == (200, "close")
        assert session.get(f"{url}/health/live", timeout=20).status_code == 200
        os.killpg(master.pid, signal.SIGKILL)  # sooner than it would end


def test_processes_that_are_let_go_or_replaced_take_nobody_with_them(environment):
    with web_server(environment, workers=2) as (url, master):
        for number in (signal.SIGTTOU, signal.SIGHUP):
            before = workers_of(master)
            master.send_signal(number)
            wait_for(lambda before=before: before - workers_of(master))
            for _ in range(20):
                assert requests.get(f"{url}/health/ready", timeout=20).json()["status"] == "ok", number


def workers_of(master) -> set[int]:
    return {each.pid for each in psutil.Process(master.pid).children()}


def test_a_listener_turns_new_connections_away_and_keeps_those_that_wait_for_it():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as early, socket.socket() as late:
        early.connect(listener.getsockname())
        leaving.turn_away([listener])
        late.settimeout(0.2)
        with pytest.raises(TimeoutError):
            late.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            early.sendall(b"hello")
            assert accepted.recv(5) == b"hello"
        address = listener.getsockname()
        listener.close()
        with socket.socket() as refused, pytest.raises(ConnectionRefusedError):
            refused.connect(address)
