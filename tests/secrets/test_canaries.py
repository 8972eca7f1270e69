"""Promise 19: secrets go through every flow of the running service, and none of them is found anywhere afterwards."""

import base64
import json
import zlib
from pathlib import Path

import psycopg2
import pytest
import redis

from tests.secrets import canaries
from tests.secrets.canaries import Canaries
from tests.secrets.flows import Flows
from tests.secrets.guarded import Guarded, running


@pytest.mark.processes
def test_no_secret_is_left_in_logs_tables_redis_answers_exports_metrics_or_files(tmp_path, echo, receiver):
    known = Canaries()
    with running(tmp_path, known) as service:
        flows = Flows(service, known, echo, receiver)
        flows.webhooks()
        flows.api_keys()
        flows.sign_ins()
        flows.refusals()
        flows.everything_else()
        flows.broken_requests()
        flows.broken_settings()
        flows.outages()
        flows.rotation()
        assert len(flows.answers) > 100
        places = [*flows.answers, *service.places()]
        assert known.found(places) == []
        _check_that_much_was_searched(places)
        _check_that_planted_ones_are_found(service, known)


def _check_that_much_was_searched(places: list[canaries.Place]) -> None:
    searched = "\n".join(name for name, _ in places)
    for wanted in (
        *("table webhooks", "table webhook_attempts", "table products", "table orders", "table imports"),
        *("redis-queue b'rq:job:", "redis-cache b'catalog:", "file web.log", "file worker.log", "file webhooks.log"),
        *(
            "file clock.log",
            "file worker-imports.log",
            "file logs/postgres.log",
            "file postgres/base/",
            "file metrics/",
        ),
        *("file redis-queue/", "answer 200 to GET /metrics", "answer 503"),
        *("answer 200 to GET /api/v1/products/export", "output of keys rotate-encryption", "output of worker default"),
        *("table users", "table sessions", "table audit_parts.rest", "answer 401 to POST /console/sign-in"),
    ):
        assert wanted in searched, wanted
    logged = b"".join(content for name, content in places if name.endswith(".log"))
    for said in (b"WRONGPASS", b"The database did not answer", b"Invalid", b"Traceback"):
        assert said in logged, said


def _check_that_planted_ones_are_found(service: Guarded, known: Canaries) -> None:
    """The very search that found nothing finds one of each kind, put there afterwards."""
    secret = known.text("planted").encode()
    with (service.folder / "web.log").open("ab") as log:
        log.write(b'{"message": "' + secret + b'"}\n')
    (service.folder / "uploads" / "planted").write_bytes(base64.b64encode(b"x" + secret))
    connection = psycopg2.connect(service.environment["DATABASE_URL"].replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute("UPDATE webhooks SET secret = %s", (secret,))
    connection.close()
    planted = (service.servers.queue, "rq:job:planted"), (service.servers.cache, "catalog:planted")
    for server, key in planted:
        with redis.Redis(unix_socket_path=str(server.socket), password=service.passwords[server.name]) as client:
            client.hset(key, "data", zlib.compress(json.dumps([secret.decode()]).encode()))
    found = {place.partition(":")[0] for place in known.found(service.places())}
    assert {"file web.log", "file uploads/planted", "table webhooks"} <= found
    assert {"redis-queue b'rq", "redis-cache b'catalog"} <= found


@pytest.mark.parametrize(
    "hide",
    [
        lambda secret: secret,
        lambda secret: b"x" * 100_000 + secret,
        lambda secret: secret.hex().encode(),
        lambda secret: base64.b64encode(secret),
        lambda secret: base64.b64encode(b"a" + secret),
        lambda secret: base64.urlsafe_b64encode(b"ab" + secret),
        zlib.compress,
        lambda secret: base64.b64encode(zlib.compress(secret)),
    ],
    ids=["plain", "deep", "hex", "base64", "shifted", "shifted twice", "compressed", "compressed in base64"],
)
def test_the_search_knows_a_secret_in_whatever_form_it_turns_up(hide):
    known = Canaries()
    secrets = [known.text("one").encode(), known.word.encode(), base64.urlsafe_b64decode(known.key())]
    assert all(known.found([("here", hide(secret))]) for secret in secrets)
    assert known.found([("here", hide(Canaries().text("another").encode()))]) == []


def test_a_secret_that_another_made_up_is_looked_for_once_it_is_named(tmp_path: Path):
    known = Canaries()
    (tmp_path / "a").write_text("x made-up-secret y")
    assert known.found(canaries.files(tmp_path)) == []
    known.add("made-up-secret")
    assert len(known.found(canaries.files(tmp_path))) == 1
