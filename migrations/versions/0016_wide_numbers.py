"""Widen products.number from 4 to 8 bytes without rewriting the table under a lock. docs/adr/0031.

Each step is committed before the next and is found done when the migration is repeated, so it may be interrupted
anywhere. Code of the version before reads and writes products throughout.
"""

import logging

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

CONTRACT = (
    "The column and its sequence are replaced under their names in one transaction: old code uses only the names."
)

log = logging.getLogger("alembic.runtime.migration")

MAX_NUMBER = 2**53 - 1  # the largest that every JSON parser reads exactly
BATCH = 1_000
VACUUM_ROWS = 200_000
# Transactions that opened the old sequence's statement before the swap draw from it afterwards.
GAP = 1_000
# Shorter than deadlock_timeout: a transaction that holds the sequence may be waiting for the table.
SEQUENCE_LOCK_TIMEOUT = "10ms"
# Building the index waits for transactions, and nothing waits for it but other changes of the schema.
INDEX_LOCK_TIMEOUT = "10min"

_FUNCTION = """
    CREATE FUNCTION widen_products_number() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.number_wide := NEW.number; RETURN NEW; END $$"""
_TRIGGER = """
    CREATE TRIGGER widen_number BEFORE INSERT OR UPDATE ON products
    FOR EACH ROW EXECUTE FUNCTION widen_products_number()"""
_CHECK = """
    ALTER TABLE products ADD CONSTRAINT number_wide_filled
    CHECK (number_wide IS NOT NULL AND number_wide = number) NOT VALID"""
_FILL = """
    WITH batch AS (
        SELECT id FROM products WHERE id > :after AND number_wide IS NULL ORDER BY id LIMIT :rows FOR UPDATE {wait}
    ), filled AS (
        UPDATE products p SET number_wide = p.number FROM batch WHERE p.id = batch.id RETURNING p.id
    ) SELECT count(*) OVER () AS rows, id AS last FROM filled ORDER BY id DESC LIMIT 1"""
_BEFORE_ALL = "00000000-0000-0000-0000-000000000000"


def upgrade() -> None:
    """Fill an 8-byte column beside the old one, then swap their names."""
    columns = _columns()
    if "number_narrow" not in columns and columns["number"] == "bigint":
        return
    if "number_narrow" not in columns:
        if "number_wide" not in columns:
            _add_column()
        with op.get_context().autocommit_block():
            _fill_column()
            _build_index()
        _swap()
    with op.get_context().autocommit_block():
        pass  # commits, so that statements that wait with the old sequence are done before it is dropped
    _drop_old()


def downgrade() -> None:
    """Keep the 8 bytes: code of the version before reads them too, and narrowing would rewrite the table."""


def _columns() -> dict[str, str]:
    """Return the types of the columns by name."""
    found = op.get_bind().execute(
        sa.text("SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'products'::regclass")
    )
    return {name: kind for name, kind in found}  # noqa: C416  # rows, which dict() does not know


def _add_column() -> None:
    """Add the column, blank, and have every write from now on fill it."""
    op.execute("LOCK TABLE products IN ACCESS EXCLUSIVE MODE")
    op.execute("ALTER TABLE products ADD COLUMN number_wide bigint")
    op.execute(_FUNCTION)
    op.execute(_TRIGGER)
    op.execute(_CHECK)


def _fill_column() -> None:
    """Fill the rows that are left: first those that no one has locked, then each of the others when it is free."""
    op.execute("SET synchronous_commit = off")  # a batch that a crash undoes is filled again
    try:
        filled = _fill(BATCH, "SKIP LOCKED") + _fill(1, "")
    finally:
        op.execute("RESET synchronous_commit")
    op.execute("ALTER TABLE products VALIDATE CONSTRAINT number_wide_filled")
    if filled:
        _vacuum()


def _fill(rows: int, wait: str) -> int:
    """Fill in batches in the order of ids, and return the number of rows; never waits while it holds a lock."""
    statement, after, filled = sa.text(_FILL.format(wait=wait)), _BEFORE_ALL, 0
    while batch := op.get_bind().execute(statement, {"after": after, "rows": rows}).first():
        after, filled = batch.last, filled + batch.rows
        if filled % VACUUM_ROWS < batch.rows:
            log.info("Filled products.number_wide: rows=%s", f"{filled:,}")
            _vacuum()
    return filled


def _vacuum() -> None:
    """Free the old versions of the rows for the next batches, and have the planner know the column."""
    op.execute("VACUUM (ANALYZE, TRUNCATE false) products")


def _build_index() -> None:
    """Build the unique index while products are written; one that was interrupted is built anew."""
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('uq_products_number_wide')"
    if op.get_bind().scalar(sa.text(valid)):
        return
    before = op.get_bind().scalar(sa.text("SELECT current_setting('lock_timeout')"))
    op.execute(f"SET lock_timeout = '{INDEX_LOCK_TIMEOUT}'")
    try:
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS uq_products_number_wide")
        op.execute("CREATE UNIQUE INDEX CONCURRENTLY uq_products_number_wide ON products (number_wide)")
    finally:
        op.execute(f"SET lock_timeout = '{before}'")


def _swap() -> None:
    """Give the new column the old one's names, constraint and place in the sequence."""
    _lock("ALTER SEQUENCE products_number_seq RENAME TO products_number_narrow_seq")
    # Until it is dropped, the old column draws a number at each insert and must not run out of them.
    op.execute("ALTER SEQUENCE products_number_narrow_seq CYCLE")
    op.execute("DROP TRIGGER widen_number ON products")
    op.execute("DROP FUNCTION widen_products_number")
    op.execute("ALTER TABLE products ALTER COLUMN number_wide SET NOT NULL")  # no scan: the check is valid
    op.execute("ALTER TABLE products DROP CONSTRAINT number_wide_filled, DROP CONSTRAINT uq_products_number")
    op.execute("ALTER TABLE products RENAME COLUMN number TO number_narrow")
    op.execute("ALTER TABLE products RENAME COLUMN number_wide TO number")
    op.execute(
        "ALTER TABLE products ADD CONSTRAINT uq_products_number UNIQUE USING INDEX uq_products_number_wide,"
        " ALTER COLUMN number ADD GENERATED BY DEFAULT AS IDENTITY"
        f" (SEQUENCE NAME products_number_seq MAXVALUE {MAX_NUMBER})"
    )
    op.execute(
        f"SELECT setval('products_number_seq', last_value + {GAP}) FROM products_number_narrow_seq WHERE is_called"
    )


def _drop_old() -> None:
    """Drop the old column, and its sequence with it."""
    _lock("ALTER SEQUENCE products_number_narrow_seq NO CYCLE")
    op.execute("ALTER TABLE products DROP COLUMN number_narrow")
    op.execute("ALTER TABLE products RENAME CONSTRAINT products_number_wide_not_null TO products_number_not_null")


def _lock(change_of_sequence: str) -> None:
    """Lock the table, then the sequence by changing it, for this transaction."""
    op.execute("LOCK TABLE products IN ACCESS EXCLUSIVE MODE")
    before = op.get_bind().scalar(sa.text("SELECT current_setting('lock_timeout')"))
    op.execute(f"SET LOCAL lock_timeout = '{SEQUENCE_LOCK_TIMEOUT}'")
    op.execute(change_of_sequence)
    op.execute(f"SET LOCAL lock_timeout = '{before}'")
