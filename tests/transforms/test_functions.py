"""What each transform makes of its arguments."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import ValidationFailed
from catalog.transforms import service
from catalog.transforms.arguments import MAX_CHARACTERS

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12)

EXAMPLES = [
    ("add", ["5", "7"], "12"),
    ("add", ["0.1", "0.2"], "0.3"),
    ("add", [5, Decimal("7.25")], "12.25"),
    ("subtract", ["1", "0.9"], "0.1"),
    ("multiply", ["1.1", "1.1"], "1.21"),
    ("multiply", ["0.00", "1"], "0"),
    ("divide", ["1", "8"], "0.125"),
    ("divide", ["100", "5"], "20"),
    ("divide", ["123456789012345678901234567891", "2"], "61728394506172839450617283945.5"),
    ("round_to", ["2.345"], "2.35"),
    ("round_to", ["-2.5", "0"], "-3"),
    ("round_to", ["2", "2"], "2.00"),
    ("to_lowercase", ["HOLA"], "hola"),
    ("to_uppercase", ["straße"], "STRASSE"),
    ("title_case", ["dEsk o'neil's läMPE x2"], "Desk O'neil's Lämpe X2"),
    ("strip", ["  a b\t\n"], "a b"),
    ("strip", ["**a**", "*"], "a"),
    ("collapse_spaces", [" a \n\t b\u00a0c "], "a b c"),
    ("replace", ["1,5", ",", "."], "1.5"),
    ("replace", ["a.c", ".", ""], "ac"),
    ("regex_extract", ["Art. 123-b", r"\d+"], "123"),
    ("regex_extract", ["Größe: XL rot", r"Größe: (\w+) (\w+)", "2"], "rot"),
    ("regex_extract", ["nothing", r"\d+"], ""),
    ("regex_extract", ["ac", r"a(b)?c", 1], ""),
    ("truncate", ["abcdef", "4"], "abcd"),
    ("truncate", ["abcdef", "4", "…"], "abc…"),
    ("truncate", ["abc", 3], "abc"),
    ("slugify", ["  Größe & Œuf, ñandú! "], "groesse-oeuf-nandu"),
    ("slugify", ["Łódź, Đurđa, Þór, \u0131l\u0131k"], "lodz-durda-thor-ilik"),
    ("slugify", ["日本"], ""),
    ("strip_html", ["<p>a &amp; b</p><script>x()</script><b>c</b>"], "a & b\nc"),
    ("strip_html", ["1 < 2 &lt;b&gt;"], "1 < 2 <b>"),
    ("strip_html", ['<a title="1>0">x</a><br/>y<!-- <b> --><style>p{}'], "x\ny"),
    ("parse_number", ["1,234.5"], "1234.5"),
    ("parse_number", ["1.234.567,50", "de"], "1234567.50"),
    ("parse_number", ["1\u202f234,5", "fr"], "1234.5"),
    ("parse_number", ["-1'234.5", "ch"], "-1234.5"),
    ("parse_number", ["1234", "de"], "1234"),
    ("parse_number", [".5"], "0.5"),
    ("parse_bool", [" Ja "], "true"),
    ("parse_bool", ["NEIN"], "false"),
    ("parse_currency", ["1.299,00 €", "de"], "1299.00"),
    ("parse_currency", ["EUR 5"], "5"),
    ("parse_currency", ["$1,234.50"], "1234.50"),
    ("parse_currency", ["CHF 1'200.-", "ch"], "1200"),
    ("convert_unit", ["1", "lb", "g"], "453.59237"),
    ("convert_unit", ["2.5", "KG", "g"], "2500"),
    ("convert_unit", ["12", "in", "cm"], "30.48"),
    ("convert_unit", ["750", "ml", "l"], "0.75"),
    ("convert_unit", ["-40", "c", "f"], "-40"),
    ("convert_unit", ["0", "k", "c"], "-273.15"),
    ("default_if_empty", [" ", "x"], "x"),
    ("default_if_empty", ["a", "x"], "a"),
    ("concat", ["a", "-", "b"], "a-b"),
    ("concat", ["a"], "a"),
    ("split_take", ["a > b > c", ">", "2"], "b"),
    ("split_take", ["a > b > c", ">", -1], "c"),
    ("split_take", ["a", ">", "2"], ""),
    ("map_values", ["S", '{"S": "small"}'], "small"),
    ("map_values", ["X", {"S": "small"}, "other"], "other"),
]

FAILURES = [
    ("divide", ["1", "0"], "zero"),
    ("multiply", ["9" * 30, "9" * 30], "30 digits"),
    ("round_to", ["1", "31"], "places"),
    ("replace", ["a", "", "b"], "must not be empty"),
    ("replace", ["a" * 1000, "a", "b" * 1000], "more than 131,072"),
    ("regex_extract", ["a", "(a"], "RE2"),
    ("regex_extract", ["a", r"(?=a)"], "RE2"),
    ("regex_extract", ["a", "((a{1000}){1000}){1000}"], "RE2"),
    ("regex_extract", ["a", "a" * 1001], "at most 1,000"),
    ("regex_extract", ["a", "a", "1"], "no group 1"),
    ("truncate", ["a", "-1"], "length"),
    ("parse_number", ["1.23", "de"], "not a number in the style de"),
    ("parse_number", ["1,23.4"], "not a number"),
    ("parse_number", [""], "not a number"),
    ("parse_number", ["\u0661\u0662"], "not a number"),
    ("parse_bool", ["maybe"], "neither yes nor no"),
    ("parse_currency", ["5 bananas"], "not a number"),
    ("convert_unit", ["1", "kg", "m"], "go together"),
    ("split_take", ["a", "", "1"], "separator"),
    ("map_values", ["X", {"S": "small"}], "no entry for 'X'"),
    ("concat", ["a" * MAX_CHARACTERS, "b"], "131,072"),
]

WRONG = [
    ("add", ["1"], "other", "Missing argument."),
    ("add", ["1", "2", "3"], "arguments", "Takes at most 2"),
    ("add", ["1", "x"], "other", "Must be a number"),
    ("add", ["1", True], "other", "Must be a number"),
    ("add", ["1", "1e9"], "other", "Must be a number"),
    ("add", ["1", Decimal("1E+999999")], "other", "30 digits"),
    ("add", {"number": 1, "b": 2}, "b", "no such argument"),
    ("to_lowercase", [["a"]], "text", "Must be a text."),
    ("to_lowercase", ["a" * (MAX_CHARACTERS + 1)], "text", "131,072"),
    ("truncate", ["a", "1.5"], "length", "whole number"),
    ("parse_number", ["1", "xx"], "style", "Must be one of: en, de, fr, ch."),
    ("map_values", ["a", "[1]"], "table", "JSON object"),
]


@pytest.mark.parametrize(("name", "arguments", "text"), EXAMPLES)
def test_a_transform_does_what_it_says(name, arguments, text):
    assert service.text_of(service.call(name, arguments)) == text


def test_every_transform_of_ours_has_an_example():
    ours = {transform.name for transform in service.listing() if transform.function.__module__.startswith("catalog.")}
    assert ours == {name for name, _, _ in EXAMPLES}


@pytest.mark.parametrize(("name", "arguments", "reason"), FAILURES)
def test_a_value_that_cannot_be_is_refused_with_the_transforms_name(name, arguments, reason):
    with pytest.raises(service.TransformFailed, match=f"^The transform `{name}` failed") as refusal:
        service.call(name, arguments)
    assert reason in refusal.value.detail


@pytest.mark.parametrize(("name", "arguments", "field", "message"), WRONG)
def test_a_wrong_argument_is_refused_by_its_name(name, arguments, field, message):
    with pytest.raises(ValidationFailed) as refusal:
        service.call(name, arguments)
    assert refusal.value.errors[0]["field"] == field
    assert message in refusal.value.errors[0]["message"]


def test_a_hostile_pattern_takes_no_more_time_than_another():
    began = time.process_time()
    for pattern in ("(a+)+$", "(a|aa)+$", "(.*)*x", "(a?){500}a{500}$"):
        assert service.call("regex_extract", ["a" * 5_000 + "!", pattern]) == ""
    assert time.process_time() - began < 5  # backtracking would take longer than the sun has


@pytest.mark.parametrize("piece", ["<", "<a ", "<!--", "</", "<a b='", "<script>", "&", " ", "<a ' \"", "<p>"])
def test_hostile_markup_takes_no_more_time_than_other(piece):
    began = time.process_time()
    service.call("strip_html", [piece * (MAX_CHARACTERS // len(piece))])
    assert time.process_time() - began < 5


@given(NUMBERS, NUMBERS)
def test_arithmetic_is_exact(one, other):
    assert service.call("subtract", [service.call("add", [one, other]), other]) == one
    assert service.call("multiply", [one, other]) == service.call("multiply", [other, one])


@given(NUMBERS, st.sampled_from([("en", ",", "."), ("de", ".", ","), ("fr", " ", ","), ("ch", "'", ".")]))
def test_a_number_is_read_as_it_was_written(number, style):
    name, mark, point = style
    written = f"{number:,f}".translate(str.maketrans({",": mark, ".": point}))
    assert service.call("parse_number", [written, name]) == number


@given(st.text())
def test_texts_of_any_kind_end_in_a_text(text):
    for name in ("to_lowercase", "title_case", "strip", "collapse_spaces", "slugify", "strip_html"):
        assert isinstance(service.call(name, [text]), str)


@given(st.text())
def test_a_slug_is_fit_for_an_address_and_stays_itself(text):
    slug = service.call("slugify", [text])
    assert all(character in "abcdefghijklmnopqrstuvwxyz0123456789-" for character in slug)
    assert service.call("slugify", [slug]) == slug


def test_steps_are_taken_one_after_the_other():
    steps = service.steps(["strip", "parse_currency:de", "multiply:1.19", "round_to:2"])
    assert service.through(steps, " 1.000,00 € ") == "1190.00"


@pytest.mark.parametrize(
    ("step", "text", "result"),
    [
        (r"replace:\::;", "a:b", "a;b"),
        (["replace", ":", "."], "a:b", "a.b"),
        (r"regex_extract:(\d+)x:1", "a12x", "12"),
        (["map_values", {"S": "small"}], "S", "small"),
        ("concat:-:b", "a", "a-b"),
        ("replace:-:", "a-b", "ab"),
    ],
)
def test_a_step_is_a_text_with_colons_or_a_list(step, text, result):
    assert service.through(service.steps([step]), text) == result


@pytest.mark.parametrize("step", [7, [], [7], None, {"name": "strip"}])
def test_what_is_no_step_is_refused(step):
    with pytest.raises(ValidationFailed):
        service.steps([step])


@pytest.mark.parametrize(
    ("steps", "text", "result"),
    [
        (["parse_number:de", "round_to:2"], " ", ""),
        (["default_if_empty:0", "parse_number"], "", "0"),
        (["subtract:1", "add:5"], "1", "5"),  # nought is not empty
        (["concat:x"], "", "x"),
    ],
)
def test_an_empty_text_passes_by_what_makes_nothing_of_it(steps, text, result):
    assert service.through(service.steps(steps), text) == result


def test_whatever_a_packages_function_raises_is_a_failure_of_its_name(monkeypatch):
    def broken(text: str, _: None) -> str:
        return {}[text]

    step = service.Step("strip", [])
    monkeypatch.setattr(step, "transform", replace(step.transform, function=broken))
    with pytest.raises(service.TransformFailed, match=r"`strip` failed: KeyError"):
        step.apply("a")
