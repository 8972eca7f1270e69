"""Documents, read once: parsed, held against the limits and the schema, and kept by their text.

Parsing and validating is most of the work of a small query. strawberry's own limits would do all of it anew each time:
they make new rules, so new keys for its cache, with every request.
"""

from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    parse,
    separate_operations,
    specified_rules,
    validate,
    visit,
)

from catalog.graphql_api import limits
from catalog.graphql_api.errors import Refused
from catalog.graphql_api.schema import core, scopes

KEPT = 256
MOST_ERRORS = 5

_OPEN_RULES = tuple(specified_rules)
_CLOSED_RULES = (*_OPEN_RULES, NoSchemaIntrospectionCustomRule)


class Invalid(Exception):
    """A document that is not executed; `errors` say why."""

    def __init__(self, errors: list[GraphQLError]):
        super().__init__(errors)
        self.errors = errors


@lru_cache(maxsize=KEPT)
def prepared(text: str, introspection: bool) -> DocumentNode:
    """Return a document that may be executed; `introspection` allows questions about the schema. Raises Invalid."""
    try:
        document = _parsed(text)
        limits.check(document)
        rules = _OPEN_RULES if introspection else _CLOSED_RULES
        errors = validate(core, document, rules, max_errors=MOST_ERRORS, hide_suggestions=not introspection)
    except Refused as refusal:
        raise Invalid([refusal]) from refusal
    except RecursionError:
        raise Invalid([Refused("The document is nested too deep.", "too_deep")]) from None
    if errors:
        raise Invalid([Refused(each.message, "graphql_invalid", each) for each in errors])
    return document


@lru_cache(maxsize=KEPT)
def scopes_of(text: str, introspection: bool, operation: str | None) -> tuple[str, ...]:
    """Return the scopes that an operation of a document needs, in the order in which it asks for its fields."""
    document = prepared(text, introspection)
    alone = separate_operations(document)
    fields = _Fields(TypeInfo(core))
    visit(alone[operation] if operation else next(iter(alone.values())), TypeInfoVisitor(fields.types, fields))
    return tuple(dict.fromkeys(fields.scopes))


class _Fields(Visitor):
    """Collects the scopes of the fields that are visited, also those of fragments."""

    def __init__(self, types: TypeInfo):
        super().__init__()
        self.types, self.scopes = types, list[str]()

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """Note the scope of a field, if it has one."""
        parent = self.types.get_parent_type()
        scope = scopes.get((parent.name, node.name.value)) if parent else None
        if scope:
            self.scopes.append(scope)


def _parsed(text: str) -> DocumentNode:
    if len(text) > limits.MAX_CHARACTERS:
        raise Refused(f"The document is longer than {limits.MAX_CHARACTERS:,} characters.", "too_many_tokens")
    try:
        return parse(text, max_tokens=limits.MAX_TOKENS)
    except GraphQLSyntaxError as error:
        raise Refused(error.message, _code(error.message), error) from error


def _code(message: str) -> str:
    """Return why a text could not be parsed, which the parser tells in words only."""
    if "nested too deeply" in message:
        return "too_deep"
    return "too_many_tokens" if "tokens. Parsing aborted" in message else "graphql_syntax_error"
