"""How much a document may ask for. Each walk goes once over the document, however often its fragments are used."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLObjectType,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from catalog.graph import MAX_PAGE
from catalog.graphql_api.errors import Refused
from catalog.graphql_api.schema import core

MAX_CHARACTERS = 20_000
MAX_TOKENS = 1_000
MAX_DEPTH = 8
MAX_ALIASES = 15
MAX_FIELDS = 100  # side by side, far more than any type has
MAX_DEFINITIONS = 30  # validation holds each fragment against each
MAX_COST = 10_000

# A request may hold a thread for ten seconds with the first: one in a document is enough.
WEIGHTS = {"testWebhook": 6_000}
_INTROSPECTION = ("__schema", "__type")

Fragments = Mapping[str, FragmentDefinitionNode]


def check(document: DocumentNode) -> None:
    """Refuse a document with too many aliases, too deep, or with fragments that hold themselves. Raises Refused."""
    if len(document.definitions) > MAX_DEFINITIONS:
        raise Refused(f"The document has more than {MAX_DEFINITIONS} definitions.", "too_many_definitions")
    depth = Depth(fragments_of(document))
    aliases = repeats = introspections = 0
    for fields in _fields_side_by_side(document):
        aliases += sum(each.alias is not None for each in fields)
        repeats += len(fields) - len(Counter(_answer_name(each) for each in fields))
        introspections += sum(each.name.value in _INTROSPECTION for each in fields)
    _check_counts(aliases, repeats, introspections)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            depth.of(definition.selection_set)


def _check_counts(aliases: int, repeats: int, introspections: int) -> None:
    if aliases > MAX_ALIASES:
        raise Refused(f"The document has {aliases} aliases; {MAX_ALIASES} are allowed.", "too_many_aliases")
    if repeats > MAX_ALIASES:  # comparing each with each is what validation would do
        raise Refused(f"The document repeats {repeats} fields; {MAX_ALIASES} are allowed.", "too_many_aliases")
    if introspections > 1 or (introspections and aliases):
        raise Refused("A document that asks about the schema does so once, without aliases.", "too_many_aliases")


def fragments_of(document: DocumentNode) -> Fragments:
    """Return the document's fragments by name."""
    return {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}


def _answer_name(field: FieldNode) -> str:
    return (field.alias or field.name).value


def _fields_side_by_side(document: DocumentNode) -> Iterator[list[FieldNode]]:
    """Yield the fields of each selection set. Raises Refused for one with too many."""
    waiting: list[Any] = [getattr(each, "selection_set", None) for each in document.definitions]
    while waiting:
        selections = getattr(waiting.pop(), "selections", ())
        if len(selections) > MAX_FIELDS:
            raise Refused(f"More than {MAX_FIELDS} fields stand side by side.", "too_many_fields")
        yield [each for each in selections if isinstance(each, FieldNode)]
        waiting += [getattr(each, "selection_set", None) for each in selections]


class Depth:
    """The depth of selections: 1 for fields without fields of their own. What asks about the schema counts as 1."""

    def __init__(self, fragments: Fragments):
        self._fragments = fragments
        self._known: dict[str, int] = {}
        self._open: list[str] = []

    def of(self, selections: SelectionSetNode, above: int = 0) -> int:
        """Return the depth below and with these selections. Raises Refused where it is too deep, or has no end."""
        if above > MAX_DEPTH:
            raise Refused(f"The document is nested deeper than {MAX_DEPTH} levels.", "too_deep")
        depth = max((self._of_selection(each, above) for each in selections.selections), default=0)
        if above + depth > MAX_DEPTH:
            raise Refused(f"The document is nested deeper than {MAX_DEPTH} levels.", "too_deep")
        return depth

    def _of_selection(self, selection: Any, above: int) -> int:
        if isinstance(selection, FragmentSpreadNode):
            return self._of_fragment(selection.name.value)
        if isinstance(selection, InlineFragmentNode):
            return self.of(selection.selection_set, above)
        if selection.selection_set is None or selection.name.value in _INTROSPECTION:
            return 1
        return 1 + self.of(selection.selection_set, above + 1)

    def _of_fragment(self, name: str) -> int:
        if name in self._open:
            raise Refused(f"The fragment {name!r} holds itself.", "graphql_invalid")
        if name not in self._known and name in self._fragments:
            self._open.append(name)
            self._known[name] = self.of(self._fragments[name].selection_set)
            self._open.pop()
        return self._known.get(name, 0)


class Cost:
    """How many fields an operation may make us answer: each counts as often as the lists around it may be long."""

    def __init__(self, fragments: Fragments, variables: Mapping[str, Any]):
        self._fragments, self._variables = fragments, variables
        self._known: dict[str, int] = {}

    def check(self, operation: OperationDefinitionNode) -> int:
        """Return what an operation costs. Raises Refused for one that costs too much."""
        root = core.get_root_type(operation.operation)
        cost = self._of(operation.selection_set, root)
        if cost > MAX_COST:
            raise Refused(f"The operation costs {cost:,}; {MAX_COST:,} are allowed. Ask for less.", "too_expensive")
        return cost

    def _of(self, selections: SelectionSetNode, parent: GraphQLNamedType | None) -> int:
        return sum(self._of_selection(each, parent) for each in selections.selections)

    def _of_selection(self, selection: Any, parent: GraphQLNamedType | None) -> int:
        if isinstance(selection, InlineFragmentNode):
            return self._of(selection.selection_set, parent)
        if isinstance(selection, FragmentSpreadNode):
            return self._of_fragment(selection.name.value)
        field = parent.fields.get(selection.name.value) if isinstance(parent, GraphQLObjectType) else None
        if field is None or selection.selection_set is None:  # a scalar, or about the schema
            return 1
        own = WEIGHTS.get(selection.name.value, 1)
        below = self._of(selection.selection_set, get_named_type(field.type))
        return own + below * self._length(selection, field.args)

    def _of_fragment(self, name: str) -> int:
        if name not in self._known:
            fragment = self._fragments[name]
            on = core.get_type(fragment.type_condition.name.value)
            self._known[name] = self._of(fragment.selection_set, on)
        return self._known[name]

    def _length(self, field: FieldNode, arguments: Mapping[str, Any]) -> int:
        """Return how many items a list may have; an argument beyond the limit is for the schema to refuse."""
        if "first" not in arguments:
            return 1
        given = next((each.value for each in field.arguments or () if each.name.value == "first"), None)
        if given is None:
            return int(arguments["first"].default_value)
        length = int(given.value) if isinstance(given, IntValueNode) else None
        if isinstance(given, VariableNode):
            length = self._variables.get(given.name.value)
        return length if isinstance(length, int) and 0 <= length <= MAX_PAGE else MAX_PAGE
