"""What is done later for someone is a write of theirs, too: whoever reads that it is done, then finds it in a list."""

import io
import uuid

import pytest

from catalog.extensions import db
from catalog.imports import service as imports
from catalog.products import applying, bulk_delete
from tests.processes import wait_for
from tests.replica.conftest import forget_marks
from tests.replica.test_reads import add, lag, names

pytestmark = pytest.mark.processes

QUEUE = 'mutation { createProduct(title: "Lamp", price: 1) { success } }'


@pytest.fixture
def done(replicated):
    """Do what the service would do in the background, long after it was asked for."""

    def do(work, *arguments):
        forget_marks(replicated)
        with replicated.app_context():
            work(*arguments)
            db.session.remove()

    return do


def test_a_queued_write(writer, reader, standby, done):
    writer.post("/graphql", json={"query": QUEUE})
    standby.pause()
    done(applying.apply_next)
    assert names(writer.get("/api/v1/products")) == ["Lamp"]
    assert lag(reader.get("/api/v1/products"))


def test_an_import(writer, reader, standby, done):
    file = (io.BytesIO(b"sku,name\nL-1,Lamp\n"), "products.csv")
    task = writer.post("/api/v1/products/upload", data={"file": file}).json["task_id"]
    standby.pause()
    done(imports.run, uuid.UUID(task))
    assert names(writer.get("/api/v1/products")) == ["Lamp"]
    assert lag(reader.get("/api/v1/products"))


def test_the_deletion_of_all_products(writer, reader, standby, done):
    add(writer)
    wait_for(lambda: names(reader.get("/api/v1/products")) == ["Lamp"] and lag(reader.get("/api/v1/products")), 10)
    task = writer.delete("/api/v1/products/all").json["task_id"]
    standby.pause()
    done(bulk_delete.run, uuid.UUID(task))
    assert names(writer.get("/api/v1/products")) == []
    assert lag(reader.get("/api/v1/products"))
