"""What the console's own scripts send, beyond what the API takes."""

import marshmallow as ma
from marshmallow import fields, validate

from catalog.fields import Boolean
from catalog.sessions.schemas import CredentialsSchema
from catalog.webhooks.history_schemas import DeliveryQuerySchema

MOST_SELECTED = 1_000


class RowsSchema(ma.Schema):
    """Corrected rows, each as all of its cells, by the line it has in its file."""

    rows = fields.Dict(
        keys=fields.Integer(), values=fields.List(fields.String(), validate=validate.Length(max=1_000)), required=True
    )


class CellsSchema(ma.Schema):
    """One row."""

    cells = fields.List(fields.String(), required=True, validate=validate.Length(1, 1_000))


class AfterSchema(ma.Schema):
    """The place in a list that goes by lines."""

    after = fields.Integer(load_default=0, validate=validate.Range(0, 2**31 - 1))


class PictureSchema(ma.Schema):
    """Whether a product's picture is to be shown, which lies on another host."""

    picture = fields.Boolean(load_default=False)


class SelectionSchema(ma.Schema):
    """Products that were chosen one by one."""

    ids = fields.List(fields.UUID(), required=True, validate=validate.Length(1, MOST_SELECTED))


class ActivationSchema(SelectionSchema):
    """Whether they are to be active."""

    active = Boolean(required=True)


class SignInQuerySchema(ma.Schema):
    """Where to go after signing in, and why one has to."""

    next = fields.String(load_default="")
    ended = fields.String(load_default="")
    out = fields.String(load_default="")


class SignOutSchema(ma.Schema):
    """What a form of the console sends in any case; `check_origin()` has looked at it."""

    csrf_token = fields.String(load_only=True)


class SignInSchema(CredentialsSchema, SignOutSchema):
    """The form of the sign-in page."""

    next = fields.String(load_default="")

    @ma.post_load
    def _without_token(self, given: dict[str, str], **_: object) -> dict[str, str]:
        return {name: value for name, value in given.items() if name != "csrf_token"}


class ArrivalSchema(ma.Schema):
    """A file that is about to come in, as the browser knows it; `modified` is in milliseconds."""

    filename = fields.String(required=True, validate=validate.Length(1, 255))
    size = fields.Integer(required=True, strict=True, validate=validate.Range(1, 2**53, error="The file is empty."))
    modified = fields.Integer(required=True, validate=validate.Range(-(2**53), 2**53))


class OffsetSchema(ma.Schema):
    """Where a piece of a file begins, in bytes."""

    offset = fields.Integer(required=True, validate=validate.Range(0, 2**53))


class DeliveriesSchema(DeliveryQuerySchema):
    """The filters of the deliveries to all webhooks."""

    webhook_id = fields.UUID()
