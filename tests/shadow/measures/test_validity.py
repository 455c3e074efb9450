"""Whether an answer keeps what the request demands."""

from typing import Any

import pytest
from tests.shadow.asking import TOOLS, WEATHER, asked, says, schema_format

from llmmigrate.shadow.measures import json_validity, schema_validity, tool_validity, validity
from llmmigrate.shadow.pairs import Answer

JSON = {"type": "json_object"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', 1),
        (' {"a": 1}\n', 1),
        ("[1]", 0),  # json_object means an object
        ('```json\n{"a": 1}\n```', 0),
        ('Here you are: {"a": 1}', 0),
        ('{"a": NaN}', 0),
        ('{"a": 1', 0),
        ("", 0),
        ("I'm sorry, I can't help with that.", 0),
        ("[" * 100_000, 0),
        ("9" * 10_000, 0),
    ],
)
def test_demanded_json(text: str, expected: float) -> None:
    assert json_validity.valid(asked(response_format=JSON), says(text)) == expected


def test_json_of_any_kind_where_a_schema_says_which() -> None:
    assert json_validity.valid(asked(response_format=schema_format({"type": "array"})), says("[1]")) == 1


def test_nothing_is_demanded() -> None:
    assert json_validity.valid(asked(), says("{")) is None
    assert schema_validity.valid(asked(response_format=JSON), says("{}")) is None
    assert tool_validity.valid(asked(tools=TOOLS), says("Hello")) is None


def test_a_tool_call_instead_of_the_demanded_json() -> None:
    both = asked(response_format=schema_format(WEATHER), tools=TOOLS)
    answer = says("", ("weather", '{"city": "Bonn"}'))
    assert json_validity.valid(both, answer) is None
    assert schema_validity.valid(both, answer) is None
    assert tool_validity.valid(both, answer) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"city": "Bonn"}', 1),
        ('{"city": "Bonn", "days": 2.0}', 1),
        ('{"city": 1}', 0),
        ('{"town": "Bonn"}', 0),
        ("no", 0),
    ],
)
def test_demanded_schema(text: str, expected: float) -> None:
    assert schema_validity.valid(asked(response_format=schema_format(WEATHER)), says(text)) == expected


def test_formats_are_not_checked_in_any_draft() -> None:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "string", "format": "date"}
    assert schema_validity.valid(asked(response_format=schema_format(schema)), says('"soon"')) == 1


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strange"},
        {"properties": []},
        {"pattern": "("},
        {"$ref": "http://127.0.0.1:9/schema"},
        {"$ref": "file:///etc/passwd"},
        {"$schema": "http://example.com/own", "type": "string"},
    ],
)
def test_a_schema_that_is_none_or_lies_elsewhere_measures_nothing(schema: Any) -> None:
    assert schema_validity.valid(asked(response_format=schema_format(schema)), says('"abc"')) is None


@pytest.mark.parametrize(
    "schema",
    [{"type": "string", "pattern": "^(a+)+$"}, {"type": "string", "pattern": "^(?=(a+)+$)b"}, {"$ref": "#"}],
)
def test_a_schema_that_would_never_end_ends(schema: Any) -> None:
    found = schema_validity.valid(asked(response_format=schema_format(schema)), says(f'"{"a" * 60}c"'))
    assert found in (0, 1)


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([("weather", '{"city": "Bonn"}')], 1),
        ([("weather", '{"city": "Bonn"}'), ("clock", "{}")], 1),
        ([("weather", '{"city": "Bonn"}'), ("clock", "[]")], 0),
        ([("weather", '{"city": 1}')], 0),
        ([("weather", '{"city": "Bonn"')], 0),
        ([("wether", '{"city": "Bonn"}')], 0),
        ([("clock", '{"anything": "goes"}')], 1),
    ],
)
def test_tool_calls(calls: list[tuple[str, str]], expected: float) -> None:
    assert tool_validity.valid(asked(tools=TOOLS), says("", *calls)) == expected


def test_a_call_where_no_tool_is_offered_cannot_be_carried_out() -> None:
    assert tool_validity.valid(asked(), says("", ("weather", "{}"))) == 0


@pytest.mark.parametrize(
    ("choice", "answer", "expected"),
    [
        ("required", says("No tool for me."), 0),
        ({"type": "function", "function": {"name": "weather"}}, says("No tool for me."), 0),
        ({"type": "function", "function": {"name": "weather"}}, says("", ("clock", "{}")), 0),
        ({"type": "function", "function": {"name": "clock"}}, says("", ("clock", "{}")), 1),
        ("required", says("", ("clock", "{}")), 1),
        ("none", says("Hello"), None),
        ("auto", says("Hello"), None),
    ],
)
def test_a_demanded_call(choice: Any, answer: Any, expected: float | None) -> None:
    assert tool_validity.valid(asked(tools=TOOLS, tool_choice=choice), answer) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (says('{"city": "Bonn"}'), 1),
        (says('{"town": "Bonn"}'), 0),
        (says("Bonn"), 0),
        (says("", ("weather", '{"city": "Bonn"}')), 1),
        (says("", ("weather", "{}")), 0),
        (says(" "), 0),
    ],
)
def test_a_usable_answer_keeps_all_that_is_demanded(answer: Answer, expected: float) -> None:
    both = asked(response_format=schema_format(WEATHER), tools=TOOLS)
    assert validity.valid(both, answer) == expected


def test_free_text_is_usable_when_it_says_something() -> None:
    assert (validity.valid(asked(), says("Hello")), validity.valid(asked(), says(""))) == (1, 0)
