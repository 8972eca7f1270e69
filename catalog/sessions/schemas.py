"""What the API gives for sessions, and what asks for one."""

import marshmallow as ma
from marshmallow import fields, validate

from catalog.fields import Moment, Text
from catalog.pagination import OffsetPageSchema


class SessionSchema(ma.Schema):
    """A session as it is answered, without its token."""

    id = fields.UUID(required=True)
    caller_id = fields.String(required=True, metadata={"description": "As the audit has it", "example": "key:3f9a"})
    name = fields.String(required=True, metadata={"example": "ada"})
    address = fields.String(required=True, allow_none=True, metadata={"example": "192.0.2.7"})
    agent = fields.String(
        required=True, metadata={"description": "What the browser says that it is", "example": "Firefox"}
    )
    created_at = Moment(required=True)
    last_seen_at = Moment(required=True, metadata={"description": "To the minute"})
    ends_at = Moment(required=True, metadata={"description": "At the latest"})


class SessionPageSchema(OffsetPageSchema):
    """One page of a list."""

    items = fields.List(fields.Nested(SessionSchema), required=True)


class SessionQuerySchema(ma.Schema):
    """The page of a list."""

    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))
    offset = fields.Integer(load_default=0, validate=validate.Range(0, 1_000_000))


class CredentialsSchema(ma.Schema):
    """What somebody signs in with: a name and its password, or a key."""

    name = Text(validate=validate.Length(1, 100, error="Please type your name."))
    password = fields.String(validate=validate.Length(1, 1_000, error="Please type your password."))
    key = Text(validate=validate.Length(1, 200, error="Please paste a key."))

    @ma.validates_schema
    def _either(self, given: dict[str, str], **_: object) -> None:
        if given.keys() & {"key", "name", "password"} not in ({"key"}, {"name", "password"}):
            raise ma.ValidationError("Give a name with its password, or a key.")
