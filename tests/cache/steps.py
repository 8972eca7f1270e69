"""What the tests of the cache do and look at."""

from sqlalchemy import text

from catalog.extensions import db
from catalog.products import reads


def rows() -> list[str]:
    """The states of the invalidations that PostgreSQL still holds."""
    with db.engine.connect() as connection:
        return list(connection.scalars(text("SELECT state FROM cache_invalidations ORDER BY id")))


def age_rows() -> None:
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE cache_invalidations SET created_at = created_at - interval '1 minute'"))


def stock(product_id) -> tuple[int, str]:
    copy = reads.product(product_id)
    return copy.value["stock_quantity"], copy.outcome


def set_stock_unseen(product_id, quantity: int) -> None:
    """Change the row as nobody should: without telling the cache."""
    with db.engine.begin() as connection:
        connection.execute(
            text("UPDATE products SET stock_quantity = :quantity WHERE id = :id"),
            {"quantity": quantity, "id": product_id},
        )


def in_context(app, work):
    def run():
        with app.app_context():
            work()

    return run
