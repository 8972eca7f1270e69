"""REST over the audit: all of it, and what was done to one product."""

import uuid
from typing import Any

from catalog.access import ADMIN
from catalog.audit import schemas, service
from catalog.http import Blueprint

blueprint = Blueprint("audit", __name__, url_prefix="/api/v1/audit", description="Who wrote what.", scope=ADMIN)
histories = Blueprint(
    "histories",
    __name__,
    url_prefix="/api/v1/products",
    description="What was done to a product.",
    scope="products:read",
)


@blueprint.get("")
@blueprint.arguments(schemas.AuditQuerySchema, location="query")
@blueprint.response(200, schemas.AuditPageSchema)
def list_entries(query: dict[str, Any]) -> Any:
    """List what was written, the latest first

    By whom, when and from where, with the changed fields before and after. Secrets are shown as `***`.
    """
    return service.page(query)


@histories.get("/<uuid:product_id>/history")
@histories.arguments(schemas.HistoryQuerySchema, location="query")
@histories.response(200, schemas.HistoryPageSchema)
@histories.problem(404, "No such product, and no record of one")
def list_history(query: dict[str, Any], product_id: uuid.UUID) -> Any:
    """List what was done to a product, the latest first

    Also to one that is deleted; without the addresses that the audit has. What imports do is in it where
    `AUDIT_IMPORT_ROWS` is on.
    """
    return service.product_history(product_id, query)
