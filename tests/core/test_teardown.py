"""The end of a request, after its response is made."""

import flask
from sqlalchemy import text

from catalog.extensions import db

PRODUCTS = "/api/v1/products"


def test_a_connection_that_postgresql_ends_after_the_work_costs_no_response(committed):
    """As a failover does: the response stands, and the next request has a connection that works."""
    client = committed.test_client()
    product = client.post(PRODUCTS, json={"name": "Lamp", "sku": "TEARDOWN-1"}).json["id"]
    ended = []

    def end_the_connection(response):
        if flask.request.path.endswith("/TEARDOWN-1") and not ended:
            pid = db.session.scalar(text("SELECT pg_backend_pid()"))
            with db.engine.connect() as other:
                ended.append(other.scalar(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid}))
        return response

    functions = committed.after_request_funcs.setdefault(None, [])
    functions.append(end_the_connection)
    try:
        answers = [client.get(f"{PRODUCTS}/by-sku/TEARDOWN-1") for _ in range(2)]
    finally:
        functions.remove(end_the_connection)
    assert ended == [True]
    assert [(answer.status_code, answer.json["id"]) for answer in answers] == [(200, product)] * 2
