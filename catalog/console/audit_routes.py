"""The audit page: who wrote what, and what it was before."""

from typing import Any

from flask import Response, request

from catalog.audit import schemas, service
from catalog.console import pages

blueprint = pages.blueprint("audit", __name__)


@blueprint.get("")
@blueprint.arguments(schemas.AuditQuerySchema, location="query")
def index(query: dict[str, Any]) -> Response:
    """List what was written."""
    page, given = service.page(query), request.args.to_dict()
    return pages.show("audit.html", part="_audit_list.html", section="audit", page=page, given=given)
