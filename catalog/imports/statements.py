"""The SQL that applies one chunk, for each mode. Every statement takes its locks in the order of the keys.

Each returns (created, updated, rejected); the rest of the chunk was the same already. All take the
parameters `first` and `last`, the positions in the import's table, and `id`, the import's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from catalog.audit import service as audit
from catalog.imports.reader import Header
from catalog.imports.telling import NOTING, level

_DEFAULTS = {"active": "true", "stock_quantity": "0"}  # columns that are never null

# LATERAL with LIMIT makes this one index lookup a row, whatever the planner believes of a table that grows.
_EXISTING = """
    LEFT JOIN LATERAL (
        SELECT * FROM products q WHERE lower(q.sku) COLLATE "C" = s.key LIMIT 1
    ) p ON true"""
_IN_CHUNK = "s.position BETWEEN :first AND :last"


@dataclass(frozen=True)
class Plan:
    """What is to be applied: from which table, the columns that the file has, and how."""

    table: str
    columns: tuple[str, ...]  # without sku
    mode: str
    keep: bool  # an empty cell keeps what there is
    told: bool = False  # the webhooks hear of every change
    audited_for: audit.Who | None = None  # who asked, where the audit hears of every change

    @property
    def is_noted(self) -> bool:
        """Whether the statements note every change."""
        return self.told or self.audited_for is not None

    @classmethod
    def of(cls, table: str, header: Header, options: dict[str, Any], audited_for: audit.Who | None = None) -> "Plan":
        """Return the plan for rows under this header, with an import's options."""
        columns = tuple(name for name in header.places if name != "sku")
        told = level(options) == "per_product"
        return cls(table, columns, options["mode"], options["empty"] == "keep", told, audited_for)

    def statements(self) -> list[str]:
        """Return the statements that apply a chunk, in order; the last one returns the counts."""
        makers: dict[str, Callable[[Plan], list[str]]] = {
            "upsert": _upsert,
            "create_only": _create_only,
            "update_only": _update_only,
        }
        return makers[self.mode](self)

    def misfits(self) -> str:
        """Return the statement that records every row, not only a chunk's, that the mode refuses."""
        missing = "NOT " if self.mode == "update_only" else ""
        return _refuse(self, f'{missing}EXISTS (SELECT 1 FROM products p WHERE lower(p.sku) COLLATE "C" = s.key)')

    def refusal(self, condition: str) -> str:
        """Return the statement that records the staged rows `s` of a condition as refused by the mode."""
        return _refuse(self, condition)

    def outcomes(self) -> str:
        """Return the query of what would become of every row, and of the product and version that there is."""
        found = f"CASE WHEN ({_list('p', self)}) IS DISTINCT FROM ({_merged(self)}) THEN 'updated' ELSE 'unchanged' END"
        there = "'refused'" if self.mode == "create_only" else found
        missing = "'refused'" if self.mode == "update_only" else "'created'"
        return f"""
        SELECT s.position, p.id AS product_id, p.version,
            CASE WHEN p.id IS NULL THEN {missing} ELSE {there} END AS outcome
        FROM {self.table} s {_EXISTING}"""

    def differences(self, seen: str, most: int, after: int = 0) -> str:
        """Return the query of the first rows after a line that change a product, as many as have `:bytes`.

        Each is line, sku, `old_` and `new_` of each column, and `found`: how many there would be without the bytes.
        """
        pairs = ", ".join(f"p.{name} AS old_{name}, {_coalesced(self, name)} AS new_{name}" for name in self.columns)
        long = ["old_description", "new_description"] if "description" in self.columns else []
        size = " + ".join(["1000", *(f"coalesce(octet_length({name}), 0)" for name in long)])
        return f"""
        SELECT * FROM (
            SELECT *, sum({size}) OVER lines AS bytes_so_far, row_number() OVER lines AS place,
                count(*) OVER () AS found
            FROM (
                SELECT s.line, p.sku, {pairs}
                FROM {seen} v JOIN {self.table} s USING (position) JOIN products p ON p.id = v.product_id
                WHERE v.outcome = 'updated' AND s.line > {after} ORDER BY s.line LIMIT {most}
            ) AS page
            WINDOW lines AS (ORDER BY line)
        ) AS placed WHERE bytes_so_far <= :bytes OR place = 1 ORDER BY line"""

    def changed_since(self, seen: str, most: int) -> str:
        """Return the query of the first products that are not as they were seen, and of how many they are."""
        return f"""
        SELECT count(*) OVER () AS count, s.line, s.sku, v.version AS version_then, p.version AS version_now
        FROM {seen} v JOIN {self.table} s USING (position) {_EXISTING}
        WHERE (p.id, p.version) IS DISTINCT FROM (v.product_id, v.version) ORDER BY s.line LIMIT {most}"""


def _upsert(plan: Plan) -> list[str]:
    """Insert new rows, and update rows that differ.

    Looking first keeps the numbers of existing products (an attempt to insert would use up a new one) and
    spares unchanged rows a lock. What changes in between, ON CONFLICT sees as it is by then.
    """
    new = {column: _conflicting(plan, column) for column in plan.columns}
    differs = f"({_list('products', plan)}) IS DISTINCT FROM ({', '.join(new.values())})"
    return [
        f"""
        WITH done AS (
            INSERT INTO products (number, sku, {", ".join(plan.columns)})
            SELECT coalesce(p.number, nextval('products_number_seq')), s.sku, {_inserted(plan)}
            FROM {plan.table} s {_EXISTING}
            WHERE {_IN_CHUNK} AND (p.id IS NULL OR ({_list("p", plan)}) IS DISTINCT FROM ({_merged(plan)}))
            ORDER BY s.position
            ON CONFLICT (lower(sku) COLLATE "C") DO UPDATE
            SET {_assignments(new)} WHERE {differs}
            RETURNING old.id IS NULL AS created {_noting(plan)}){_noted(plan, "done")}
        SELECT count(*) FILTER (WHERE created), count(*) FILTER (WHERE NOT created), 0 FROM done"""
    ]


def _create_only(plan: Plan) -> list[str]:
    return [
        f"""
        WITH created AS (
            INSERT INTO products (sku, {", ".join(plan.columns)})
            SELECT s.sku, {_inserted(plan)} FROM {plan.table} s {_EXISTING}
            WHERE {_IN_CHUNK} AND p.id IS NULL
            ORDER BY s.position
            ON CONFLICT (lower(sku) COLLATE "C") DO NOTHING
            RETURNING lower(sku) COLLATE "C" AS key {_noting(plan)}){_noted(plan, "created")},
        refused AS ({_refuse(plan, f"{_IN_CHUNK} AND s.key NOT IN (SELECT key FROM created)")} RETURNING 1)
        SELECT (SELECT count(*) FROM created), 0, (SELECT count(*) FROM refused)"""
    ]


def _update_only(plan: Plan) -> list[str]:
    """Lock first, in order; then what is found is what is changed."""
    existing = f'{plan.table} s JOIN products p ON lower(p.sku) COLLATE "C" = s.key'
    new = {column: _coalesced(plan, column) for column in plan.columns}
    return [
        f"SELECT count(*) FROM (SELECT 1 FROM {existing} WHERE {_IN_CHUNK} ORDER BY s.position FOR UPDATE OF p) l",
        f"""
        WITH found AS MATERIALIZED (
            SELECT p.id AS product_id, s.* FROM {existing} WHERE {_IN_CHUNK}),
        updated AS (
            UPDATE products p SET {_assignments(new, "p")} FROM found s
            WHERE p.id = s.product_id AND ({_list("p", plan)}) IS DISTINCT FROM ({_merged(plan)})
            RETURNING 1 {_noting(plan)}){_noted(plan, "updated")},
        refused AS ({_refuse(plan, f"{_IN_CHUNK} AND s.position NOT IN (SELECT position FROM found)")} RETURNING 1)
        SELECT 0, (SELECT count(*) FROM updated), (SELECT count(*) FROM refused)""",
    ]


def _noting(plan: Plan) -> str:
    return f", {NOTING}" if plan.is_noted else ""


def _noted(plan: Plan, changes: str) -> str:
    """Return the part of a statement that stores what its part `changes` returned."""
    return f", noted AS (INSERT INTO import_changes SELECT before, after FROM {changes})" if plan.is_noted else ""


def _refuse(plan: Plan, condition: str) -> str:
    code, message = {
        "create_only": ("exists", "There is a product with this SKU already."),
        "update_only": ("not_found", "There is no product with this SKU."),
    }[plan.mode]
    return f"""
        INSERT INTO import_errors (import_id, line, field, code, message, data)
        SELECT :id, s.line, 'sku', '{code}', '{message}', s.data FROM {plan.table} s WHERE {condition}"""


def _list(source: str, plan: Plan) -> str:
    return ", ".join(f"{source}.{column}" for column in plan.columns)


def _assignments(new: dict[str, str], products: str = "products") -> str:
    changes = ", ".join(f"{column} = {value}" for column, value in new.items())
    return f"{changes}, version = {products}.version + 1, updated_at = now()"


def _inserted(plan: Plan) -> str:
    """Return the values of a new product; an empty cell becomes the default."""
    return ", ".join(
        f"coalesce(s.{column}, {_DEFAULTS[column]})" if column in _DEFAULTS else f"s.{column}"
        for column in plan.columns
    )


def _coalesced(plan: Plan, column: str) -> str:
    """Return the value of an existing product `p` after the row `s`."""
    kept = f"p.{column}" if plan.keep else _DEFAULTS.get(column)
    return f"coalesce(s.{column}, {kept})" if kept else f"s.{column}"


def _merged(plan: Plan) -> str:
    return ", ".join(_coalesced(plan, column) for column in plan.columns)


def _conflicting(plan: Plan, column: str) -> str:
    """Return the value inside DO UPDATE, where `excluded` has defaults instead of empty cells."""
    if not plan.keep:
        return f"excluded.{column}"
    if column not in _DEFAULTS:
        return f"coalesce(excluded.{column}, products.{column})"
    empty = f"SELECT s.key FROM {plan.table} s WHERE {_IN_CHUNK} AND s.{column} IS NULL"
    return f'CASE WHEN lower(excluded.sku) COLLATE "C" IN ({empty}) THEN products.{column} ELSE excluded.{column} END'
