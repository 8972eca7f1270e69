"""Lists and search in a large catalog, against the bare SQL."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import requests

from bench.kit.figures import percentile

FILL = """
INSERT INTO products (sku, name, description, price, stock_quantity, category, active)
SELECT 'SKU-' || lpad(n::text, 7, '0'),
       (ARRAY['Desk','Walnut','Mechanical','Wireless','Studio','Office','Standing','Floor','Garden','Steel'])
       [1 + n %% 10]
       || ' ' || (ARRAY['lamp','chair','keyboard','mouse','screen','mat','dock','pen','hose','drill'])[1 + n / 10 %% 10]
       || ' ' || n,
       'Number ' || n || ' of the series ' || md5((n %% 5000)::text) || ' in colour ' || n %% 97,
       (n %% 100000 + 1) / 100.0, n %% 500, 'Category ' || n %% 40, n %% 10 <> 0
FROM generate_series(1, %(rows)s) n"""
# A page and how many there are, as the service answers them: what is compared is everything around the SQL.
MATCHING = "FROM products WHERE search @@ to_tsquery('simple', %(words)s)"
BARE = (
    f"SELECT * {MATCHING} ORDER BY id DESC LIMIT 21",
    f"SELECT count(*) FROM (SELECT 1 {MATCHING} LIMIT 10001) AS found",
)
PAGE = 20
REPEATS = 100


def fill(sockets: Path, rows: int) -> list[str]:
    """Add the products and return some ids, ours to read."""
    with closing(psycopg2.connect(host=str(sockets), user="postgres", dbname="catalog")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(FILL, {"rows": rows})
            cursor.execute("VACUUM ANALYZE products")
            cursor.execute("SELECT id::text FROM products ORDER BY number LIMIT 200000")
            return [str(row[0]) for row in cursor.fetchall()]


def measure(url: str, sockets: Path, rows: int) -> dict[str, float]:
    """Return milliseconds: medians of page 1 and of page 10,000 (or the last), and p95 of ours and the bare search."""
    session = requests.Session()
    products = f"{url}/api/v1/products"
    page = min(10_000, rows // PAGE - 1)
    before = session.get(products, params={"limit": PAGE, "offset": (page - 2) * PAGE}, timeout=60).json()
    cursor = {"limit": PAGE, "cursor": before["next_cursor"]}
    words = [f"{one} {number}" for number in range(40) for one in ("lamp", "garden", "wireless mouse")]
    ours = _times(lambda each: session.get(products, params={"search": each}, timeout=60), words)
    return {
        "first_page": percentile(_times(lambda _: session.get(products, params={"limit": PAGE}), range(REPEATS)), 0.5),
        "deep_page": percentile(_times(lambda _: session.get(products, params=cursor), range(REPEATS)), 0.5),
        "search_p95": percentile(ours, 0.95),
        "bare_search_p95": percentile(_bare(sockets, words), 0.95),
    }


def _bare(sockets: Path, words: Sequence[str]) -> list[float]:
    with closing(psycopg2.connect(host=str(sockets), user="postgres", dbname="catalog")) as connection:

        def search(each: str) -> None:
            with connection.cursor() as cursor:
                for statement in BARE:
                    cursor.execute(statement, {"words": " & ".join(each.split()) + ":*"})
                    cursor.fetchall()

        return _times(search, words)


def _times(work: Callable[[Any], object], items: Sequence[Any]) -> list[float]:
    taken = []
    for item in items:
        began = time.perf_counter()
        work(item)
        taken.append((time.perf_counter() - began) * 1000)
    return taken
