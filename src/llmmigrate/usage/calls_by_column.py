"""Many calls as columns of equal length, and the series that need nothing but them."""

from typing import Any

import msgspec

from llmmigrate.arrays import np, npt
from llmmigrate.units import INPUT_CLASSES, NANOSECONDS
from llmmigrate.usage.profile import QUARTER_HOUR, add_sums

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Columns(msgspec.Struct):
    """Calls as columns of equal length; `tokens` has one row a token class, all 0 where `state` is FAILED."""

    start_ns: Integers
    series: Integers
    """Codes of `ColumnWriter.series`."""
    state: Integers
    """Places in `STATES`."""
    tokens: Integers
    first_attempt: Flags
    latency_ms: Floats
    """NaN where the log has none."""
    ttft_ms: Floats
    cost: Floats
    """Logged cost in whole 1e-12 USD, NaN where the log has none."""
    session: Integers
    """Session bucket, -1 where the log has none."""
    errors: dict[int, str]
    """Row → error class, of the rows that failed."""
    in_span: Flags

    def rows(self, chosen: Any) -> "Columns":
        """The chosen rows (a slice, or a mask)."""
        places = np.arange(len(self.start_ns))[chosen]
        new_places = {int(old): new for new, old in enumerate(places)} if self.errors else {}
        return Columns(
            self.start_ns[chosen], self.series[chosen], self.state[chosen], self.tokens[:, chosen],
            self.first_attempt[chosen], self.latency_ms[chosen], self.ttft_ms[chosen], self.cost[chosen],
            self.session[chosen], {new_places[row]: e for row, e in self.errors.items() if row in new_places},
            self.in_span[chosen],
        )  # fmt: skip


def add_loads(load: dict[int, list[int]], calls: Columns) -> None:
    """`profile.add_load` of many calls."""
    slots = calls.start_ns // (NANOSECONDS * QUARTER_HOUR)
    unique, places = distinct(slots)
    inputs = calls.tokens[: len(INPUT_CLASSES)].sum(axis=0)
    outputs = calls.tokens[len(INPUT_CLASSES) :].sum(axis=0)
    size = len(unique)
    counts = np.bincount(places, minlength=size)
    sums = (counts, summed(places, inputs, size), summed(places, outputs, size))
    for slot, *values in zip(unique.tolist(), *(part.tolist() for part in sums), strict=True):
        add_sums(load, slot * QUARTER_HOUR, [*values, 0])
    _add_running(load, calls)


def _add_running(load: dict[int, list[int]], calls: Columns) -> None:
    """Running milliseconds, for each quarter of an hour that a call ran in."""
    there = ~np.isnan(calls.latency_ms)
    begin = calls.start_ns[there] // 1_000_000
    left = np.rint(calls.latency_ms[there]).astype(np.int64)
    slot = calls.start_ns[there] // (NANOSECONDS * QUARTER_HOUR)
    while len(left):
        here = np.minimum(left, (slot + 1) * QUARTER_HOUR * 1000 - begin)
        unique, places = distinct(slot)
        sums = summed(places, here, len(unique))
        for number, milliseconds in zip(unique.tolist(), sums.tolist(), strict=True):
            if milliseconds:
                add_sums(load, number * QUARTER_HOUR, [0, 0, 0, milliseconds])
        more = left > here
        begin, left, slot = (begin + here)[more], (left - here)[more], slot[more] + 1


def distinct(values: Integers) -> tuple[Integers, Integers]:
    """The values that occur, sorted, and for each row the place of its own; without sorting where they lie close."""
    low = int(values.min())
    if int(values.max()) - low > len(values):
        return np.unique(values, return_inverse=True)
    there = np.bincount(values - low) > 0
    return np.flatnonzero(there) + low, (np.cumsum(there) - 1)[values - low]


def summed(places: Integers, values: Integers, size: int) -> Integers:
    """Exact sums of values by place: through floats where these are exact, else integer by integer."""
    if len(values) and int(np.abs(values).max()) * len(values) < 1 << 53:
        return np.bincount(places, weights=values, minlength=size).astype(np.int64)
    sums = np.zeros(size, dtype=np.int64)
    np.add.at(sums, places, values)
    return sums
