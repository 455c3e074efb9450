"""What a page for a browser is made of, beside the blocks that every format knows (`reports.tables`)."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from llmmigrate.reports.tables import Block

Tone = Literal["good", "bad", "unsure", "plain"]
"""How a thing is coloured; the words beside it say the same. What is not measured or not decided is `unsure`."""


class Card(msgspec.Struct, frozen=True):
    """One answer on the first screen: a label, a figure or a few words, and what it rests on."""

    label: str
    value: str
    note: str = ""
    tone: Tone = "plain"


class Cards(msgspec.Struct, frozen=True):
    """Answers side by side."""

    cards: Sequence[Card]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a forest plot: a figure with its interval, on a scale of its own.

    Places lie on the row's scale, where 1 is the limit and larger is worse; None is not measured.
    """

    name: str
    limit: str
    result: str
    tone: Tone
    now: float | None
    low: float | None
    place: float | None
    high: float | None
    figure: str
    """The figure and its interval in words."""
    note: str = ""


class Forest(msgspec.Struct, frozen=True, kw_only=True):
    """Intervals under one another, each against its limit."""

    rows: Sequence[Interval]
    legend: str


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Two texts side by side, and what both answer."""

    title: str
    note: str
    question: str
    sides: Sequence[tuple[str, str]]
    """Name and text, twice."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Blocks under a heading; a page's first section may have none."""

    title: str | None
    blocks: Sequence["WebBlock"]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A whole page."""

    title: str
    subtitle: str = ""
    badge: str | None = None
    """The answer in one word."""
    tone: Tone = "plain"
    sections: Sequence[Section]


WebBlock = Block | Cards | Forest | Compared
