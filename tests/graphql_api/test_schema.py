"""The schema as it is written down, and the examples of GraphiQL."""

import json
import sys

from graphql import validate
from graphql.language import parse

from catalog.config import ROOT
from catalog.graphql_api.schema import core, schema

EXAMPLES = json.loads((ROOT / "catalog/graphql_api/static/examples.json").read_text())
sys.path.insert(0, str(ROOT / "tools"))


def test_the_schema_is_the_one_that_is_written_down():
    """`python3 manage.py graphql --export` writes it."""
    assert (ROOT / "docs/schema.graphql").read_text() == schema.as_str() + "\n"


def test_every_operation_has_an_example_that_is_valid():
    shown = set()
    for example in EXAMPLES:
        document = parse(example["query"])
        assert validate(core, document) == [], example["query"]
        shown |= {field.name.value for field in document.definitions[0].selection_set.selections}  # type: ignore[attr-defined]
    assert shown == {*core.query_type.fields, *core.mutation_type.fields}


def test_every_example_runs(ask):
    for example in EXAMPLES:
        body = ask(example["query"], **(example["variables"] or {}))
        codes = {error["extensions"]["code"] for error in body.get("errors", [])}
        assert codes <= {"not_found", "validation_error"}, body  # an example's host need not exist


def test_the_vendored_files_are_those_that_were_recorded():
    import vendor

    assert vendor.differing() == []
