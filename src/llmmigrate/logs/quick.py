"""Decides block by block whether the quick lane may read it, and hands every line it cannot vouch for to the reader."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from llmmigrate.arrays import np
from llmmigrate.collection import uncollected
from llmmigrate.logs.lane import ODD_SHARE, Codes, Fields, Found, duplicates, found_in
from llmmigrate.logs.records import records_of_line
from llmmigrate.logs.row_fields import fields_of_rows
from llmmigrate.logs.rows import FlatLane, Shape, shape_of
from llmmigrate.logs.scan import Scanner
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.calls_by_column import Columns
from llmmigrate.usage.columns import ColumnWriter, Placed
from llmmigrate.usage.profile import CLASS_COUNT, Cell

if TYPE_CHECKING:
    from llmmigrate.logs.reader import CostCheck, Reader

MOST_SHAPES: Final = 24
"""Record shapes are joined; a log with more of them than this is not regular."""
PLAINLY_EQUAL: Final = 0.9e-9
"""USD; below the exact tolerance by more than float arithmetic can be off."""
UNKNOWN: Final = (float("nan"),) * (CLASS_COUNT + 1)
DAY_NS: Final = 86_400 * NANOSECONDS


class Split(NamedTuple):
    """A block's lines: decoded rows with their places, and the places of the lines that are no regular record."""

    rows: list[Any]
    places: list[int]
    odd: list[int]


class QuickReader:
    """Reads blocks of regular flat lines for a `Reader`, whose accounting and identities it shares."""

    def __init__(self, reader: "Reader") -> None:
        self._reader = reader
        self._writer = ColumnWriter(reader.profile, reader.cuts)
        self._codes = Codes(self._writer, reader.options.provider)
        self._lane: FlatLane | None = None
        self._scanner: Scanner | None = None
        self._shapes_left = MOST_SHAPES

    def read(self, chunk: bytes, first_line: int) -> int:
        """Read a chunk of whole lines; returns how many, 0 when it is left to the caller, unread."""
        with uncollected():
            return self._read(chunk, first_line)

    def _read(self, chunk: bytes, first_line: int) -> int:
        if not chunk.endswith(b"\n") or self._codes.full() or not self._knows_a_shape(chunk):
            return 0
        fields = self._scanner.read(chunk, self._codes) if self._scanner is not None else None
        if fields is not None and self._add_lines(fields, None, chunk, first_line):
            return len(fields.odd)
        split = self._split(chunk)
        if split is None or self._lane is None or len(split.odd) * ODD_SHARE > len(split.rows):
            return 0
        fields = fields_of_rows(self._lane.columns(split.rows), self._codes, self._reader.profile.tags)
        return len(split.rows) + len(split.odd) if self._add_lines(fields, split, chunk, first_line) else 0

    def _add_lines(self, fields: Fields, split: Split | None, chunk: bytes, first_line: int) -> bool:
        """Add a block, unless too many of its lines are odd. `split`: where its rows stand, without it one a line."""
        found = found_in(fields, self._codes)
        odd = np.flatnonzero(found.odd).tolist()
        elsewhere = split.odd if split is not None else []
        places: Sequence[int] = split.places if split is not None else range(len(fields.odd))
        if (len(odd) + len(elsewhere)) * ODD_SHARE > len(places):
            return False
        stops = sorted([*elsewhere, *(places[row] for row in odd)])
        lines = chunk.split(b"\n") if stops else []
        self._read_parts(found, places, stops, lines, first_line)
        return True

    def flush(self) -> None:
        """Bring everything read into the profile."""
        with uncollected(kept=True):
            self._writer.flush()

    def _read_parts(
        self, found: Found, places: Sequence[int], stops: list[int], lines: list[bytes], first_line: int
    ) -> None:
        """Regular rows by column, odd lines one by one between them, in the order of the file."""
        row = 0
        for stop in stops:
            until = bisect_left(places, stop)
            self._add(found, slice(row, until), places, first_line)
            for record in records_of_line(lines[stop], first_line + stop):
                self._reader.take(record)
            row = until + (until < len(places) and places[until] == stop)
        self._add(found, slice(row, len(places)), places, first_line)

    def _split(self, chunk: bytes) -> Split | None:
        """The chunk's rows; where shapes differ, the lane learns the new one and tries again."""
        while (lane := self._lane) is not None:
            rows = lane.decode(chunk)
            if rows is not None:
                return Split(rows, list(range(len(rows))), [])
            split, other = _line_by_line(lane, chunk)
            if other is None or not self._learn(other):
                return split
        return None

    def _knows_a_shape(self, chunk: bytes) -> bool:
        return self._lane is not None or self._learn(chunk[: chunk.index(b"\n")])

    def _learn(self, line: bytes) -> bool:
        """Widen the lane by the shape of a line; False when nothing was learnt."""
        try:
            record = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        shape = shape_of(record) if isinstance(record, dict) else None
        joined = _joined(self._lane.shape if self._lane else None, shape)
        if joined is None or self._shapes_left == 0:
            return False
        self._shapes_left -= 1
        self._lane = FlatLane(joined, self._reader.profile.tags)
        self._scanner = Scanner.of(joined, self._reader.profile.tags)
        return True

    def _add(self, found: Found, rows: slice, places: Sequence[int], first_line: int) -> None:
        """Account for regular rows and add them."""
        count = rows.stop - rows.start
        if count <= 0:
            return
        reader, accounting = self._reader, self._reader.profile.accounting
        reader.count_format("flat", count)
        repeated, warned = duplicates(found, rows, reader.identities)
        accounting.lines.total += count
        accounting.lines.duplicates += int(repeated.sum())
        accounting.lines.calls += count - int(repeated.sum())
        for row, code in warned:
            accounting.warn(code, reader.place(first_line + places[rows.start + row]))
        keep = ~repeated & self._wanted(found.calls, rows)
        accounting.lines.filtered += count - int(repeated.sum()) - int(keep.sum())
        kept = np.arange(rows.start, rows.stop)[keep]
        self._warn(found.calls, kept, places, first_line)
        calls = found.calls if len(kept) == len(places) else found.calls.rows(kept)
        cells = self._writer.add(calls)
        if cells is not None and reader.options.cost_check is not None:
            self._check_costs(reader.options.cost_check, calls, cells, lambda row: first_line + places[int(kept[row])])

    def _check_costs(self, check: "CostCheck", calls: Columns, cells: Placed, line: Callable[[int], int]) -> None:
        """Stated costs: those that are plainly equal are counted, the others are compared exactly, one by one."""
        stated = ~np.isnan(calls.cost)
        if not stated.any():
            return
        keys = [self._writer.key(code) for code in cells.codes]
        known = [check.rates(key) for key in keys]
        rates = np.array([UNKNOWN if rate is None else rate for rate in known])
        own = rates[cells.places].T
        expected = (calls.tokens * own[:CLASS_COUNT]).sum(axis=0) + own[CLASS_COUNT]
        off = np.abs(calls.cost * 1e-12 - expected)
        check.agree(int((stated & (off < PLAINLY_EQUAL)).sum()))
        for row in np.flatnonzero(stated & (off >= PLAINLY_EQUAL)).tolist():
            place = self._reader.place(line(row))
            alone = Cell(calls=1, tokens=calls.tokens[:, row].tolist())
            check.add(keys[cells.places[row]], alone, int(calls.cost[row]), place)

    def _wanted(self, calls: Columns, rows: slice) -> Any:
        options = self._reader.options
        start = calls.start_ns[rows]
        keep = np.ones(len(start), dtype=bool)
        if options.since_ns is not None:
            keep &= start >= options.since_ns
        if options.until_ns is not None:
            keep &= start < options.until_ns
        return keep

    def _warn(self, calls: Columns, kept: Any, places: Sequence[int], first_line: int) -> None:
        """The warnings that the reader gives for failures and for dates in the future."""
        reader = self._reader
        odd = (calls.state[kept] > 0) | (calls.start_ns[kept] > reader.now_ns + DAY_NS)
        for row in kept[odd].tolist():
            place = reader.place(first_line + places[row])
            if calls.state[row] == 2:
                reader.profile.accounting.warn("possible_billed_failure", place)
            if calls.state[row]:
                reader.profile.accounting.warn("failed_calls", place)
            if calls.start_ns[row] > reader.now_ns + DAY_NS:
                reader.profile.accounting.warn("future_timestamp", place)
                calls.in_span[row] = False


def _line_by_line(lane: FlatLane, chunk: bytes) -> tuple[Split, bytes | None]:
    """The rows of a chunk that does not decode as a whole, and the first line that is a record of another shape."""
    split, other = Split([], [], []), None
    for place, line in enumerate(chunk[:-1].split(b"\n")):
        rows = lane.decode(line + b"\n") if line else None
        if rows is not None and len(rows) == 1:
            split.rows.append(rows[0])
            split.places.append(place)
            continue
        split.odd.append(place)
        if other is None and line.lstrip()[:1] == b"{":
            other = line
    return split, other


def _joined(known: Shape | None, new: Shape | None) -> Shape | None:
    """One shape for records of both; None when nothing is new or a field would have two keys."""
    if new is None or known is None:
        return new
    held = dict(zip(known.keys, known.columns, strict=True))
    more = {key: field for key, field in zip(new.keys, new.columns, strict=True) if key not in held}
    fields = [field for field in (*known.columns, *more.values()) if field is not None]
    if not more or len(fields) != len(set(fields)):
        return None
    return Shape((*known.keys, *more), (*known.columns, *more.values()))
