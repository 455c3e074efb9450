"""Cells that no price tells apart: a cost is a plain sum over tokens, so they can be added first and priced once."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from llmmigrate.costing.bill import Biller, place
from llmmigrate.costing.slices import Times, summed
from llmmigrate.prices.cards import Unpriced
from llmmigrate.prices.entries import Entry
from llmmigrate.usage.cuts import CalendarUnit, calendar_unit
from llmmigrate.usage.profile import STATED_FREE, Cell, CellKey, Profile

Cells = list[tuple[CellKey, Cell]]

_but_time = attrgetter(*(name for name in CellKey._fields if name not in ("start", "end")))


def priced_alike(
    profile: Profile, biller: Biller, unit: CalendarUnit | None = None, bounds: Iterable[int] = ()
) -> list[Cells]:
    """All cells of a profile, those together whose calls have the same rates.

    Their keys differ only in time, and there in nothing that matters: they lie in one period of every price, on one
    side of every bound (epoch seconds), all clocks say the same and, where a unit is given, they lie in one day or hour
    of the reporting zone.
    """
    stretches = _Stretches(profile, biller, unit, bounds)
    grouped: dict[tuple[Any, ...], Cells] = {}
    for key, cell in profile.cells.items():
        grouped.setdefault((stretches.number(key), *_but_time(key)), []).append((key, cell))
    return list(grouped.values())


def added(cells: Cells) -> Cell:
    """The counts, tokens and logged costs of some cells together, without what is no plain sum."""
    parts = [cell for _, cell in cells]
    sums = summed(parts)
    total = Cell(
        calls=sums.calls,
        logical=sum(part.logical for part in parts),
        tokens=sums.tokens,
        searches=sums.searches,
        images=sums.images,
        logged_cost=sum(part.logged_cost for part in parts),
        logged_calls=sum(part.logged_calls for part in parts),
    )
    for part in parts:
        for name, count in (part.errors or {}).items():
            total.add_error(name, count)
    return total


class _Stretches:
    """Numbers the stretches of time that prices and the calendar tell apart."""

    def __init__(self, profile: Profile, biller: Biller, unit: CalendarUnit | None, bounds: Iterable[int]) -> None:
        periods = [period for entry in _entries(profile, biller) for period in entry.periods]
        edges = {edge for period in periods for edge in (period.start, period.end)}
        self._edges: Sequence[int] = sorted({*edges, *bounds, biller.as_of})
        self._times = Times(dict.fromkeys(clock for period in periods for clock in period.clocks))
        self._marks = msgspec.structs.replace(profile.marks, unit=unit) if unit else None
        self._known: dict[tuple[int | None, int | None], int] = {}
        self._numbers: dict[object, int] = {}

    def number(self, key: CellKey) -> int:
        """The number of the stretch that a cell lies in."""
        found = self._known.get((key.start, key.end))
        if found is None:
            found = self._known[key.start, key.end] = self._numbers.setdefault(self._stretch(key), len(self._numbers))
        return found

    def _stretch(self, key: CellKey) -> object:
        at = place(key)[0]
        if at is None:
            return None
        before = bisect_right(self._edges, at.start)
        if before != bisect_left(self._edges, at.end):  # a profile that was cut before this table was written
            return at
        day = calendar_unit(self._marks, at.start) if self._marks else None
        return before, day, self._times(at)


def _entries(profile: Profile, biller: Biller) -> Iterable[Entry]:
    models = {(key.provider, key.model, key.mask & STATED_FREE): key for key in profile.cells}
    found = {id(entry): entry for entry in map(biller.entry, models.values()) if not isinstance(entry, Unpriced)}
    return found.values()
