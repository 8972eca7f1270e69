"""The rules of products. Every function that writes is one transaction, or joins the caller's."""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Text, cast, false, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from catalog import replica
from catalog.audit import service as audit
from catalog.cache import invalidate
from catalog.database import transaction
from catalog.errors import Conflict, NotFound, PreconditionFailed, ValidationFailed, field_error
from catalog.extensions import db
from catalog.products import bulk_delete, events, listing, stock, writes
from catalog.products.models import COLUMN_TYPES, MAX_NUMBER, SKU_UNIQUE, Product, sku_key
from catalog.tasks import service as tasks
from catalog.webhooks import service as webhooks

GENERATED_SKU_TRIES = 20

_NEXT_NUMBER = func.nextval("products_number_seq")

# Each number is drawn once, so SKUs that someone created ahead of it are skipped once, and not by every creation.
_NEXT_FREE_NUMBER = text("""
    WITH RECURSIVE drawn (number) AS (
        SELECT nextval('products_number_seq')
        UNION ALL
        SELECT nextval('products_number_seq') FROM drawn WHERE EXISTS (
            SELECT FROM products p WHERE lower(p.sku) COLLATE "C" = lower('SKU-' || drawn.number) COLLATE "C")
    ) SELECT max(number) FROM drawn
""")

as_json = events.as_json  # this and the next for features that write products by the thousand
column_types = COLUMN_TYPES
DELETION_JOB = bulk_delete.JOB  # this and the next two for the jobs API
deletion_statuses = bulk_delete.statuses
cancel_deletion = bulk_delete.cancel
WRITES_JOB = writes.JOB  # and these
write_statuses = writes.statuses
retry_write = writes.retry
cancel_write = writes.cancel
Shortage = stock.Shortage


def get(product_id: uuid.UUID) -> Product:
    """Return a product by id, as PostgreSQL has it now. Raises NotFound."""
    return _found(db.session.get(Product, product_id, populate_existing=True))


def get_by_sku(sku: str) -> Product:
    """Return a product by SKU, in any case, without surrounding space as everywhere. Raises NotFound."""
    sku = sku.strip()
    if "\x00" in sku:  # which no SKU holds, and PostgreSQL would not even compare
        raise NotFound("There is no such product.")
    return _found(db.session.scalar(_by_sku(sku)))


def get_by_reference(reference: str) -> Product:
    """Return a product by its number or its UUID, whichever the text is, as PostgreSQL has it now. Raises NotFound."""
    statement = select(Product).where(refers(reference))
    return _found(db.session.scalar(statement, execution_options={"populate_existing": True}))


def known_skus(skus: Collection[str]) -> dict[str, Product]:
    """Return the products with these SKUs, in any case, by the SKU as it was given; one query for all."""
    wanted = func.unnest(cast(list(skus), ARRAY(Text))).column_valued("wanted")
    statement = select(wanted, Product).join(Product, sku_key(Product.sku) == sku_key(wanted))
    found = db.session.execute(statement, execution_options={"populate_existing": True})
    return {sku: product for sku, product in found}  # noqa: C416  # rows, which dict() does not know


def reserve_stock(orders: Sequence[Mapping[uuid.UUID, int]]) -> list[list[stock.Shortage]]:
    """Take the units of each order in turn from the stock, wholly or not at all; return what each order lacked.

    An order is {product id: units}. The products stay locked until the commit, in the order of SKUs like everywhere.
    """
    with transaction() as session:
        wanted = {product_id for order in orders for product_id in order}
        locking = select(Product).where(Product.id.in_(wanted)).order_by(sku_key(Product.sku)).with_for_update()
        products = {row.id: row for row in session.scalars(locking, execution_options={"populate_existing": True})}
        left, shortages = stock.allot({row.id: row.stock_quantity for row in products.values()}, orders)
        for product_id, product in products.items():
            _change(product, {"stock_quantity": left[product_id]}, None)
        return shortages


@replica.reads
def search(session: Session, query: dict[str, Any]) -> listing.Page:
    """Return one page of products for a loaded ProductQuerySchema. Raises ValidationFailed."""
    return listing.page(session, query)


@replica.reads
def glimpse(session: Session, query: dict[str, Any]) -> listing.Page:
    """Return the same page for people: of many products that match, how many is not counted to the end."""
    return listing.glimpse(session, query)


@replica.reads
def stats(session: Session) -> dict[str, int]:
    """Return how many products there are: total, active, inactive."""
    total, active = session.execute(
        select(func.count(), func.count().filter(Product.active)).select_from(Product)
    ).one()
    return {"total": total, "active": active, "inactive": total - active}


def create(fields: dict[str, Any]) -> Product:
    """Add a product and return it; without a SKU it gets `SKU-<number>`. Raises Conflict for a taken SKU."""
    with transaction():
        if fields.get("sku"):
            return _insert(Product(**fields))
        return _create_with_generated_sku(fields)


def update(product_id: uuid.UUID, changes: dict[str, Any], versions: set[int] | None = None) -> Product:
    """Change the given fields of a product and return it; a change that changes nothing keeps its version.

    `versions` are those the caller holds to be current, None for any. Raises NotFound, PreconditionFailed
    for a version that is not current, and Conflict for a SKU that another product has.
    """
    with transaction():
        return _change(_locked(Product.id == product_id), changes, versions)


def put_by_sku(sku: str, fields: dict[str, Any], versions: set[int] | None = None) -> tuple[Product, bool]:
    """Create the product with this SKU or change the one there is; return it and whether it is new.

    Raises ValidationFailed for a SKU that cannot be one, a `sku` in `fields` that is another, or a new
    product without a name; and PreconditionFailed.
    """
    sku = sku.strip()
    _check_sku(sku, fields.get("sku", sku))
    with transaction() as session:
        if versions is None and session.scalar(_by_sku(sku)) is None:
            _check_name_given(fields)
            try:
                return _insert(Product(**{"sku": sku, **fields})), True
            except Conflict:
                pass  # someone else was faster; then it is theirs that we change
        return _change(_locked(sku_key(Product.sku) == sku_key(sku)), fields, versions), False


def delete(product_id: uuid.UUID, versions: set[int] | None = None) -> None:
    """Remove a product. Raises NotFound, and PreconditionFailed for a version that is not current."""
    with transaction() as session:
        product = _locked(Product.id == product_id)
        _check_version(product, versions)
        session.delete(product)
        session.flush()
        _forget(product)
        tasks.let_go_of_products()
        webhooks.publish("product.deleted", events.deleted(product))
        audit.record("delete", "product", product_id, before=events.written(product))


def _check_sku(sku: str, given: str) -> None:
    if not 1 <= len(sku) <= 100 or "\x00" in sku:
        raise ValidationFailed([field_error("sku", "A SKU has 1 to 100 characters, none of them NUL.")])
    if given != sku and not db.session.scalar(select(sku_key(literal(given)) == sku_key(literal(sku)))):
        raise ValidationFailed([field_error("sku", "Is another SKU than the one in the address.")])


def _check_name_given(fields: dict[str, Any]) -> None:
    if "name" not in fields:
        raise ValidationFailed([field_error("name", "Missing data for required field.", "required")])


def _by_sku(sku: str) -> Any:
    return select(Product).where(sku_key(Product.sku) == sku_key(sku))


def refers(reference: str) -> Any:
    """Return the SQL condition that a product has this number or this UUID, whichever the text is."""
    if reference.isascii() and reference.isdecimal():
        return Product.number == min(int(reference[:20]), MAX_NUMBER + 1)
    try:
        return Product.id == uuid.UUID(reference)
    except ValueError:
        return false()


def _found(product: Product | None) -> Product:
    if product is None:
        raise NotFound("There is no such product.")
    return product


def _locked(condition: Any) -> Product:
    """Return the product as it is now, locked until the transaction ends."""
    statement = select(Product).where(condition).with_for_update()
    return _found(db.session.scalar(statement, execution_options={"populate_existing": True}))


def _check_version(product: Product, versions: set[int] | None) -> None:
    if versions is not None and product.version not in versions:
        raise PreconditionFailed(f"The product has changed since: its version is {product.version} now.")


def _change(product: Product, changes: dict[str, Any], versions: set[int] | None) -> Product:
    _check_version(product, versions)
    changed = {name: value for name, value in changes.items() if getattr(product, name) != value}
    if not changed:
        return product
    before = events.written(product)
    with _refusing_duplicates(changed.get("sku")):
        for name, value in changed.items():
            setattr(product, name, value)
        product.version += 1
        product.updated_at = func.clock_timestamp()
    _forget(product)
    after = events.written(product)
    webhooks.publish("product.updated", events.difference(before, after))
    audit.record("update", "product", product.id, before, after)
    return product


def _insert(product: Product) -> Product:
    if product.number is None:
        product.number = _number_unless_taken(product.sku)
    with _refusing_duplicates(product.sku):
        db.session.add(product)
    _forget(product)
    after = events.written(product)
    webhooks.publish("product.created", after)
    audit.record("create", "product", product.id, after=after)
    return product


def _number_unless_taken(sku: str) -> Any:
    """Return the SQL of the next number, or of NULL where the SKU is taken: a conflict then uses up no number."""
    return select(_NEXT_NUMBER).where(~_by_sku(sku).exists()).scalar_subquery()


def _forget(product: Product) -> None:
    """Name everything cached that a change of this product makes wrong."""
    invalidate(f"product:{product.id}")


def _create_with_generated_sku(fields: dict[str, Any]) -> Product:
    """Create a product under the next number whose SKU is free; again where someone takes it in between."""
    for _ in range(GENERATED_SKU_TRIES):
        number = db.session.scalar(_NEXT_FREE_NUMBER)
        with suppress(Conflict):
            return _insert(Product(**{**fields, "number": number, "sku": f"SKU-{number}"}))
    raise Conflict("Others keep taking the generated SKUs; please give one.")


@contextmanager
def _refusing_duplicates(sku: str | None) -> Iterator[None]:
    """Write within a savepoint, so that a duplicate SKU leaves the caller's transaction usable."""
    try:
        with db.session.begin_nested():
            yield
    except IntegrityError as error:
        if not _is_duplicate(getattr(error.orig, "diag", None)):
            raise
        raise Conflict(
            f"There is a product with the SKU {sku!r} already.",
            errors=[field_error("sku", "Is taken.", "duplicate")],
        ) from error


def _is_duplicate(diagnosis: Any) -> bool:
    """Tell whether a SKU was taken: by its index, or by the number that was not drawn for it."""
    return diagnosis is not None and (
        diagnosis.constraint_name == SKU_UNIQUE
        or (diagnosis.table_name, diagnosis.column_name) == (Product.__tablename__, "number")
    )
