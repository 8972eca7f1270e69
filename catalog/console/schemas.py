"""What the console's own scripts send, beyond what the API takes."""

import marshmallow as ma
from marshmallow import fields, validate

from catalog.fields import Boolean
from catalog.sessions.schemas import CredentialsSchema

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
