"""What the API takes and gives for keys."""

import re
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from catalog.access import SCOPES
from catalog.auth.models import NAME_MAX, NETWORKS_MAX
from catalog.auth.service import PREVIOUS_VALID_HOURS
from catalog.fields import NOT_BLANK, Integer, Moment, Text
from catalog.pagination import OffsetPageSchema

ID = "3fT9aQ0cLmZx"


def _network(text: str) -> None:
    try:
        ip_network(text)
    except ValueError as error:
        raise ma.ValidationError(f"Not a network, e.g. 10.1.0.0/16: {error}.") from error


def _ahead(moment: datetime) -> None:
    if moment <= datetime.now(UTC):
        raise ma.ValidationError("Must lie in the future.")


def _name(**options: Any) -> Text:
    rules = [validate.Length(1, NAME_MAX), validate.Regexp(r".*\S", re.DOTALL, error="Must not be blank.")]
    return Text(validate=rules, metadata={"example": "Warehouse", "pattern": NOT_BLANK}, **options)


def _scopes(**options: Any) -> "fields.List[str]":
    about = {"example": ["products:read", "imports"], "description": "What it may do; `admin` covers all"}
    each = fields.String(validate=validate.OneOf(SCOPES))
    return fields.List(each, validate=validate.Length(1, len(SCOPES)), metadata=about, **options)


class KeyChangeSchema(ma.Schema):
    """The fields to change; what is not given stays as it is."""

    name = _name()
    scopes = _scopes()
    networks = fields.List(
        fields.String(validate=_network),
        validate=validate.Length(max=NETWORKS_MAX),
        metadata={"example": ["10.1.0.0/16"], "description": "Where it may come from; empty: anywhere"},
    )
    expires_at = Moment(
        allow_none=True, validate=_ahead, metadata={"description": "In the future", "example": "2099-12-31T00:00:00Z"}
    )


class KeyCreateSchema(KeyChangeSchema):
    """A new key."""

    class Meta:
        fields = ("name", "scopes", "networks", "expires_at")

    name = _name(required=True)
    scopes = _scopes(required=True)


class KeySchema(ma.Schema):
    """A key as it is answered, without its secret."""

    id = fields.String(required=True, metadata={"example": ID})
    name = fields.String(required=True, metadata={"example": "Warehouse"})
    scopes = fields.List(fields.String(), required=True, metadata={"example": ["products:read", "imports"]})
    networks = fields.List(fields.String(), required=True, metadata={"example": ["10.1.0.0/16"]})
    expires_at = Moment(required=True, allow_none=True)
    revoked_at = Moment(required=True, allow_none=True)
    last_used_at = Moment(required=True, allow_none=True, metadata={"description": "To the minute"})
    previous_valid_until = Moment(
        required=True, allow_none=True, metadata={"description": "Until then the secret before the last rotation works"}
    )
    created_at = Moment(required=True)


class NewKeySchema(KeySchema):
    """A key that has a new secret, with the text that is shown this once."""

    key = fields.String(required=True, metadata={"example": f"cat_live_{ID}_{'x' * 32}0a1b2c3d"})


class KeyPageSchema(OffsetPageSchema):
    """One page of a list."""

    items = fields.List(fields.Nested(KeySchema), required=True)


class KeyQuerySchema(ma.Schema):
    """The filter and the page of a list."""

    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))
    offset = fields.Integer(load_default=0, validate=validate.Range(0, 1_000_000))
    revoked = fields.Boolean(metadata={"description": "Only those that are revoked, or that are not"})


class RotateKeySchema(ma.Schema):
    """How long the old secret goes on working."""

    previous_valid_hours = Integer(
        load_default=PREVIOUS_VALID_HOURS, validate=validate.Range(0, 720), metadata={"example": 24}
    )
