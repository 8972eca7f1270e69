"""`demo` on a copy of the project, as a newcomer runs it."""

import re

import pytest

pytestmark = pytest.mark.processes


def test_the_demo_starts_everything_shows_each_part_and_leaves_it_up(copy):
    walked = copy.run("demo", "--fast")

    assert walked.returncode == 0, walked.stdout
    for part in (
        '"status": "ok"',
        "X-Cache: MISS",
        "X-Cache: HIT",
        "line 22: name: ",
        "line 88: price: ",
        "steady   product.updated  signature verified, answered 200",
        "failing  product.updated  signature verified, answered 503",
        "failing  product.updated  signature verified, answered 200",
        '"status": "processed"',
        '"state": "stopped"',
        "All of that in",
    ):
        assert part in walked.stdout, walked.stdout
    assert re.search(r"import of 5,000 rows +\S+ s, \S+ rows/s", walked.stdout)
    assert "\x1b[" not in walked.stdout  # no terminal, no colour
    assert copy.get("/health/ready") == 200
    assert copy.get("/api/v1/webhooks") == 200


def test_a_demo_of_a_service_that_is_not_there_says_so(copy):
    failed = copy.run("demo", "--url", "http://127.0.0.1:9")

    assert failed.returncode == 1
    assert "GET http://127.0.0.1:9/health/ready failed" in failed.stdout
    assert "Traceback" not in failed.stdout
