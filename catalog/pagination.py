"""Pages of lists: what their answers have in common."""

from collections.abc import Sequence
from typing import Any

import marshmallow as ma
from marshmallow import fields


class OffsetPageSchema(ma.Schema):
    """A page of a list that is counted; what inherits it says what `items` are."""

    items = fields.List(fields.Raw(), required=True)  # stands here to come first
    total = fields.Integer(required=True)
    limit = fields.Integer(required=True)
    offset = fields.Integer(required=True)
    has_more = fields.Boolean(required=True)


class CursorPageSchema(ma.Schema):
    """A page of a list that is not counted; what inherits it says what `items` are."""

    items = fields.List(fields.Raw(), required=True)
    limit = fields.Integer(required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = fields.UUID(required=True, allow_none=True)


def offset_page(items: Sequence[Any], total: int, limit: int, offset: int) -> dict[str, Any]:
    """Return a page for an OffsetPageSchema."""
    return {"items": items, "total": total, "limit": limit, "offset": offset, "has_more": offset + limit < total}
