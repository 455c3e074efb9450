"""The additive usage profile: everything that pricing, estimating and reporting need, and no text.

Profiles add: reading two logs and adding the results equals reading both (for inputs that share no identity). A cell's
key is everything that can change a price; its values are exact integer sums.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from llmmigrate.units import INPUT_CLASSES, NANOSECONDS, TOKEN_CLASSES
from llmmigrate.usage.accounting import Accounting
from llmmigrate.usage.call import Call
from llmmigrate.usage.cuts import WHOLE, CutMarks, Cuts, calendar_unit
from llmmigrate.usage.sketch import Sketch, bucket, merge

SESSION_BUCKETS = 64
QUARTER_HOUR = 900
CLASS_COUNT = len(TOKEN_CLASSES)
STATED_FREE = 1 << (CLASS_COUNT + 2)
"""The bit of a cell's mask that is set where the log states a cost of 0: some routes are free only where it says so."""

TagValues = tuple[str | None, ...]


class CellKey(NamedTuple):
    """Everything that can change a price, plus the requested tags."""

    provider: str | None
    model: str | None
    service_tier: str
    start: int | None
    """Epoch seconds [start, end) between two cut marks; None without a usable timestamp."""
    end: int | None
    prompt_above: int
    prompt_upto: int | None
    output_above: int
    output_upto: int | None
    mask: int
    """Bit i is set where token class i has tokens; then searches, images, `STATED_FREE`: what can decide a price."""
    usage: str
    billing: str
    tags: TagValues


class SketchKey(NamedTuple):
    """Sketches are kept by model, latencies on request by calendar unit too; cells are too small to sketch."""

    provider: str | None
    model: str | None
    unit: int | None
    """Epoch second at which the day or hour began; None without a timestamp, or where units are not kept apart."""
    tags: TagValues


class LoggedPeak(NamedTuple):
    """The call of a cell whose logged cost per token is the highest, to find costs that cannot be true."""

    per_token: float
    cost: int
    """1e-12 USD."""
    tokens: tuple[int, ...]


class Cell(msgspec.Struct, eq=False, array_like=True):
    """Sums over the calls of one cell; tokens by `TOKEN_CLASSES`."""

    calls: int = 0
    logical: int = 0
    """Identities first seen here: attempts of one request count once."""
    tokens: list[int] = msgspec.field(default_factory=lambda: [0] * CLASS_COUNT)
    moments: dict[int, int] = msgspec.field(default_factory=dict)
    """Σ xᵢ·xⱼ over calls, keyed by i·CLASS_COUNT + j for i ≤ j: the variance of cost under any rates."""
    searches: int = 0
    images: int = 0
    errors: dict[str, int] | None = None
    """Error class → calls; None for the many cells without one."""
    logged_cost: int = 0
    """1e-12 USD."""
    logged_calls: int = 0
    logged_peak: LoggedPeak | None = None

    def merge(self, other: "Cell") -> None:
        """Add another cell of the same key."""
        self.calls += other.calls
        self.logical += other.logical
        self.tokens = [a + b for a, b in zip(self.tokens, other.tokens, strict=True)]
        merge(self.moments, other.moments)
        self.searches += other.searches
        self.images += other.images
        for name, count in (other.errors or {}).items():
            self.add_error(name, count)
        self.logged_cost += other.logged_cost
        self.logged_calls += other.logged_calls
        self.keep_peak(other.logged_peak)

    def add_error(self, name: str, count: int = 1) -> None:
        """Count failures of one class."""
        if self.errors is None:
            self.errors = {}
        self.errors[name] = self.errors.get(name, 0) + count

    def keep_peak(self, peak: LoggedPeak | None) -> None:
        """Keep the higher of two logged peaks."""
        if peak is not None and (self.logged_peak is None or peak > self.logged_peak):
            self.logged_peak = peak


class SizeSketches(msgspec.Struct, array_like=True):
    """Distributions of one model and calendar unit."""

    latency_ms: Sketch = msgspec.field(default_factory=dict)
    ttft_ms: Sketch = msgspec.field(default_factory=dict)
    input_tokens: Sketch = msgspec.field(default_factory=dict)
    output_tokens: Sketch = msgspec.field(default_factory=dict)

    def parts(self) -> tuple[Sketch, Sketch, Sketch, Sketch]:
        """All four, in the order of their fields."""
        return self.latency_ms, self.ttft_ms, self.input_tokens, self.output_tokens

    def merge(self, other: "SizeSketches") -> None:
        """Add the counts of another."""
        for mine, theirs in zip(self.parts(), other.parts(), strict=True):
            merge(mine, theirs)


class Profile:
    """The waist of the house: reading writes it, everything else reads it."""

    def __init__(self, marks: CutMarks, tags: Iterable[str] = (), *, timed_sketches: bool = False) -> None:
        self.marks = marks
        self.tags = tuple(tags)
        self.timed_sketches = timed_sketches
        """Whether latencies are kept by calendar unit: many times the size, wanted only for groups by day or hour."""
        self.cells: dict[CellKey, Cell] = {}
        self.sketches: dict[SketchKey, SizeSketches] = {}
        self.sessions: dict[tuple[str | None, str | None], dict[int, list[int]]] = {}
        """Per provider and model: session bucket → calls and tokens by class."""
        self.load: dict[int, list[int]] = {}
        """Quarter-hour start → calls, input tokens, output tokens, concurrent milliseconds."""
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.accounting = Accounting()

    def __add__(self, other: "Profile") -> "Profile":
        timed = self.timed_sketches and other.timed_sketches
        total = Profile(joined_marks(self.marks, other.marks), self.tags, timed_sketches=timed)
        total.merge(self)
        total.merge(other)
        return total

    def merge(self, other: "Profile") -> None:
        """Add another profile to this one; both must keep the same tags."""
        if self.tags != other.tags:
            raise ValueError(f"profiles keep different tags: {self.tags} and {other.tags}")
        self.marks = joined_marks(self.marks, other.marks)
        for key, cell in other.cells.items():
            self.cell(key).merge(cell)
        for sketch_key, sketches in other.sketches.items():
            self.sketch(sketch_key).merge(sketches)
        for model, buckets in other.sessions.items():
            mine = self.sessions.setdefault(model, {})
            for number, sums in buckets.items():
                add_sums(mine, number, sums)
        for slot, sums in other.load.items():
            add_sums(self.load, slot, sums)
        self.widen(other.first_ns, other.last_ns)
        self.accounting.merge(other.accounting)

    def adopt(self, other: "Profile") -> None:
        """Take over another profile, which is not to be used any more; quick where this one is empty."""
        if self.cells or self.sketches or self.load or self.tags != other.tags:
            self.merge(other)
            return
        self.marks = joined_marks(self.marks, other.marks)
        self.cells, self.sketches, self.sessions, self.load = other.cells, other.sketches, other.sessions, other.load
        self.widen(other.first_ns, other.last_ns)
        self.accounting.merge(other.accounting)

    def cell(self, key: CellKey) -> Cell:
        """The cell of a key, made when it is new."""
        cell = self.cells.get(key)
        if cell is None:
            cell = self.cells[key] = Cell()
        return cell

    def sketch(self, key: SketchKey) -> SizeSketches:
        """The sketches of a key, made when they are new."""
        sketches = self.sketches.get(key)
        if sketches is None:
            sketches = self.sketches[key] = SizeSketches()
        return sketches

    def widen(self, first_ns: int | None, last_ns: int | None) -> None:
        """Widen the observed span; calls dated in the future are kept out of it by the caller."""
        if first_ns is not None and (self.first_ns is None or first_ns < self.first_ns):
            self.first_ns = first_ns
        if last_ns is not None and (self.last_ns is None or last_ns > self.last_ns):
            self.last_ns = last_ns

    def total_calls(self) -> int:
        """Requests of all cells."""
        return sum(cell.calls for cell in self.cells.values())


class ProfileWriter:
    """Adds calls to a profile one at a time: the reference that every faster lane must equal."""

    def __init__(self, profile: Profile, cuts: Cuts) -> None:
        self.profile = profile
        self._cuts = cuts
        self._units: dict[int, int] = {}
        self._now_limit: int | None = None

    def add(self, call: Call, *, first_attempt: bool, session_bucket: int | None, in_span: bool = True) -> None:
        """Add a call. `first_attempt`: its identity is new. `in_span`: it may widen the observed span."""
        tokens = disjoint_tokens(call)
        key = self.key(call, tokens)
        _add_to_cell(self.profile.cell(key), call, tokens, first_attempt)
        self._add_sketches(call, key)
        if session_bucket is not None:
            buckets = self.profile.sessions.setdefault((call.provider, call.model), {})
            add_sums(buckets, session_bucket, [call.requests, *tokens])
        if call.start_ns is not None:
            add_load(self.profile.load, call.start_ns, call)
            if in_span:
                self.profile.widen(call.start_ns, call.start_ns)

    def key(self, call: Call, tokens: list[int]) -> CellKey:
        """The cell key of a call."""
        mask = STATED_FREE if call.logged_cost == 0 else 0
        for i, count in enumerate((*tokens, call.searches, call.images)):
            if count:
                mask |= 1 << i
        start, end = (None, None) if call.start_ns is None else self._cuts.interval(call.start_ns // NANOSECONDS)
        sized = call.usage in ("known", "estimated")
        prompt = self._cuts.prompt_band(call.input_tokens) if sized else WHOLE
        output = self._cuts.output_band(call.output_tokens) if sized else WHOLE
        values = tuple(call.tags.get(name) for name in self.profile.tags)
        return CellKey(
            call.provider, call.model, call.service_tier, start, end, *prompt, *output, mask, call.usage, call.billing,
            values,
        )  # fmt: skip

    def unit(self, interval_start: int) -> int:
        """The calendar unit that an interval lies in."""
        unit = self._units.get(interval_start)
        if unit is None:
            unit = self._units[interval_start] = calendar_unit(self.profile.marks, interval_start)
        return unit

    def _add_sketches(self, call: Call, key: CellKey) -> None:
        sizes = self.profile.sketch(SketchKey(key.provider, key.model, None, key.tags))
        sketches = sizes
        if self.profile.timed_sketches and key.start is not None:
            sketches = self.profile.sketch(SketchKey(key.provider, key.model, self.unit(key.start), key.tags))
        if call.latency_ms is not None:
            _count(sketches.latency_ms, call.latency_ms)
        if call.ttft_ms is not None:
            _count(sketches.ttft_ms, call.ttft_ms)
        if call.usage in ("known", "estimated"):
            _count(sizes.input_tokens, call.input_tokens)
            _count(sizes.output_tokens, call.output_tokens)


def disjoint_tokens(call: Call) -> list[int]:
    """A call's tokens by `TOKEN_CLASSES`; their sum is input plus output."""
    cached = call.cached_input_tokens + call.cache_write_5m_tokens + call.cache_write_1h_tokens
    return [
        call.input_tokens - cached - call.input_audio_tokens,
        call.input_audio_tokens,
        call.cached_input_tokens,
        call.cache_write_5m_tokens,
        call.cache_write_1h_tokens,
        call.output_tokens - call.reasoning_tokens - call.output_audio_tokens,
        call.output_audio_tokens,
        call.reasoning_tokens,
    ]


def input_total(tokens: Iterable[int]) -> int:
    """Input tokens (cache included) of disjoint sums."""
    return sum(list(tokens)[: len(INPUT_CLASSES)])


def output_total(tokens: Iterable[int]) -> int:
    """Output tokens (reasoning included) of disjoint sums."""
    return sum(list(tokens)[len(INPUT_CLASSES) :])


def joined_marks(a: CutMarks, b: CutMarks) -> CutMarks:
    """What both profiles were certainly cut at: a mark that only one had may lie inside the other's cells."""
    if a == b:
        return a
    return CutMarks(
        instants=tuple(sorted(set(a.instants) & set(b.instants))),
        clocks=tuple(sorted(set(a.clocks) & set(b.clocks))),
        prompt=tuple(sorted(set(a.prompt) & set(b.prompt))),
        output=tuple(sorted(set(a.output) & set(b.output))),
        zone=a.zone,
        unit="hour" if a.unit == b.unit == "hour" else "day",
    )


def add_load(load: dict[int, list[int]], start_ns: int, call: Call) -> None:
    """Add a call to the quarter-hour series, its running time spread over the quarters that it ran in."""
    first = start_ns // NANOSECONDS // QUARTER_HOUR * QUARTER_HOUR
    add_sums(load, first, [call.requests, call.input_tokens, call.output_tokens, 0])
    if call.latency_ms is None:
        return
    begin_ms = start_ns // 1_000_000
    end_ms = begin_ms + round(call.latency_ms)
    slot = first
    while begin_ms < end_ms:
        until = min(end_ms, (slot + QUARTER_HOUR) * 1000)
        add_sums(load, slot, [0, 0, 0, until - begin_ms])
        begin_ms, slot = until, slot + QUARTER_HOUR


def _add_to_cell(cell: Cell, call: Call, tokens: list[int], first_attempt: bool) -> None:
    cell.calls += call.requests
    cell.logical += call.requests if first_attempt else 0
    present = [i for i, count in enumerate(tokens) if count]
    for position, i in enumerate(present):
        cell.tokens[i] += tokens[i]
        for j in present[position:]:
            pair = i * CLASS_COUNT + j
            cell.moments[pair] = cell.moments.get(pair, 0) + tokens[i] * tokens[j]
    cell.searches += call.searches
    cell.images += call.images
    if call.error is not None:
        cell.add_error(call.error, call.requests)
    if call.logged_cost is not None:
        cell.logged_cost += call.logged_cost
        cell.logged_calls += call.requests
        size = call.input_tokens + call.output_tokens
        if size:
            cell.keep_peak(LoggedPeak(call.logged_cost / size, call.logged_cost, tuple(tokens)))


def _count(sketch: Sketch, value: float) -> None:
    index = bucket(value)
    sketch[index] = sketch.get(index, 0) + 1


def add_sums(table: dict[int, list[int]], key: int, sums: list[int]) -> None:
    """Add sums to those that a table holds under a key."""
    held = table.get(key)
    table[key] = sums if held is None else [a + b for a, b in zip(held, sums, strict=True)]
