"""What a page for people is made of: paragraphs, commands and tables, before any format.

Text in them is raw; the format that renders a page escapes it. Numbers are already formatted (`reports.numbers`).
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

Align = Literal["left", "right"]


class Column(msgspec.Struct, frozen=True):
    """A column of a table.

    `right` columns hold numbers and are never shortened; `left` columns hold text and may be. `drop`: where it is too
    narrow, columns with a number are left out whole, the lowest number first; None stays.
    """

    name: str
    align: Align = "left"
    drop: int | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of formatted cells under named columns; `footer` rows (totals) stand below a gap."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    footer: Sequence[Sequence[str]] = ()
    title: str | None = None

    def __post_init__(self) -> None:
        for row in (*self.rows, *self.footer):
            if len(row) != len(self.columns):
                raise ValueError(f"a row of {len(row)} cells in a table of {len(self.columns)} columns")


class Paragraph(msgspec.Struct, frozen=True):
    """A sentence or a few; `strong` for the answer itself, `kind` for words that call for care."""

    text: str
    strong: bool = False
    kind: Literal["plain", "note", "warning"] = "plain"


class Command(msgspec.Struct, frozen=True):
    """A command line to paste; never wrapped."""

    line: str


class Bullets(msgspec.Struct, frozen=True):
    """A short list under a heading."""

    title: str
    items: Sequence[str]


Block = Paragraph | Command | Bullets | Table
