"""Tables at every width: no number loses a digit, no line runs over without need."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from llmmigrate.reports import Report
from llmmigrate.reports.formats.table import render
from llmmigrate.reports.tables import Column, Table
from llmmigrate.reports.text import table_lines

COLUMNS = [
    Column("Model"),
    Column("Calls", "right", drop=2),
    Column("Input", "right", drop=1),
    Column("USD / month", "right"),
    Column("Note", drop=3),
]
ROWS = [
    ["o3", "118,204", "512,400,000", "2,494.25", "a long note about this model that no terminal shows whole"],
    ["\x1b[31mgpt\u202e-4o\r\n", "84,930", "301,800,000", "1,339.25", "[red]x[/red]"],
    ["模型" * 30, "1", "2", "0.00042", ""],
    ["x" * 5000, "402,611", "388,000,000", "226.58", "\x00"],
]
TABLE = Table(columns=COLUMNS, rows=ROWS, footer=[["Total", "605,746", "1,202,200,002", "4,060.08", ""]])
WIDTHS = [40, 60, 80, 120, None]


def numbers(column: int) -> list[str]:
    return [row[column] for row in (*TABLE.rows, *TABLE.footer)]


@pytest.mark.parametrize("width", WIDTHS)
def test_every_shown_number_is_whole(width: int | None) -> None:
    lines = table_lines(TABLE, width)
    shown = [index for index in (1, 2, 3) if COLUMNS[index].name in lines[0]]
    assert 3 in shown
    words = [line.split() for line in lines]
    assert [number for index in shown for number in numbers(index) if not any(number in line for line in words)] == []


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(cell_len(line) for line in table_lines(TABLE, width)) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_from_a_log_steers_the_terminal(width: int | None) -> None:
    assert [char for line in table_lines(TABLE, width) for char in line if char in "\x1b\x00\r\n\u202e"] == []


@pytest.mark.parametrize(
    ("width", "hidden"),
    [(40, ["Calls", "Input", "Note"]), (60, ["Input"]), (80, []), (120, []), (None, [])],
)
def test_columns_go_whole_and_in_the_declared_order(width: int | None, hidden: list[str]) -> None:
    lines = table_lines(TABLE, width)
    assert [column.name for column in COLUMNS if column.name not in lines[0]] == hidden
    notice = f"{len(hidden)} column{'s' * (len(hidden) > 1)} hidden: widen the terminal or use --format json"
    assert " ".join(lines).endswith(notice) is bool(hidden)


def test_in_natural_width_nothing_but_an_endless_name_is_cut() -> None:
    lines = table_lines(TABLE, None)
    assert "a long note about this model that no terminal shows whole" in lines[2]
    assert max(cell_len(line) for line in lines) < 300


def test_numbers_stand_right_and_names_left() -> None:
    table = Table(columns=[Column("Model"), Column("Cost", "right")], rows=[["a", "1.00"], ["bbb", "1,000.00"]])
    assert table_lines(table, None) == [
        " Model       Cost",
        " ────────────────",
        " a           1.00",
        " bbb     1,000.00",
    ]


def test_what_cannot_fit_runs_over_rather_than_lose_a_digit() -> None:
    table = Table(columns=[Column("A", "right"), Column("B", "right")], rows=[["1,234,567,890", "9,876,543,210.12"]])
    assert table_lines(table, 20)[2].split() == ["1,234,567,890", "9,876,543,210.12"]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells in a table of 2 columns"):
        Table(columns=[Column("A"), Column("B")], rows=[["x"]])


@given(
    names=st.lists(st.text(max_size=60), min_size=1, max_size=4),
    amounts=st.lists(st.integers(min_value=0, max_value=10**15), min_size=4, max_size=4),
    width=st.none() | st.integers(min_value=20, max_value=200),
)
def test_amounts_survive_any_names_and_width(names: list[str], amounts: list[int], width: int | None) -> None:
    rows = [[name, f"{amount:,}"] for name, amount in zip(names, amounts, strict=False)]
    lines = table_lines(Table(columns=[Column("Name"), Column("Amount", "right")], rows=rows), width)
    assert [line.split()[-1] for line in lines[2 : 2 + len(rows)]] == [row[1] for row in rows]


@pytest.mark.parametrize("width", [40, 60])
def test_a_title_is_broken_where_the_terminal_ends(width: int) -> None:
    title = "Price per 1M tokens at 2026-11-22T17:44:37Z, and size of what a model can hold"
    table = Table(title=title, columns=[Column("Model")], rows=[["o3"]])
    page = render(Report(document={}, page=[table]), width=width)
    *lines, _head, _rule, _row = page.splitlines()
    assert " ".join(lines) == title
    assert max(map(cell_len, lines)) <= width
