"""What the API takes and gives for tasks."""

import re

import marshmallow as ma
from marshmallow import fields, validate

from catalog.fields import NOT_BLANK, Moment, Text
from catalog.pagination import OffsetPageSchema, offset_field
from catalog.tasks.models import DESCRIPTION_MAX, STATUSES

_TITLE = [validate.Length(1, 255), validate.Regexp(r".*\S", re.DOTALL, error="Must not be blank.")]
_TITLE_SHOWN = {"example": "Order new lamps", "pattern": NOT_BLANK}


class TaskFields(ma.Schema):
    """The fields that a client may write at any time."""

    title = Text(validate=_TITLE, metadata=_TITLE_SHOWN)
    description = Text(
        allow_none=True, validate=validate.Length(max=DESCRIPTION_MAX), metadata={"example": "At least twenty"}
    )
    product_id = fields.UUID(allow_none=True, metadata={"description": "The product that the task is about"})
    due_at = Moment(allow_none=True, metadata={"example": "2026-12-24T18:00:00+01:00"})


class TaskCreateSchema(TaskFields):
    """A new task, which is PENDING."""

    title = Text(required=True, validate=_TITLE, metadata=_TITLE_SHOWN)


class TaskChangeSchema(TaskFields):
    """The fields to change; what is not given stays as it is."""

    status = fields.String(validate=validate.OneOf(STATUSES), metadata={"example": "IN_PROGRESS"})


class TaskSchema(TaskChangeSchema):
    """A task as it is answered."""

    class Meta:
        fields = (
            "id",
            "title",
            "description",
            "status",
            "product_id",
            "due_at",
            "version",
            "created_at",
            "updated_at",
        )

    id = fields.UUID(required=True)
    version = fields.Integer(required=True, metadata={"example": 1})
    created_at = Moment(required=True)
    updated_at = Moment(required=True)


class TaskPageSchema(OffsetPageSchema):
    """One page of a list."""

    items = fields.List(fields.Nested(TaskSchema), required=True)
    next_cursor = fields.UUID(required=True, allow_none=True)


class TaskQuerySchema(ma.Schema):
    """The filters and the page of a list."""

    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))
    offset = offset_field()
    cursor = fields.UUID(metadata={"description": "`next_cursor` of the page before; `offset` then counts for nothing"})
    status = fields.String(validate=validate.OneOf(STATUSES))
    product_id = fields.UUID()
    due_after = Moment(metadata={"description": "Due then or later"})
    due_before = Moment(metadata={"description": "Due before then"})
