"""Adds many calls to a profile at once, column by column; the result equals adding them one at a time.

Sums are held in 64-bit integers and moved into the profile before they can overflow.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any, Final, NamedTuple

from llmmigrate.arrays import np
from llmmigrate.units import INPUT_CLASSES, NANOSECONDS
from llmmigrate.usage.calls_by_column import Columns, Floats, Integers, add_loads, distinct, summed
from llmmigrate.usage.cuts import WHOLE, Cuts, calendar_unit
from llmmigrate.usage.profile import (
    CLASS_COUNT,
    STATED_FREE,
    Cell,
    CellKey,
    LoggedPeak,
    Profile,
    SketchKey,
    TagValues,
    add_sums,
)
from llmmigrate.usage.sketch import BOUNDS, Sketch

SAFE: Final = 1 << 62
PAIRS: Final = tuple((i, j) for i in range(CLASS_COUNT) for j in range(i, CLASS_COUNT))
FIRST_PAIR: Final = 3 + CLASS_COUNT
"""Kinds of sums: calls, first attempts, logged cost, tokens by class; from here on products of two classes."""
CLASS_MASK: Final = (1 << CLASS_COUNT) - 1
STATES: Final = (("known", "billed"), ("missing", "failed"), ("known", "failed_billed"))
FAILED: Final = 1
BAND_BITS: Final = 6
MASK_BITS: Final = STATED_FREE.bit_length()
INTERVAL_FROM: Final = 16 + MASK_BITS + 2 * BAND_BITS + 2
"""The bit of a cell's code from which on it is the interval's; below stand state, size bands, mask and series."""
FLUSHED_AT_ONCE: Final = 1024
"""Rows that are turned into Python integers at one time."""
MOST_SKETCHES: Final = 512
"""Sketches that are held as full rows of buckets (14 KiB each) before they are packed."""
BUCKETS: Final = len(BOUNDS) + 1
_NO_SUMS: Final[Integers] = np.zeros(0, dtype=np.int64)
_BOUNDS: Final = np.array(BOUNDS)
_BUCKET_OF: Final[Integers] = np.searchsorted(_BOUNDS, np.arange(1 << 16))

Series = tuple[str | None, str | None, str, TagValues]
"""Provider, model, service tier and tags of a call."""


class Placed(NamedTuple):
    """The distinct cells of some calls: their rows in the sums and their codes; and which one each call belongs to."""

    rows: Integers
    places: Integers
    codes: list[int]


class ColumnWriter:
    """Adds columns to a profile. Call `flush` before the profile is read."""

    def __init__(self, profile: Profile, cuts: Cuts) -> None:
        self._profile = profile
        self._cuts = cuts
        self.series: list[Series] = []
        self._prompt = np.array(cuts.prompt_thresholds(), dtype=np.int64)
        self._output = np.array(cuts.output_thresholds(), dtype=np.int64)
        if max(len(self._prompt), len(self._output)) >= 1 << BAND_BITS:
            raise ValueError("more size thresholds than a cell code has room for")
        self._intervals: list[tuple[int, int]] = []
        self._interval_codes: dict[tuple[int, int], int] = {}
        self._cells: dict[int, int] = {}
        """Cell code → row of the sums."""
        self._parts: dict[int, tuple[tuple[Any, ...], tuple[Any, ...]]] = {}
        """A cell's code without its interval → what stands before and after the interval in its key."""
        self._sums: dict[int, Integers] = {}
        """Kind of sum → one number a cell; only kinds that occur, because few do."""
        self._bound = 0
        self._sketches: dict[tuple[int, int], Integers] = {}
        self._sketch_keys: set[int] = set()
        self._units: dict[int, int] = {}
        """Start of a calendar unit → its code."""
        self._sessions = np.zeros((0, 1 + CLASS_COUNT), dtype=np.int64)

    def add(self, calls: Columns) -> Placed | None:
        """Add the calls of all rows; returns the cells that they are in."""
        if not len(calls.start_ns):
            return None
        self._guard(calls)
        cells = self._cells_of(calls)
        self._add_sums(calls, cells)
        self._add_odd(calls, cells)
        self._add_sketches(calls)
        self._add_sessions(calls)
        add_loads(self._profile.load, calls)
        self._widen(calls)
        return cells

    def _guard(self, calls: Columns) -> None:
        """Flush before a sum of products could pass 2^62."""
        largest = int(calls.tokens.max(initial=0))
        costs = float(np.nansum(np.abs(calls.cost))) if not np.isnan(calls.cost).all() else 0.0
        growth = max(largest * largest * len(calls.start_ns), int(costs))
        if self._bound + growth > SAFE:
            self.flush()
        self._bound += growth

    def _cells_of(self, calls: Columns) -> "Placed":
        """The cells that the calls belong to."""
        failed = calls.state == FAILED
        prompt = np.searchsorted(self._prompt, calls.tokens[: len(INPUT_CLASSES)].sum(axis=0))
        output = np.searchsorted(self._output, calls.tokens[len(INPUT_CLASSES) :].sum(axis=0))
        mask = np.zeros(len(failed), dtype=np.int64)
        for place in range(CLASS_COUNT):
            mask |= (calls.tokens[place] > 0).astype(np.int64) << place
        mask |= np.where(calls.cost == 0, STATED_FREE, 0)
        codes = (self._interval_of(calls.start_ns) << 2) | calls.state
        codes = (codes << BAND_BITS) | np.where(failed, (1 << BAND_BITS) - 1, prompt)
        codes = (codes << BAND_BITS) | np.where(failed, (1 << BAND_BITS) - 1, output)
        codes = (codes << MASK_BITS | mask) * (1 << 16) + calls.series
        unique, places = np.unique(codes, return_inverse=True)
        known = self._cells
        rows = np.array([known.setdefault(code, len(known)) for code in unique.tolist()], dtype=np.int64)
        return Placed(rows, places, unique.tolist())

    def _interval_of(self, start_ns: Integers) -> Integers:
        seconds = start_ns // NANOSECONDS
        edges = np.array(self._cuts.edges(int(seconds.min()), int(seconds.max())), dtype=np.int64)
        places = np.searchsorted(edges, seconds, side="right")
        unique, inverse = distinct(places)
        codes = [self._interval_code(int(edges[place - 1]), int(edges[place])) for place in unique.tolist()]
        found: Integers = np.array(codes, dtype=np.int64)[inverse]
        return found

    def _interval_code(self, start: int, end: int) -> int:
        code = self._interval_codes.get((start, end))
        if code is None:
            code = self._interval_codes[start, end] = len(self._intervals)
            self._intervals.append((start, end))
        return code

    def _add_sums(self, calls: Columns, cells: "Placed") -> None:
        places, size = cells.places, len(cells.rows)
        self._add_kind(0, cells, np.bincount(places, minlength=size))
        self._add_kind(1, cells, summed(places, calls.first_attempt.astype(np.int64), size))
        priced = ~np.isnan(calls.cost)
        if priced.any():
            self._add_kind(2, cells, summed(places[priced], calls.cost[priced].astype(np.int64), size))
        present = [place for place in range(CLASS_COUNT) if calls.tokens[place].any()]
        for place in present:
            self._add_kind(3 + place, cells, summed(places, calls.tokens[place], size))
        for number, (i, j) in enumerate(PAIRS):
            if i in present and j in present:
                products = calls.tokens[i] * calls.tokens[j]
                self._add_kind(FIRST_PAIR + number, cells, summed(places, products, size))

    def _add_kind(self, kind: int, cells: "Placed", sums: Integers) -> None:
        held = self._sums.get(kind)
        if held is None or len(held) < len(self._cells):
            held = self._sums[kind] = _grown(held, len(self._cells))
        held[cells.rows] += sums

    def _add_odd(self, calls: Columns, cells: "Placed") -> None:
        """What only some calls have: an error, a logged cost."""
        for row, name in calls.errors.items():
            self._cell(cells, row).add_error(name)
        priced = np.flatnonzero(~np.isnan(calls.cost))
        if not len(priced):
            return
        for place, count in enumerate(np.bincount(cells.places[priced]).tolist()):
            if count:
                self._profile.cell(self.key(cells.codes[place])).logged_calls += count
        for row in self._peaks(calls, cells.places, priced):
            tokens = tuple(calls.tokens[:, row].tolist())
            cost = int(calls.cost[row])
            self._cell(cells, row).keep_peak(LoggedPeak(cost / sum(tokens), cost, tokens))

    def _cell(self, cells: "Placed", row: int) -> Cell:
        return self._profile.cell(self.key(cells.codes[cells.places[row]]))

    def _peaks(self, calls: Columns, cells: Integers, priced: Integers) -> list[int]:
        """The rows of each cell whose logged cost per token is the highest of these calls."""
        sizes = calls.tokens.sum(axis=0)[priced]
        rows = priced[sizes > 0]
        ratios = calls.cost[rows] / sizes[sizes > 0]
        order = np.lexsort((ratios, cells[rows]))
        rows, ratios = rows[order], ratios[order]
        own = cells[rows]
        last = np.flatnonzero(np.append(own[1:] != own[:-1], True)) if len(own) else np.zeros(0, dtype=np.int64)
        highest = np.repeat(ratios[last], np.diff(np.append(-1, last)))
        chosen: list[int] = rows[ratios == highest].tolist()
        return chosen

    def key(self, code: int) -> CellKey:
        """The key of a cell's code."""
        rest = code & ((1 << INTERVAL_FROM) - 1)
        parts = self._parts.get(rest)
        if parts is None:
            parts = self._parts[rest] = self._parts_of(rest)
        return CellKey._make((*parts[0], *self._intervals[code >> INTERVAL_FROM], *parts[1]))

    def _parts_of(self, code: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """What stands before and after the interval in the keys of cells with this code."""
        rest, series = divmod(code, 1 << 16)
        rest, mask = rest >> MASK_BITS, rest & ((1 << MASK_BITS) - 1)
        rest, output = rest >> BAND_BITS, rest & ((1 << BAND_BITS) - 1)
        state, prompt = rest >> BAND_BITS, rest & ((1 << BAND_BITS) - 1)
        provider, model, tier, tags = self.series[series]
        usage, billing = STATES[state]
        sized = state != FAILED
        bands = (*_band(self._prompt, prompt), *_band(self._output, output)) if sized else (*WHOLE, *WHOLE)
        return (provider, model, tier), (*bands, mask, usage, billing, tags)

    def _add_sketches(self, calls: Columns) -> None:
        sized = calls.state != FAILED
        self._add_parts(
            calls.series,
            {
                2: (calls.tokens[: len(INPUT_CLASSES)].sum(axis=0), sized),
                3: (calls.tokens[len(INPUT_CLASSES) :].sum(axis=0), sized),
            },
        )
        groups = calls.series
        if self._profile.timed_sketches:
            groups = self._units_of(calls.start_ns) * (1 << 16) + calls.series
        latency, ttft = calls.latency_ms, calls.ttft_ms
        self._add_parts(groups, {0: (latency, ~np.isnan(latency)), 1: (ttft, ~np.isnan(ttft))})
        if len(self._sketches) > MOST_SKETCHES:
            self._flush_sketches()

    def _add_parts(self, groups: Integers, parts: dict[int, tuple[Any, Any]]) -> None:
        """Count values by group and bucket; `parts` by their place in `SizeSketches`."""
        unique, places = distinct(groups)
        for number, (values, there) in parts.items():
            if there.any():
                self._count(number, unique.tolist(), places[there], _buckets(values[there]))
        # A key without values exists too, as it does when calls are added one at a time.
        self._sketch_keys.update(unique.tolist())

    def _units_of(self, start_ns: Integers) -> Integers:
        """Codes, from 1, of the calendar units that the calls started in."""
        unique, places = np.unique(self._interval_of(start_ns), return_inverse=True)
        codes = []
        for interval in unique.tolist():
            unit = calendar_unit(self._profile.marks, self._intervals[interval][0])
            codes.append(self._units.setdefault(unit, len(self._units) + 1))
        found: Integers = np.array(codes, dtype=np.int64)[places]
        return found

    def _count(self, number: int, groups: list[int], places: Integers, buckets: Integers) -> None:
        counts = np.bincount(places * BUCKETS + buckets, minlength=len(groups) * BUCKETS).reshape(-1, BUCKETS)
        for group, row in zip(groups, counts, strict=True):
            held = self._sketches.get((number, group))
            if held is None:
                self._sketches[number, group] = row.astype(np.int64)
            else:
                held += row

    def _flush_sketches(self) -> None:
        """Move the counts into the profile, where a sketch holds its filled buckets only."""
        units = {code: unit for unit, code in self._units.items()}
        for group in self._sketch_keys:
            self._profile.sketch(self._sketch_key(group, units))
        for (number, group), counts in self._sketches.items():
            _add_counts(self._profile.sketch(self._sketch_key(group, units)).parts()[number], counts)
        self._sketches, self._sketch_keys = {}, set()

    def _sketch_key(self, group: int, units: dict[int, int]) -> SketchKey:
        unit, series = divmod(group, 1 << 16)
        provider, model, _, tags = self.series[series]
        return SketchKey(provider, model, units.get(unit), tags)

    def _add_sessions(self, calls: Columns) -> None:
        there = calls.session >= 0
        if not there.any():
            return
        places = calls.series[there] * 64 + calls.session[there]
        size = 64 * len(self.series)
        if len(self._sessions) < size:
            self._sessions = np.concatenate(
                (self._sessions, np.zeros((size - len(self._sessions), 1 + CLASS_COUNT), dtype=np.int64))
            )
        self._sessions[:, 0] += np.bincount(places, minlength=size)
        for place in range(CLASS_COUNT):
            self._sessions[:, 1 + place] += summed(places, calls.tokens[place][there], size)

    def _widen(self, calls: Columns) -> None:
        starts = calls.start_ns[calls.in_span]
        if len(starts):
            self._profile.widen(int(starts.min()), int(starts.max()))

    def flush(self) -> None:
        """Move all sums into the profile."""
        codes = list(self._cells)
        kinds = tuple(sorted({*range(FIRST_PAIR), *self._sums}))
        pairs_of = cache(partial(_pairs_of, kinds))
        held = self._profile.cells
        for first in range(0, len(codes), FLUSHED_AT_ONCE):
            some = codes[first : first + FLUSHED_AT_ONCE]
            rows = np.zeros((len(some), len(kinds)), dtype=np.int64)
            for column, kind in enumerate(kinds):
                part = self._sums.get(kind, _NO_SUMS)[first : first + FLUSHED_AT_ONCE]
                rows[: len(part), column] = part[: len(some)]
            for code, row in zip(some, rows.tolist(), strict=True):
                key, cell = self.key(code), _cell_of(row, pairs_of(code >> 16 & CLASS_MASK))
                if key in held:
                    held[key].merge(cell)
                else:
                    held[key] = cell
        self._flush_sketches()
        for place, bucket in enumerate(self._sessions.tolist()):
            if bucket[0]:
                provider, model, _, _ = self.series[place // 64]
                add_sums(self._profile.sessions.setdefault((provider, model), {}), place % 64, bucket)
        self._cells, self._bound = {}, 0
        self._sums = {}
        self._sessions = self._sessions[:0].copy()


def _buckets(values: Integers | Floats) -> Integers:
    """`sketch.bucket` of many values; small whole numbers are looked up rather than searched for."""
    whole = values.astype(np.int64)
    if len(values) and int(whole.max()) < len(_BUCKET_OF) and bool(np.all(whole == values)):
        return _BUCKET_OF[whole]
    return np.searchsorted(_BOUNDS, values)


def _cell_of(row: Sequence[int], pairs: Sequence[tuple[int, int]]) -> Cell:
    moments = {pair: row[column] for pair, column in pairs}
    return Cell(row[0], row[1], list(row[3:FIRST_PAIR]), moments, logged_cost=row[2])


def _pairs_of(kinds: tuple[int, ...], mask: int) -> list[tuple[int, int]]:
    """The moments of a cell with these classes: their keys and their columns among those of these kinds of sums."""
    found = enumerate(PAIRS, start=FIRST_PAIR)
    return [(i * CLASS_COUNT + j, kinds.index(kind)) for kind, (i, j) in found if mask >> i & mask >> j & 1]


def _add_counts(sketch: Sketch, counts: Integers) -> None:
    for index in np.flatnonzero(counts).tolist():
        sketch[index] = sketch.get(index, 0) + int(counts[index])


def _band(thresholds: Integers, place: int) -> tuple[int, int | None]:
    above = int(thresholds[place - 1]) if place else -1
    return above, int(thresholds[place]) if place < len(thresholds) else None


def _grown(sums: Integers | None, size: int) -> Integers:
    """The same sums with room for at least `size` cells."""
    held = np.zeros(0, dtype=np.int64) if sums is None else sums
    grown = np.zeros(max(size, len(held) * 5 // 4, 256), dtype=np.int64)
    grown[: len(held)] = held
    return grown
