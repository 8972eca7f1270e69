"""A product that is posted in a process that kills itself."""

from catalog.app import create_app
from tests.killing import kill_at

LAMP = {"name": "Desk lamp", "price": 39.5}


def post(where: str, key: str) -> None:
    """Post the product; the process ends by SIGKILL instead of calling `where`, a dotted name below catalog."""
    kill_at(where, 1)
    create_app().test_client().post("/api/v1/products", json=LAMP, headers={"Idempotency-Key": key})
