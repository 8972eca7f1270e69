"""The tables that the contenders load, made anew before each run so that every run starts alike."""

import time
from pathlib import Path

import psycopg2

from catalog.stack import StackError

TWIN = "products_twin"
QUIET_SECONDS = 120
FINGERPRINT = """
    SELECT count(*), count(*) FILTER (WHERE active), sum(price), sum(stock_quantity), sum(rating_rate),
           sum(rating_count), sum(hashtextextended(concat_ws('|', sku, name, description, category, image), 0))
    FROM {}"""


class Arena:
    """A superuser's connection to the database `catalog` on the socket in `sockets`."""

    def __init__(self, sockets: Path) -> None:
        self.sockets = sockets
        self._connection = psycopg2.connect(host=str(sockets), user="postgres", dbname="catalog")
        self._connection.autocommit = True

    @property
    def server_version(self) -> str:
        """The version of PostgreSQL, such as `18.6`."""
        return str(self._rows("SHOW server_version")[0][0])

    def renew(self, search_index: bool = True) -> None:
        """Empty `products`, and make its twin anew: same columns, constraints and indexes, the search's if wanted."""
        self._run("TRUNCATE products RESTART IDENTITY CASCADE")
        self._run("TRUNCATE imports CASCADE")
        self._run(f"DROP TABLE IF EXISTS {TWIN}")
        self._run(f"CREATE TABLE {TWIN} (LIKE products INCLUDING ALL)")
        if not search_index:
            for index in self._search_indexes():
                self._run(f"DROP INDEX {index}")
        self.settle()

    def index_sku(self) -> None:
        """Index the twin's SKUs as they are written, for a peer that looks them up so."""
        self._run(f"CREATE UNIQUE INDEX ON {TWIN} (sku)")

    def settle(self) -> None:
        """Let everything that earlier runs left to do be done, so that it does not burden the next one."""
        self.wait_quiet()
        self._run("VACUUM ANALYZE products")
        self._run(f"VACUUM ANALYZE {TWIN}")
        self._run("CHECKPOINT")

    def wait_quiet(self) -> float:
        """Wait until no session works any more; return the seconds. StackError after two minutes."""
        began = time.monotonic()
        busy = """SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'catalog'
            AND (state <> 'idle' OR backend_type = 'autovacuum worker')"""
        while self._rows(busy)[0][0]:
            if time.monotonic() - began > QUIET_SECONDS:
                raise StackError(f"The database is still busy after {QUIET_SECONDS} s.")
            time.sleep(0.05)
        return time.monotonic() - began

    def fingerprint(self, table: str) -> tuple[object, ...]:
        """Return sums over every imported column, the number of rows first: equal where the contents are."""
        return self._rows(FINGERPRINT.format(table))[0]

    def _search_indexes(self) -> list[str]:
        query = f"SELECT indexname FROM pg_indexes WHERE tablename = '{TWIN}' AND indexdef LIKE '%USING gin%'"
        return [str(row[0]) for row in self._rows(query)]

    def _run(self, statement: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)

    def _rows(self, query: str) -> list[tuple[object, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())
