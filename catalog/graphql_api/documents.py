"""Documents, read once: parsed, held against the limits and the schema, and kept by their text.

Parsing and validating is most of the work of a small query. strawberry's own limits would do all of it anew each time:
they make new rules, so new keys for its cache, with every request.
"""

from functools import lru_cache

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    parse,
    specified_rules,
    validate,
)

from catalog.graphql_api import limits
from catalog.graphql_api.errors import Refused
from catalog.graphql_api.schema import core

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
