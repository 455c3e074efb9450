"""The quick way for regular flat records: a block of lines becomes columns instead of calls, with the same result.

What is not perfectly regular (another shape, a count that is no plain integer, an odd timestamp, reasoning above output
…) goes line by line through the reader as ever. `rows` and `scan` say what the lines hold.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from llmmigrate.arrays import np, npt
from llmmigrate.logs import names
from llmmigrate.logs.identities import MASK, Identities, hash_text, id_hash, id_hashes, series_text
from llmmigrate.units import PICO
from llmmigrate.usage.calls_by_column import Columns, Flags, Floats, Integers
from llmmigrate.usage.columns import FAILED, ColumnWriter
from llmmigrate.usage.profile import SESSION_BUCKETS

ODD_SHARE: Final = 150
"""With more than one odd line in so many, a block is read line by line: cutting it up would cost more."""
MOST_SERIES: Final = 1 << 15
COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
)


class Codes:
    """Numbers for the distinct combinations of provider, model, tier and tags."""

    def __init__(self, writer: ColumnWriter, provider: str | None) -> None:
        self.known: dict[Any, int] = {}
        """The codes of combinations, as whoever reads a block tells them apart."""
        self.model_hash: list[int] = []
        self._writer = writer
        self._provider = provider
        self._series: dict[Any, int] = {}

    def add(self, key: Hashable, provider: Any, model: Any, tier: Any, tags: Iterable[Any]) -> int:
        """The code of a combination with these values, which is known by `key` from now on."""
        series = (
            names.provider(provider) or self._provider,
            names.model(model),
            names.tier(tier),
            tuple(names.tag(value) for value in tags),
        )
        code = self._series.get(series)
        if code is None:
            code = self._series[series] = len(self._writer.series)
            self._writer.series.append(series)
            self.model_hash.append(hash_text(series_text(series[1], series[2])))
        self.known[key] = code
        return code

    def full(self) -> bool:
        """Whether there are too many combinations for columns to pay."""
        return len(self.known) > MOST_SERIES


class Fields(NamedTuple):
    """What the lines of a block say, as columns: one place a line. Odd lines hold whatever, and are not to be used."""

    start_ns: Integers
    odd: Flags
    series: Integers
    """`Codes` of provider, model, tier and tags."""
    counts: Mapping[str, Integers]
    """Token counts by field name, 0 where a line has none."""
    errors: dict[int, str]
    """Line → error class, of the calls that failed."""
    latency_ms: Floats
    ttft_ms: Floats
    cost_usd: Floats
    """NaN where a line has none, like the durations."""
    ids: Sequence[str | None]
    sessions: Sequence[str | None] | None
    """None where no line has one."""


class Found(NamedTuple):
    """A block as columns, with its odd rows."""

    calls: Columns
    ids: Sequence[str | None]
    id_hash: npt.NDArray[np.uint64]
    fingerprint: npt.NDArray[np.uint64]
    odd: Flags


def found_in(fields: Fields, codes: Codes) -> Found:
    """The calls of a block. Odd rows hold whatever, and are not to be used."""
    count = len(fields.start_ns)
    whole_in, whole_out, cached, write_5m, write_1h, reasoning = (fields.counts[name] for name in COUNTS)
    inside = cached + write_5m + write_1h
    failed = np.zeros(count, dtype=bool)
    failed[list(fields.errors)] = True
    nothing = (whole_in == 0) & (whole_out == 0)
    odd = fields.odd | (inside > whole_in) | (reasoning > whole_out) | (nothing & ~failed)
    state = np.where(failed, np.where(nothing, FAILED, 2), 0)
    zero = np.zeros(count, dtype=np.int64)
    tokens = np.stack((whole_in - inside, zero, cached, write_5m, write_1h, whole_out - reasoning, zero, reasoning))
    tokens[:, state == FAILED] = 0
    calls = Columns(
        fields.start_ns, fields.series, state, tokens, np.ones(count, dtype=bool), fields.latency_ms, fields.ttft_ms,
        np.rint(fields.cost_usd * PICO), _session_buckets(fields.sessions, count), fields.errors,
        np.ones(count, dtype=bool),
    )  # fmt: skip
    return _identified(calls, fields, codes, odd)


def _identified(calls: Columns, fields: Fields, codes: Codes, odd: Flags) -> Found:
    model_hash = np.array(codes.model_hash, dtype=np.uint64)[calls.series]
    token = calls.tokens
    inputs = token[:5].sum(axis=0)
    outputs = token[5:].sum(axis=0)
    print_parts = (calls.start_ns, model_hash, inputs, token[2], token[3], token[4], outputs, token[7])
    mixed = mix_columns(len(odd), *print_parts) & np.uint64(MASK - 1)
    fingerprints = mixed | (calls.state == 0).astype(np.uint64)
    return Found(calls, fields.ids, _id_hashes(calls, fields), fingerprints, odd)


def _id_hashes(calls: Columns, fields: Fields) -> npt.NDArray[np.uint64]:
    """Hashes of ids; of calls without one, the hash under which equal lines are noticed."""
    ids, count = fields.ids, len(fields.ids)
    if all(ids):
        return id_hashes(cast(Sequence[str], ids))
    latency = np.where(np.isnan(calls.latency_ms), -1, np.rint(calls.latency_ms * 1000)).astype(np.int64)
    sessions = fields.sessions or ("",) * count
    session_hash = np.array([hash_text(text or "") for text in sessions], dtype=np.uint64)
    hashes = mix_columns(count, np.ones(count, dtype=np.int64), calls.start_ns, latency, session_hash)
    for row, text in enumerate(ids):
        if text:
            hashes[row] = id_hash(text)
    return hashes


def _session_buckets(sessions: Sequence[str | None] | None, count: int) -> Integers:
    if sessions is None:
        return np.full(count, -1, dtype=np.int64)
    return np.array([hash_text(text) % SESSION_BUCKETS if text else -1 for text in sessions], dtype=np.int64)


def mix_columns(count: int, *columns: Any) -> npt.NDArray[np.uint64]:
    """`identities.mix` of each row."""
    state = np.full(count, 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in columns:
        state = (state ^ column.astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
        state ^= state >> np.uint64(29)
    return state


def duplicates(found: Found, rows: slice, identities: Identities) -> tuple[Flags, list[tuple[int, str]]]:
    """Which of these rows repeat a call, and the rows (from the slice's start) whose repetition is worth a warning.

    Sets `first_attempt`. Rows whose hash is new are settled together, the others one by one in order.
    """
    hashes, prints = found.id_hash[rows], found.fingerprint[rows]
    order = np.argsort(hashes)
    twin = np.zeros(len(hashes), dtype=bool)
    ordered = hashes[order]
    same = ordered[1:] == ordered[:-1]
    twin[order[1:][same]] = twin[order[:-1][same]] = True
    doubtful = np.empty(len(hashes), dtype=bool)
    doubtful[order] = identities.seen(ordered)
    doubtful |= twin
    repeated = np.zeros(len(hashes), dtype=bool)
    warned: list[tuple[int, str]] = []
    for row in np.flatnonzero(doubtful).tolist():
        verdict = _settle(found, rows.start + row, int(hashes[row]), int(prints[row]), identities)
        repeated[row] = verdict == "duplicates_removed"
        if verdict:
            warned.append((row, verdict))
    certain = order[~doubtful[order]]
    if len(certain):
        identities.add_sorted(np.stack((hashes[certain], prints[certain])))
    return repeated, warned


def _settle(found: Found, row: int, id_hash: int, fingerprint: int, identities: Identities) -> str | None:
    """Look one row up as the reader does; returns the warning that it earns."""
    seen = identities.look(id_hash, fingerprint)
    if not found.ids[row]:
        return "identical_lines_without_id" if seen.duplicate else None
    if seen.duplicate:
        return "duplicates_removed"
    if not seen.known:
        return None
    if found.calls.state[row] == 0 and not seen.failed_before:
        return "id_reused"
    found.calls.first_attempt[row] = False
    return None
