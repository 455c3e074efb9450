"""The formats: one report, and names in it that want to break out."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate import registry
from llmmigrate.reports import Report
from llmmigrate.reports.formats import csv as csv_format
from llmmigrate.reports.formats import json as json_format
from llmmigrate.reports.formats import markdown, table
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table

EVIL = "<script>alert(1)</script>|*x*\n# [a](javascript:b) @user `c` \x1b[31m"
REPORT = Report(
    document={"schema": "x/1", "cost": Decimal("96.7913250"), "at": datetime(2026, 11, 22, 1, tzinfo=UTC)},
    page=[
        Paragraph("Spent 4,060.08 USD in 30.0 days.", strong=True),
        Table(
            columns=[Column("Model"), Column("Cost", "right")],
            rows=[[EVIL, "1.00"]],
            footer=[["Total", "1.00"]],
            title="By model",
        ),
        Bullets("Assumes", ["same tokens"]),
        Paragraph("2 calls have no usage.", kind="warning"),
        Command("llmmigrate estimate 'a b.jsonl'"),
    ],
    records=[{"model": "o3", "cost": Decimal("1.10")}],
)


def test_the_formats_are_found_by_name() -> None:
    assert registry.names("reports.formats") == ["csv", "github", "html", "json", "junit", "markdown", "table"]


@pytest.mark.parametrize("name", registry.names("reports.formats"))
def test_every_format_is_the_same_twice_and_ends_its_last_line(name: str) -> None:
    render = registry.load("reports.formats", name).render
    assert render(REPORT) == render(REPORT)
    assert render(REPORT).endswith("\n")


def test_table_shows_answer_table_and_command() -> None:
    text = table.render(REPORT)
    assert text.startswith("Spent 4,060.08 USD in 30.0 days.\n\nBy model\n Model")
    assert text.endswith("\n\nwarning: 2 calls have no usage.\n\n→ llmmigrate estimate 'a b.jsonl'\n")


def test_table_wraps_words_but_never_a_number_or_a_command() -> None:
    page: list[Block] = [
        Paragraph("It was 1,234,567,890,123,456,789.00 USD then."),
        Command("llmmigrate estimate " + "x" * 60),
    ]
    assert table.render(Report(document={}, page=page), width=24).splitlines() == [
        "It was",
        "1,234,567,890,123,456,789.00",
        "USD then.",
        "",
        "→ llmmigrate estimate " + "x" * 60,
    ]


def test_table_colours_add_nothing_but_colours() -> None:
    plain, colored = table.render(REPORT, width=60), table.render(REPORT, width=60, color=True)
    for style in ("\x1b[1m", "\x1b[33m", "\x1b[0m"):
        assert style in colored
        colored = colored.replace(style, "")
    assert colored == plain


def test_json_is_canonical() -> None:
    assert json_format.render(REPORT) == (
        '{\n  "at": "2026-11-22T01:00:00Z",\n  "cost": "96.791325",\n  "schema": "x/1"\n}\n'
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [("1E+3", "1000"), ("1E-9", "0.000000001"), ("-0.00", "0"), ("2.50", "2.5"), ("335.58202375", "335.58202375")],
)
def test_json_decimals_are_plain(number: str, text: str) -> None:
    assert json_format.decimal_text(Decimal(number)) == text


def test_json_instants_are_utc() -> None:
    instant = datetime(2026, 1, 1, 1, 30, 0, 250000, tzinfo=timezone(timedelta(hours=2)))
    assert json_format.instant_text(instant) == "2025-12-31T23:30:00.250000Z"


@pytest.mark.parametrize("value", [Decimal("NaN"), float("inf"), datetime(2026, 1, 1), {1: 2}, {1, 2}, b"x"])
def test_json_refuses_what_has_no_form(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        json_format.canonical({"x": value})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters()), lambda x: st.lists(x, max_size=3)
    )
)
def test_json_round_trips(value: Any) -> None:
    text = json_format.canonical(value)
    assert json.loads(text) == value
    text.encode()


def test_csv_is_rfc_4180_with_raw_numbers() -> None:
    records: list[dict[str, Any]] = [
        {"model": 'a,"b"', "cost": Decimal("-1234.50"), "calls": 3},
        {"model": "c", "cost": None, "late": True},
    ]
    text = csv_format.render(Report(document={}, page=[], records=records))
    assert text == 'model,cost,calls,late\r\n"a,""b""",-1234.5,3,\r\nc,,,true\r\n'


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "\uff1d1", "-2+3+cmd|' /C calc'!A0"]
)
def test_csv_text_is_never_a_formula(name: str) -> None:
    text = csv_format.render(Report(document={}, page=[], records=[{name: name}]))
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert all(cell.startswith("'") for cell in cells)


def test_markdown_shows_names_as_they_are() -> None:
    text = markdown.render(REPORT)
    row = next(line for line in text.splitlines() if "script" in line)
    name = r"&lt;script&gt;alert\(1\)&lt;/script&gt;\|\*x\*\\n\# \[a\]\(javascript:b\) &#64;user \`c\` \\x1b\[31m"
    assert row == f"| {name} | 1.00 |"
    assert "<" not in text


def test_markdown_tables_align_numbers() -> None:
    assert "| Model | Cost |\n| --- | ---: |\n" in markdown.render(REPORT)


def test_markdown_totals_are_strong() -> None:
    assert "| **Total** | **1.00** |" in markdown.render(REPORT)


def test_markdown_commands_are_code_that_cannot_be_closed() -> None:
    text = markdown.render(Report(document={}, page=[Command("x ```` y")]))
    assert text == "`````sh\nx ```` y\n`````\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. x", r"1\. x"),
        ("- x", r"\- x"),
        ("+ x", r"\+ x"),
        ("# x", r"\# x"),
        ("gpt-4.1", "gpt-4.1"),
        ("12) x", r"12\) x"),
    ],
)
def test_markdown_text_starts_no_block(text: str, expected: str) -> None:
    assert markdown.escaped(text) == expected
