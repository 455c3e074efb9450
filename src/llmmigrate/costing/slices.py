"""A profile reduced to what a price can depend on: first for all tables, then for one target.

Tens of thousands of cells become some hundred slices, and for a target without clock prices or size bands a few dozen;
re-pricing a saved profile on many targets then costs next to nothing.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Final, NamedTuple

import msgspec

from llmmigrate.costing.bill import Pieces, place
from llmmigrate.prices.cards import Band, Interval
from llmmigrate.prices.clock import Clock, edges_within
from llmmigrate.usage.profile import Cell, CellKey
from llmmigrate.usage.sketch import Sketch, representative


class Slice(NamedTuple):
    """What of a cell's key a target's price can depend on, and the source model."""

    provider: str | None
    model: str | None
    at: Interval | None
    prompt: Band
    output: Band
    tier: str
    mask: int
    """The cell's mask: a class without a rate leaves only the calls unpriced that have tokens of it."""


class Sums(msgspec.Struct):
    """Calls and tokens of a slice."""

    calls: int
    tokens: list[int]
    searches: int
    images: int

    def pieces(self) -> Pieces:
        """What is billed by the piece."""
        return {"request": self.calls, "search": self.searches, "image": self.images}


Slices = dict[Slice, Sums]


def summed(parts: "Sequence[Cell] | Sequence[Sums]") -> Sums:
    """The sums over cells, or over slices; there is at least one."""
    return Sums(
        calls=sum(part.calls for part in parts),
        tokens=[sum(counts) for counts in zip(*(part.tokens for part in parts), strict=True)],
        searches=sum(part.searches for part in parts),
        images=sum(part.images for part in parts),
    )


class Times:
    """One interval for all that a set of clocks cannot tell apart."""

    def __init__(self, clocks: Iterable[Clock]) -> None:
        self._clocks = tuple(clocks)
        self._edges = frozenset(edge for clock in self._clocks for edge in clock.edges)
        self._known: dict[Interval, Interval] = {}
        self._first: dict[tuple[bool | None, ...], Interval] = {}

    def __call__(self, at: Interval | None) -> Interval | None:
        """The interval that stands for `at`; None where no clock matters or the time is not known."""
        if at is None or not self._clocks:
            return None
        found = self._known.get(at)
        if found is None:
            found = self._known[at] = self._stand_in(at)
        return found

    def _stand_in(self, at: Interval) -> Interval:
        if edges_within(self._edges, *at):  # a profile that was cut before this table was written
            return at
        return self._first.setdefault(tuple(clock.holds(at.start) for clock in self._clocks), at)


Cells = list[tuple[CellKey, Cell]]

_START: Final = CellKey._fields.index("start")
_TAGS: Final = CellKey._fields.index("tags")


def _kind(pair: tuple[CellKey, Cell]) -> tuple[object, object]:
    """What of a cell's key a price can depend on, but for its time."""
    return pair[0][:_START], pair[0][_START + 2 : _TAGS]


class Base(NamedTuple):
    """A profile's slices, and the billed cells that each is made of."""

    slices: Slices
    cells: dict[Slice, Cells]
    groups: list[Cells]
    """All cells, billed or not: those together whose keys differ only in tags, and in times that nothing tells apart.
    Cells without a time are apart from others."""


def reduce(cells: Iterable[tuple[CellKey, Cell]], times: Callable[[Interval | None], Interval | None]) -> Base:
    """Cells that a vendor bills, summed by what prices depend on.

    Tens of thousands of cells lie in some hundred slices, so a slice is made, and its cells are summed, only once.
    """
    stand_ins: dict[tuple[int | None, int | None], Interval | None] = {}
    kinds: dict[object, defaultdict[tuple[Interval | None, bool], Cells]] = {}
    for kind, neighbours in groupby(cells, _kind):
        by_time = kinds.setdefault(kind, defaultdict(list))
        for pair in neighbours:
            stretch = pair[0].start, pair[0].end
            if stretch not in stand_ins:
                stand_ins[stretch] = times(place(pair[0])[0])
            by_time[stand_ins[stretch], stretch[0] is None].append(pair)
    held: defaultdict[Slice, Cells] = defaultdict(list)
    for by_time in kinds.values():
        for (instead, _), alike in by_time.items():
            if is_billed(alike[0][0]):
                held[slice_of(alike[0][0], instead)] += alike
    slices = {part: summed([cell for _, cell in alike]) for part, alike in held.items()}
    return Base(slices, dict(held), [alike for by_time in kinds.values() for alike in by_time.values()])


def is_billed(key: CellKey) -> bool:
    """Whether a vendor bills the cell's calls, and for what is known."""
    return key.usage != "missing" and key.billing not in ("gateway_hit", "failed")


def slice_of(key: CellKey, at: Interval | None) -> Slice:
    """The slice that a cell belongs to, at the time that stands for its own."""
    _, prompt, output = place(key)
    return Slice(key.provider, key.model, at, prompt, output, key.service_tier, key.mask)


def coarser(slices: Slices, times: Times, prompt: Sequence[int], output: Sequence[int]) -> Slices:
    """Slices joined where neither these clocks nor these sorted size marks tell them apart."""
    joined: dict[Slice, list[Sums]] = {}
    for part, sums in slices.items():
        wide = part._replace(
            at=times(part.at), prompt=band_between(prompt, part.prompt), output=band_between(output, part.output)
        )
        joined.setdefault(wide, []).append(sums)
    return {part: summed(held) for part, held in joined.items()}


def band_between(marks: Sequence[int], band: Band) -> Band:
    """The widest band between two marks that holds `band`; `band` itself where a mark lies inside it."""
    first = bisect_left(marks, band.above + 1)
    above = marks[first - 1] if first else -1
    upto = marks[first] if first < len(marks) else None
    straddles = upto is not None and (band.upto is None or upto < band.upto)
    return band if straddles else Band(above, upto)


class Sizes:
    """The input sizes of one model's calls."""

    def __init__(self, sketch: Sketch) -> None:
        self._sizes = [(representative(index), count) for index, count in sketch.items()]
        self._shares: dict[tuple[Band, Decimal], Decimal] = {}

    def share_pushed(self, band: Band, ratio: Decimal) -> Decimal:
        """The share of a band's input tokens in calls that `ratio` would push over the band's upper end."""
        key = (band, ratio)
        if key not in self._shares:
            self._shares[key] = self._share(band, float(ratio))
        return self._shares[key]

    def _share(self, band: Band, ratio: float) -> Decimal:
        if band.upto is None:
            return Decimal(0)
        upto = band.upto * 1.01  # a sketch is right within 1 %
        inside = [(size, count) for size, count in self._sizes if band.above < size <= upto]
        total = sum(size * count for size, count in inside)
        pushed = sum(size * count for size, count in inside if size * ratio * 1.01 > band.upto)
        return Decimal(repr(round(pushed / total, 6))) if total else Decimal(0)
