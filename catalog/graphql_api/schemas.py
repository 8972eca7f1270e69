"""What /graphql takes and gives."""

from typing import Any

import marshmallow as ma
from marshmallow import fields

from catalog.strictjson import parse_json

_QUERY = "query Cheapest($first: Int) { allProducts(first: $first) { title price } }"


class RequestSchema(ma.Schema):
    """One operation. What other libraries add, `extensions` say, is left alone."""

    class Meta:
        unknown = ma.EXCLUDE

    query = fields.String(required=True, metadata={"example": _QUERY})
    variables = fields.Dict(keys=fields.String(), allow_none=True, metadata={"example": {"first": 1}})
    operation_name = fields.String(data_key="operationName", allow_none=True)


class GetSchema(ma.Schema):
    """A query in the address; `variables` are JSON."""

    class Meta:
        unknown = ma.EXCLUDE

    query = fields.String(metadata={"example": "{ allProducts(first: 1) { title price } }"})
    variables = fields.String()
    operation_name = fields.String(data_key="operationName")

    @ma.post_load
    def read_variables(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Parse the variables as strictly as a body."""
        text = data.get("variables")
        if text:
            data["variables"] = parse_json(text.encode())
            if not isinstance(data["variables"], dict):
                raise ma.ValidationError("Not a JSON object.", "variables")
        return data


class ExtensionsSchema(ma.Schema):
    """What programs may read of an error."""

    code = fields.String(required=True, metadata={"example": "not_found"})
    errors = fields.List(fields.Dict(), metadata={"description": "As in the REST API, by argument"})
    request_id = fields.String(metadata={"description": "Where the fault is ours"})


class GraphqlErrorSchema(ma.Schema):
    """One error."""

    message = fields.String(required=True, metadata={"example": "There is no such product."})
    path = fields.List(fields.Raw(), metadata={"example": ["product"]})
    locations = fields.List(fields.Dict(), metadata={"example": [{"line": 1, "column": 3}]})
    extensions = fields.Nested(ExtensionsSchema, required=True)


class AnswerSchema(ma.Schema):
    """What an operation answers; `data` is missing where it was not run."""

    data = fields.Dict(allow_none=True)
    errors = fields.List(fields.Nested(GraphqlErrorSchema))
