"""The GraphQL schema, put together from the features' resolvers as app.py puts together their routes."""

from collections.abc import Iterator
from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLObjectType, GraphQLSchema
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types

from catalog.access import SCOPES, Undeclared
from catalog.graph import SCALARS, scope_of
from catalog.imports import resolvers as imports
from catalog.orders import resolvers as orders
from catalog.products import resolvers as products
from catalog.tasks import resolvers as tasks
from catalog.webhooks import resolvers as webhooks

FEATURES = (products, imports, webhooks, tasks, orders)

Query = merge_types("Query", tuple(feature.Query for feature in FEATURES))
Mutation = merge_types("Mutation", tuple(feature.Mutation for feature in FEATURES))


class _Prepared(SchemaExtension):
    """Executes the document that is given as the context: it is parsed and validated already."""

    def on_parse(self) -> Iterator[None]:
        """Hand the document over, with no errors, so that it is not validated again."""
        self.execution_context.graphql_document = self.execution_context.context["document"]
        self.execution_context.pre_execution_errors = []
        yield


class Schema(strawberry.Schema):
    """strawberry's schema, which would log each refusal as a failure with its traceback: errors.py logs."""

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Do nothing."""


def declared_scopes(core: GraphQLSchema) -> dict[tuple[str, str], str]:
    """Return the scope of each field that asks a service, by its type and name.

    Raises Undeclared for those that declare none. A field that shows what another has found needs none.
    """
    found = {
        (kind.name, name): scope_of(field.extensions["strawberry-definition"])
        for kind in core.type_map.values()
        if isinstance(kind, GraphQLObjectType)
        for name, field in kind.fields.items()
        if getattr(field.extensions.get("strawberry-definition"), "base_resolver", None)
    }
    wrong = [f"{kind}.{name}" for (kind, name), scope in found.items() if scope not in SCOPES]
    if wrong:
        raise Undeclared(f"Declare these GraphQL fields with metadata=needs(…): {', '.join(wrong)}")
    return {field: scope for field, scope in found.items() if scope}


schema = Schema(
    Query,
    Mutation,
    config=StrawberryConfig(scalar_map=dict(SCALARS)),
    extensions=[_Prepared],
)
core: GraphQLSchema = schema._schema  # graphql-core's, for validating
scopes = declared_scopes(core)
