"""What is taken and given for users."""

import re
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from catalog.access import SCOPES
from catalog.fields import NOT_BLANK, Boolean, Moment, Text
from catalog.pagination import OffsetPageSchema
from catalog.users import passwords
from catalog.users.models import NAME_MAX


def _strong(password: str) -> None:
    weakness = passwords.weakness(password)
    if weakness:
        raise ma.ValidationError(weakness)


def _scopes(**options: Any) -> "fields.List[str]":
    about = {"example": ["products:read", "imports"], "description": "What the user may do; `admin` covers all"}
    each = fields.String(validate=validate.OneOf(SCOPES))
    return fields.List(each, validate=validate.Length(1, len(SCOPES)), metadata=about, **options)


class UserChangeSchema(ma.Schema):
    """The fields to change; what is not given stays as it is."""

    scopes = _scopes()
    disabled = Boolean(metadata={"description": "A disabled user cannot sign in; open sessions are over at once"})


class NewPasswordSchema(ma.Schema):
    """A password that is set."""

    password = fields.String(required=True, validate=_strong, load_only=True)


class UserCreateSchema(NewPasswordSchema):
    """A new user."""

    name = Text(
        required=True,
        validate=[
            validate.Length(1, NAME_MAX),
            validate.Regexp(r"\S(.*\S)?$", re.DOTALL, error="Must not be blank, nor begin or end with space."),
        ],
        metadata={"example": "ada", "pattern": NOT_BLANK},
    )
    scopes = _scopes(required=True)


class OwnPasswordSchema(NewPasswordSchema):
    """A password that its user changes."""

    present = fields.String(required=True, load_only=True)


class UserSchema(ma.Schema):
    """A user as it is answered."""

    id = fields.UUID(required=True)
    name = fields.String(required=True, metadata={"example": "ada"})
    scopes = fields.List(fields.String(), required=True, metadata={"example": ["products:read", "imports"]})
    disabled = fields.Boolean(required=True, attribute="is_disabled")
    last_sign_in_at = Moment(required=True, allow_none=True)
    created_at = Moment(required=True)


class UserPageSchema(OffsetPageSchema):
    """One page of a list."""

    items = fields.List(fields.Nested(UserSchema), required=True)


class UserQuerySchema(ma.Schema):
    """The page of a list."""

    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))
    offset = fields.Integer(load_default=0, validate=validate.Range(0, 1_000_000))
