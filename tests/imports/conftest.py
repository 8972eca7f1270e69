"""Uploading files and running their imports, as a client and a worker do, in one process."""

import io
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from catalog.extensions import db
from catalog.imports import service
from catalog.imports.models import Import


@dataclass
class Importer:
    """Imports through the API; `run()` is what the worker does."""

    client: FlaskClient

    def upload(self, content: bytes | str, filename: str = "products.csv", **options: str) -> TestResponse:
        raw = content.encode() if isinstance(content, str) else content
        # Encoded here: the test client would leave a temporary file open for a large body.
        boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(raw), filename), **options})
        content_type = f"multipart/form-data; boundary={boundary}"
        return self.client.post("/api/v1/products/upload", data=body, content_type=content_type)

    def submit(self, content: bytes | str, filename: str = "products.csv", **options: str) -> uuid.UUID:
        response = self.upload(content, filename, **options)
        assert response.status_code == 202, response.json
        return uuid.UUID(response.json["task_id"])

    def run(self, content: bytes | str, filename: str = "products.csv", **options: str) -> dict[str, Any]:
        """Upload, run to the end, and return the result."""
        import_id = self.submit(content, filename, **options)
        service.run(import_id)
        return self.result(import_id)

    def result(self, import_id: uuid.UUID) -> dict[str, Any]:
        return self.client.get(f"/api/v1/products/import/{import_id}/result").json["result"]

    def record(self, import_id: uuid.UUID) -> Import:
        db.session.rollback()
        return service.get(import_id)

    def products(self) -> list[dict[str, Any]]:
        """Return the products as they are, in the order of their SKUs, without what every run makes anew."""
        rows = db.session.execute(text('SELECT * FROM products ORDER BY lower(sku) COLLATE "C"')).mappings().all()
        db.session.rollback()
        return [
            {name: value for name, value in row.items() if name not in ("id", "created_at", "updated_at", "search")}
            for row in rows
        ]

    def by_sku(self) -> dict[str, dict[str, Any]]:
        return {product["sku"]: product for product in self.products()}


@pytest.fixture
def importer(committed: Flask) -> Iterator[Importer]:
    """An importer whose changes are really committed; every table is empty afterwards."""
    with committed.app_context():
        yield Importer(committed.test_client())
        db.session.rollback()


def counts(result: dict[str, Any]) -> dict[str, int]:
    """Return what an import's result counts, without the zeros."""
    names = ("created", "updated", "unchanged", "superseded", "errors")
    return {name: result[name] for name in names if result[name]}


def let_the_lease_expire(import_id: uuid.UUID) -> None:
    """Do what fifteen seconds without a heartbeat do."""
    with db.engine.begin() as connection:
        connection.execute(
            text("UPDATE imports SET lease_until = now() - interval '1 s' WHERE id = :id AND lease_until IS NOT NULL"),
            {"id": import_id},
        )
