"""The usual importer: a pydantic model per row, one INSERT … ON CONFLICT of 1,000 rows, a commit per batch.

batches.py SOCKETS TABLE FILE ROWS   loads the first ROWS rows; prints {"seconds": s, "rows": n}
"""

import csv
import json
import sys
import time
from decimal import Decimal
from itertools import islice
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.dialects.postgresql import insert

BATCH = 1000


class Product(BaseModel):
    """One row, checked."""

    sku: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
    description: str | None = None
    active: bool = True
    price: Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=2)] | None = None
    stock_quantity: Annotated[int, Field(ge=0)] = 0
    category: Annotated[str, Field(max_length=100)] | None = None
    image: Annotated[str, Field(max_length=500, pattern="^https?://")] | None = None
    rating_rate: Annotated[Decimal, Field(ge=0, le=5)] | None = None
    rating_count: Annotated[int, Field(ge=0)] | None = None


def main(sockets: str, name: str, file: str, rows: str) -> None:
    """Load the rows into the table and print how long that took."""
    engine = sa.create_engine(f"postgresql+psycopg2://postgres@/catalog?host={sockets}", hide_parameters=True)
    table = sa.Table(name, sa.MetaData(), autoload_with=engine)
    began = time.monotonic()
    with open(file, encoding="utf-8", newline="") as source:  # noqa: PTH123
        reader = islice(csv.DictReader(source), int(rows))
        loaded = 0
        while batch := [Product(**row).model_dump() for row in islice(reader, BATCH)]:
            upsert(engine, table, batch)
            loaded += len(batch)
    print(json.dumps({"seconds": time.monotonic() - began, "rows": loaded}))


def upsert(engine: sa.Engine, table: sa.Table, batch: list[dict[str, Any]]) -> None:
    """Insert the batch; a row whose SKU is there already replaces it."""
    statement = insert(table).values(batch)
    changes = {column: statement.excluded[column] for column in batch[0] if column != "sku"}
    key = sa.text('lower(sku) COLLATE "C"')
    with engine.begin() as connection:
        connection.execute(statement.on_conflict_do_update(index_elements=[key], set_=changes))


if __name__ == "__main__":
    main(*sys.argv[1:])
