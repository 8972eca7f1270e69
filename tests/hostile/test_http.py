"""JSON and HTTP that are wrong, against the running service: what each is answered, what it costs, what is left."""

import base64
import contextlib
import json
import socket
import threading
import time
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from tests.hostile.conftest import PRODUCTS, Service, problem, said
from tests.processes import wait_for

pytestmark = pytest.mark.processes

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MOST = 1_000_000


def with_name(value: bytes) -> bytes:
    return b'{"name": ' + value + b"}"


def with_price(value: bytes) -> bytes:
    return b'{"name": "x", "price": ' + value + b"}"


BODIES: dict[str, tuple[bytes, str, int, str, str]] = {
    "100,000 deep": (b"[" * 100_000, JSON, 400, "bad_request", "nested deeper than 32 levels"),
    "100,000 objects deep": (b'{"a":' * 100_000, JSON, 400, "bad_request", "nested deeper than 32 levels"),
    "33 deep": (with_name(b"[" * 32 + b"]" * 32), JSON, 400, "bad_request", "nested deeper than 32 levels"),
    "32 deep": (with_name(b"[" * 31 + b"]" * 31), JSON, 400, "validation_error", "name:"),
    "more than a megabyte": (with_name(b'"' + b"x" * MOST + b'"'), JSON, 413, "too_large", "1,000,000 bytes"),
    "NaN": (with_price(b"NaN"), JSON, 400, "bad_request", "NaN is not a JSON number"),
    "Infinity": (with_price(b"-Infinity"), JSON, 400, "bad_request", "-Infinity is not a JSON number"),
    "1e400": (with_price(b"1e400"), JSON, 400, "validation_error", "price:"),
    "a doubled key": (b'{"name": "x", "name": "y"}', JSON, 400, "bad_request", "the key 'name' occurs twice"),
    "a doubled key within": (b'{"rating": {"rate": 1, "rate": 2}}', JSON, 400, "bad_request", "'rate' occurs twice"),
    "an integer of 5,000 digits": (with_price(b"9" * 5_000), JSON, 400, "bad_request", "not valid JSON"),
    "a lone surrogate": (with_name(b'"\\ud800"'), JSON, 400, "bad_request", "UTF-8"),
    "a surrogate as bytes": (with_name(b'"\xed\xa0\x80"'), JSON, 400, "bad_request", "UTF-8"),
    "NUL in a text": (with_name(b'"a\\u0000b"'), JSON, 400, "validation_error", "name:"),
    "bytes that are no text": (with_name(b'"\xff"'), JSON, 400, "bad_request", "UTF-8"),
    "half an object": (b'{"name": "x"', JSON, 400, "bad_request", "not valid JSON"),
    "nothing": (b"", JSON, 400, "bad_request", "not valid JSON"),
    "a list": (b"[]", JSON, 400, "validation_error", "body:"),
    "a form called JSON": (b"name=x", JSON, 400, "bad_request", "not valid JSON"),
    "JSON called a form": (b'{"name": "x"}', FORM, 415, "unsupported_media_type", "JSON"),
    "JSON called text": (b'{"name": "x"}', "text/plain", 415, "unsupported_media_type", "application/json"),
    "JSON called nothing": (b'{"name": "x"}', "", 415, "unsupported_media_type", "application/json"),
    "a million small lists": (b"[" + b"[]," * 330_000 + b"[]]", JSON, 400, "validation_error", "body:"),
}  # fmt: skip

PATHS = (PRODUCTS, "/api/v1/tasks", "/api/v1/webhooks", "/api/v1/orders", "/products", "/graphql")


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_body_is_answered_so_and_nothing_is_written(service, name):
    body, content_type, status, code, reason = BODIES[name]
    before = service.total()
    answer = service.post(PRODUCTS, data=body, headers={"Content-Type": content_type} if content_type else {})
    told = problem(answer)
    assert (answer.status_code, told["code"]) == (status, code), answer.text
    assert reason.lower() in said(told).lower()
    assert service.total() == before


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ["100,000 deep", "more than a megabyte", "a doubled key", "NaN", "JSON called text"])
def test_it_is_the_same_wherever_json_is_taken(service, path, name):
    body, content_type, status, code, _ = BODIES[name]
    answer = service.post(path, data=body, headers={"Content-Type": content_type})
    assert (answer.status_code, problem(answer)["code"]) == (status, code)


def forged(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


QUERIES = {
    "limit=-1": "limit",
    "limit=0": "limit",
    "limit=101": "limit",
    "limit=1e2": "limit",
    f"offset={10**30}": "offset",
    "offset=-1": "offset",
    "cursor=x": "cursor",
    f"sort=number&cursor={forged('number', 'x', 'y')}": "cursor",
    f"sort=price&cursor={forged('price', 'NaN', '0' * 32)}": "cursor",
    f"cursor={forged('number', '1', '0' * 32)}": "cursor",
    "search=%00": "search",
    "nonsense=1": "nonsense",
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_hostile_query_names_the_parameter(service, query):
    answer = service.get(f"{PRODUCTS}?{query}")
    assert answer.status_code == 400
    assert [error["field"] for error in problem(answer)["errors"]] == [QUERIES[query]]


@pytest.mark.parametrize(
    "path", ["/api/v1/tasks", "/api/v1/webhooks", "/api/v1/orders", "/api/v1/imports", "/api/v1/jobs"]
)
@pytest.mark.parametrize("query", ["limit=-1", f"offset={10**30}", "limit=1000000"])
def test_every_list_bounds_its_limit_and_its_offset(service, path, query):
    answer = service.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in said(problem(answer))


def aliases(count: int, field: str = "product(productId: 1) {id}") -> str:
    return "{" + "".join(f"a{number}: {field}" for number in range(count)) + "}"


WIDE = "id uuid sku title price category image active version createdAt updatedAt"
GRAPHQL = {
    "an alias bomb": (aliases(50), "too_many_aliases"),
    "a larger alias bomb": (aliases(500), "too_many_tokens"),
    "a fragment cycle": ("{...A} fragment A on Query {...B} fragment B on Query {...A}", "graphql_invalid"),
    "a query 9 deep": ("{a" * 9 + "}" * 9, "too_deep"),
    "a query 6,000 deep": ("{a" * 6_000 + "}" * 6_000, "too_deep"),
    "too much of everything": (aliases(10, f"allProducts(first: 100) {{{WIDE}}}"), "too_expensive"),
}


@pytest.mark.parametrize("name", GRAPHQL)
def test_a_hostile_graphql_document_is_not_run(service, web, name):
    document, code = GRAPHQL[name]
    work = worked(web)
    answer = service.post("/graphql", json={"query": document})
    assert worked(web) - work < 1
    assert answer.json()["errors"][0]["extensions"]["code"] == code
    assert "data" not in answer.json()


def test_a_batch_of_graphql_operations_is_refused(service):
    answer = service.post("/graphql", json=[{"query": "{ __typename }"}] * 10)
    assert (answer.status_code, problem(answer)["code"]) == (400, "validation_error")


def exchange(service: Service, *parts: bytes, half_close: bool = False) -> tuple[int, dict]:
    """Send bytes as they are; return the status and the problem that come back, 0 where there is no answer."""
    target = urlsplit(service.url)
    with socket.create_connection((target.hostname, target.port), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    return (int(head.split(b" ", 2)[1]), json.loads(body)) if received else (0, {})


def head(**headers: object) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    fixed = [f"POST {PRODUCTS} HTTP/1.1", "Host: localhost", "Connection: close", f"Content-Type: {JSON}"]
    return "\r\n".join([*fixed, *lines]).encode() + b"\r\n\r\n"


LENGTHS = {
    "longer than the body": ([head(Content_Length=500), b'{"name": "cut off"}'], {0, 400}),
    "shorter than the body": ([head(Content_Length=4), b'{"name": "longer"}'], {400}),
    "negative": ([head(Content_Length=-1), b"{}"], {400}),
    "no number": ([head(Content_Length="x"), b"{}"], {400}),
    "beyond all bounds": ([head(Content_Length=10**30), b"{}"], {400, 413}),
    "more than a megabyte, of which little comes": ([head(Content_Length=10**7), b'{"name": "x"}'], {413}),
    "together with chunks": ([head(Content_Length=2, Transfer_Encoding="chunked"), b"2\r\n{}\r\n0\r\n\r\n"], {400}),
    "chunks without end": ([head(Transfer_Encoding="chunked"), b"ffff\r\n{"], {0, 400}),
    "chunks that are none": ([head(Transfer_Encoding="chunked"), b"zz\r\n{}"], {400}),
    "an encoding that is unknown": ([head(Transfer_Encoding="gzip"), b"{}"], {400, 501}),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_a_lying_length_writes_nothing(service, name):
    parts, statuses = LENGTHS[name]
    before = service.total()
    status, told = exchange(service, *parts, half_close=True)
    assert status in statuses, told
    assert not status or told["status"] == status
    assert service.total() == before


def test_a_slow_upload_is_cut_off_and_leaves_nothing(service):
    sent = (
        f"POST {PRODUCTS}/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        "Content-Length: 5000000\r\n\r\n--b\r\n"
    ).encode()
    began = time.monotonic()
    status, told = exchange(service, sent)
    assert (status, told["code"]) == (408, "request_timeout")
    assert 9 < time.monotonic() - began < 20  # the service's own ten seconds, as no other test waits for them


def test_a_client_that_leaves_before_the_answer_finds_the_write_made_and_no_harm_done(service):
    target = urlsplit(service.url)
    body = b'{"name": "gone", "sku": "GONE"}'
    with socket.create_connection((target.hostname, target.port), timeout=5) as connection:
        connection.sendall(head(Content_Length=len(body)) + body)
    wait_for(lambda: service.get(f"{PRODUCTS}/by-sku/gone").ok, 10)
    assert service.get("/health/ready").ok


def test_a_stale_if_match_is_412_and_changes_nothing(service):
    made = service.post(PRODUCTS, json={"name": "Old"})
    path, tag = made.headers["Location"], made.headers["ETag"]
    assert service.request("PUT", path, json={"name": "New"}, headers={"If-Match": tag}).status_code == 200
    stale = service.request("PUT", path, json={"name": "Lost"}, headers={"If-Match": tag})
    assert (stale.status_code, problem(stale)["code"]) == (412, "precondition_failed")
    assert service.get(path).json()["name"] == "New"


FAST, TIMES = 0.05, 20
REFUSALS = {
    "too deep": b'{"a":' * 199_999,
    "too deep, a list": b"[" * 999_999,
    "oversized": b'{"name": "' + b"x" * 8_000_000 + b'"}',
    "the last of 20,000 keys twice": b"{" + b'"%d": 1,' * 20_000 % tuple(range(20_000)) + b'"19999": 2}',
}


@pytest.fixture
def web(service) -> list[psutil.Process]:
    """The processes that answer."""
    port = urlsplit(service.url).port
    found = [each.pid for each in psutil.net_connections("tcp") if each.laddr and each.laddr.port == port]
    return [psutil.Process(pid) for pid in {pid for pid in found if pid and pid != psutil.Process().pid}]


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_quick_and_takes_no_memory(service, web, name):
    """Quick by the server's own work: what else the machine does makes any time on the wall."""
    for _ in range(3):
        refuse(service, REFUSALS[name])
    work, memory = worked(web), held(web)
    seconds = [refuse(service, REFUSALS[name]) for _ in range(TIMES)]
    each, grown = (worked(web) - work) / TIMES, held(web) - memory
    print(f"{name}: {each * 1000:.1f} ms of work, {min(seconds) * 1000:.1f} ms at best, {grown / 1e6:+.1f} MB")
    assert each < FAST
    assert grown < 10_000_000


def worked(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def held(processes: list[psutil.Process]) -> int:
    return sum(process.memory_info().rss for process in processes)


def refuse(service: Service, body: bytes) -> float:
    """Return the seconds from the first byte that is sent to the whole answer."""
    target = urlsplit(service.url)
    with socket.create_connection((target.hostname, target.port), timeout=30) as connection:
        began = time.monotonic()
        threading.Thread(target=send, args=(connection, head(Content_Length=len(body)) + body), daemon=True).start()
        answer = connection.recv(65_536)
        seconds = time.monotonic() - began
    assert answer.split(b" ", 2)[1] in (b"400", b"413")
    return seconds


def send(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # the answer may come before all of it is taken
        connection.sendall(data)


def test_many_hostile_bodies_at_once_leave_the_memory_as_it_was(service, web):
    refuse(service, REFUSALS["too deep"])
    before = held(web)
    threads = [threading.Thread(target=refuse, args=(service, body)) for body in REFUSALS.values() for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: held(web) - before < 60_000_000, 5)
    assert requests.get(service.url + "/health/live", timeout=5).ok
