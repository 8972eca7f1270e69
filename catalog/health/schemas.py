"""What the API answers about itself."""

import marshmallow as ma
from marshmallow import fields, validate


class RootSchema(ma.Schema):
    """What this is."""

    service = fields.String(required=True, metadata={"example": "catalog"})
    status = fields.String(required=True, metadata={"example": "ok"})
    docs = fields.String(required=True, metadata={"example": "/api/docs"})


class LiveSchema(ma.Schema):
    """That the process runs."""

    status = fields.String(required=True, metadata={"example": "ok"})


class DependencySchema(ma.Schema):
    """A server that is depended on."""

    status = fields.String(required=True, validate=validate.OneOf(["ok", "unavailable"]))
    milliseconds = fields.Float(required=True, metadata={"example": 0.8})


class ReplicaSchema(DependencySchema):
    """The replica that lists may read; `unavailable` where the primary answers for it."""

    lag_seconds = fields.Float(
        required=True, allow_none=True, metadata={"example": 0.6, "description": "How old at most what it shows is"}
    )


class DependenciesSchema(ma.Schema):
    """All of them."""

    database = fields.Nested(DependencySchema, required=True)
    queue = fields.Nested(DependencySchema, required=True)
    cache = fields.Nested(DependencySchema, required=True)
    replica = fields.Nested(ReplicaSchema, metadata={"description": "Only where there is one"})


class BeatsSchema(ma.Schema):
    """How long ago each was heard, in seconds; null where it never was."""

    clock = fields.Float(required=True, allow_none=True, metadata={"example": 0.4})
    worker = fields.Float(required=True, allow_none=True, metadata={"example": 12.5})


class HealthSchema(ma.Schema):
    """How the service is."""

    status = fields.String(required=True, validate=validate.OneOf(["ok", "degraded", "unavailable", "draining"]))
    version = fields.String(required=True, metadata={"example": "0.1.0"})
    access = fields.String(
        required=True,
        validate=validate.OneOf(["open", "keys"]),
        metadata={"description": "`open`: this machine needs no key"},
    )
    dependencies = fields.Nested(DependenciesSchema, required=True)
    last_beat_seconds = fields.Nested(BeatsSchema, required=True, allow_none=True)


class HelloSchema(ma.Schema):
    """The service by name."""

    service = fields.String(required=True, metadata={"example": "catalog"})
    version = fields.String(required=True, metadata={"example": "0.1.0"})
    environment = fields.String(required=True, validate=validate.OneOf(["development", "production"]))
    database = fields.String(required=True, validate=validate.OneOf(["reachable", "unreachable"]))
