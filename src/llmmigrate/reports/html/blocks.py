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


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a chart; a value that is None leaves a gap."""

    name: str
    style: Literal["now", "then"]
    """A dashed or a solid line: colour alone tells nothing."""
    values: Sequence[float | None]


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """Lines over equal steps, such as days or months, with a band around one of them."""

    title: str
    unit: str
    steps: Sequence[str]
    """The name of each step."""
    series: Sequence[Series]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    mark: tuple[float, str] | None = None
    """A place between the steps that is worth a line, and its words."""
    summary: str
    """What the chart shows, in words."""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """Two lengths to compare; None is not known."""

    name: str
    now: float | None
    then: float | None
    figure: str


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs of bars on one scale."""

    rows: Sequence[Bar]
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


WebBlock = Block | Cards | Forest | Lines | Bars | Compared
