"""Tables for a terminal of any width, and for none.

A number keeps all its digits. Where the natural width does not fit, text columns are shortened to a readable rest;
then whole columns go, in the order that the table declares, with a notice; then text columns shrink to little. What
still does not fit runs over the edge rather than lose a digit.
"""

import textwrap
from collections.abc import Sequence

import msgspec
from rich.cells import cell_len, set_cell_size

from llmmigrate.reports.escape import visible
from llmmigrate.reports.tables import Column, Table

GAP = 3
INDENT = 1
READABLE = 16
SMALLEST = 8
LONGEST = 120
"""Text wider than this is cut even in natural width; every format but the table has it whole."""

_ELLIPSIS = "…"


class _Grid(msgspec.Struct, frozen=True):
    """The cells of a table with what hides in them made visible."""

    columns: Sequence[Column]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    footer: Sequence[Sequence[str]]

    def widths(self) -> list[int]:
        return [max(cell_len(row[index]) for row in self.all_rows()) for index in range(len(self.columns))]

    def all_rows(self) -> list[Sequence[str]]:
        return [self.head, *self.rows, *self.footer]

    def without(self, dropped: int) -> "_Grid":
        def rest(cells: Sequence[str]) -> list[str]:
            return [cell for index, cell in enumerate(cells) if index != dropped]

        kept = [column for index, column in enumerate(self.columns) if index != dropped]
        return _Grid(kept, rest(self.head), [rest(row) for row in self.rows], [rest(row) for row in self.footer])


def table_lines(table: Table, width: int | None) -> list[str]:
    """The lines of `table` for `width` columns, or in natural width for None; the header is the first line.

    A title is not part of them. The notice about hidden columns is the last line.
    """
    grid, hidden = _fitting(_grid(table), width)
    widths = _shortened(grid, grid.widths(), width, SMALLEST)
    rule = " " * INDENT + "─" * (_total(widths) - INDENT)
    lines = [_line(grid.columns, grid.head, widths), rule]
    lines += [_line(grid.columns, row, widths) for row in grid.rows]
    if grid.footer:
        lines += ["", *(_line(grid.columns, row, widths) for row in grid.footer)]
    if hidden:
        lines += wrapped(f"{hidden} column{'s' * (hidden > 1)} hidden: widen the terminal or use --format json", width)
    return lines


def wrapped(text: str, width: int | None, indent: str = "") -> list[str]:
    """`text` broken at spaces to `width` columns; a word (a number, a path) that is longer stays whole."""
    if width is None:
        return [text]
    columns = max(width, 20)
    lines = textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False, subsequent_indent=indent)
    return lines or [""]


def _grid(table: Table) -> _Grid:
    def shown(cells: Sequence[str]) -> list[str]:
        pairs = zip(cells, table.columns, strict=True)
        return [visible(cell) if column.align == "right" else _cut(visible(cell), LONGEST) for cell, column in pairs]

    head = shown([column.name for column in table.columns])
    return _Grid(table.columns, head, [shown(row) for row in table.rows], [shown(row) for row in table.footer])


def _fitting(grid: _Grid, width: int | None) -> tuple[_Grid, int]:
    """The grid without the columns that do not fit, and how many those are."""
    hidden = 0
    while width is not None and _total(_shortened(grid, grid.widths(), width, READABLE)) > width:
        order = [(column.drop, index) for index, column in enumerate(grid.columns) if column.drop is not None]
        if not order:
            break
        grid, hidden = grid.without(min(order)[1]), hidden + 1
    return grid, hidden


def _shortened(grid: _Grid, widths: list[int], width: int | None, least: int) -> list[int]:
    """`widths` with the widest text columns narrowed until all fit into `width`, none below `least`."""
    widths = list(widths)
    while width is not None and _total(widths) > width:
        floor = [max(least, cell_len(name)) for name in grid.head]
        able = [i for i, column in enumerate(grid.columns) if column.align == "left" and widths[i] > floor[i]]
        if not able:
            break
        widths[max(able, key=lambda index: widths[index])] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return INDENT + sum(widths) + GAP * (len(widths) - 1)


def _line(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = [_padded(cell, width, column) for cell, width, column in zip(cells, widths, columns, strict=True)]
    return (" " * INDENT + (" " * GAP).join(parts)).rstrip()


def _padded(cell: str, width: int, column: Column) -> str:
    text = _cut(cell, width) if column.align == "left" else cell
    space = " " * (width - cell_len(text))
    return space + text if column.align == "right" else text + space


def _cut(text: str, width: int) -> str:
    """`text`, or its beginning and an ellipsis where it is wider than `width`."""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + _ELLIPSIS
