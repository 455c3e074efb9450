"""The quick way for regular flat records: a block of lines becomes columns instead of calls, with the same result.

A lane is made for one record shape. What is not perfectly regular (another shape, a count that is no plain integer, an
odd timestamp, reasoning above output …) goes line by line through the reader as ever.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

from llmmigrate.arrays import np, npt
from llmmigrate.logs import names
from llmmigrate.logs.identities import MASK, Identities, hash_text, id_hash, id_hashes, series_text
from llmmigrate.logs.iso_columns import Flags, instants
from llmmigrate.logs.rows import Block
from llmmigrate.units import PICO
from llmmigrate.usage.calls_by_column import Columns, Floats, Integers
from llmmigrate.usage.columns import FAILED, ColumnWriter
from llmmigrate.usage.profile import SESSION_BUCKETS

ODD_SHARE: Final = 150
"""With more than one odd line in so many, a block is read line by line: cutting it up would cost more."""
MOST_SERIES: Final = 1 << 15


class Codes:
    """Numbers for the distinct combinations of provider, model, tier and tags."""

    def __init__(self, writer: ColumnWriter, provider: str | None) -> None:
        self._writer = writer
        self._provider = provider
        self._known: dict[tuple[Any, ...], int] = {}
        self._series: dict[Any, int] = {}
        self.model_hash: list[int] = []

    def of(self, block: Block, tag_names: tuple[str, ...]) -> Integers:
        """The series of each row."""
        parts = [block.values.get(name) or (None,) * block.size for name in ("provider", "model", "service_tier")]
        parts += [block.tags.get(name) or (None,) * block.size for name in tag_names]
        known = self._known
        try:
            return _looked_up(known, parts, block.size)
        except KeyError:
            for key in set(zip(*parts, strict=True)):
                if key not in known:
                    known[key] = self._new(key)
        return _looked_up(known, parts, block.size)

    def _new(self, key: tuple[Any, ...]) -> int:
        provider, model, tier, *tags = key
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
        return code

    def full(self) -> bool:
        """Whether there are too many combinations for columns to pay."""
        return len(self._known) > MOST_SERIES


def _looked_up(known: dict[tuple[Any, ...], int], parts: list[Sequence[Any]], size: int) -> Integers:
    return np.fromiter(map(known.__getitem__, zip(*parts, strict=True)), dtype=np.int64, count=size)


class Found(NamedTuple):
    """A block as columns, with its odd rows."""

    calls: Columns
    ids: Sequence[str | None]
    id_hash: npt.NDArray[np.uint64]
    fingerprint: npt.NDArray[np.uint64]
    odd: Flags


def turned(block: Block, codes: Codes, tag_names: tuple[str, ...]) -> Found:
    """A block as columns. Odd rows hold whatever, and are not to be used."""
    values, count = block.values, block.size
    start_ns, odd = instants(values["timestamp"])
    series = codes.of(block, tag_names)
    whole_in, whole_out = _integers(values["input_tokens"]), _integers(values["output_tokens"])
    cached, write_5m, write_1h, reasoning = (
        _integers(values.get(name), count)
        for name in ("cached_input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "reasoning_tokens")
    )
    inside = cached + write_5m + write_1h
    failed, errors = _failures(block)
    nothing = (whole_in == 0) & (whole_out == 0)
    odd |= (inside > whole_in) | (reasoning > whole_out) | (nothing & ~failed)
    state = np.where(failed, np.where(nothing, FAILED, 2), 0)
    zero = np.zeros(count, dtype=np.int64)
    tokens = np.stack((whole_in - inside, zero, cached, write_5m, write_1h, whole_out - reasoning, zero, reasoning))
    tokens[:, state == FAILED] = 0
    calls = Columns(
        start_ns, series, state, tokens, np.ones(count, dtype=bool), _floats(values.get("latency_ms"), count),
        _floats(values.get("ttft_ms"), count), np.rint(_floats(values.get("logged_cost"), count) * PICO),
        _sessions(values.get("session_id"), count), errors, np.ones(count, dtype=bool),
    )  # fmt: skip
    return _identified(calls, block, codes, odd)


def _identified(calls: Columns, block: Block, codes: Codes, odd: Flags) -> Found:
    ids = block.values.get("request_id") or (None,) * block.size
    model_hash = np.array(codes.model_hash, dtype=np.uint64)[calls.series]
    token = calls.tokens
    inputs = token[:5].sum(axis=0)
    outputs = token[5:].sum(axis=0)
    print_parts = (calls.start_ns, model_hash, inputs, token[2], token[3], token[4], outputs, token[7])
    mixed = mix_columns(block.size, *print_parts) & np.uint64(MASK - 1)
    fingerprints = mixed | (~_has_error(calls)).astype(np.uint64)
    return Found(calls, ids, _id_hashes(calls, block, ids), fingerprints, odd)


def _has_error(calls: Columns) -> Flags:
    failed: Flags = calls.state > 0
    return failed


def _id_hashes(calls: Columns, block: Block, ids: Sequence[str | None]) -> npt.NDArray[np.uint64]:
    """Hashes of ids; of calls without one, the hash under which equal lines are noticed."""
    if all(ids):
        return id_hashes(cast(Sequence[str], ids))
    latency = np.where(np.isnan(calls.latency_ms), -1, np.rint(calls.latency_ms * 1000)).astype(np.int64)
    sessions = block.values.get("session_id") or ("",) * block.size
    session_hash = np.array([hash_text(text or "") for text in sessions], dtype=np.uint64)
    hashes = mix_columns(block.size, np.ones(block.size, dtype=np.int64), calls.start_ns, latency, session_hash)
    for row, text in enumerate(ids):
        if text:
            hashes[row] = id_hash(text)
    return hashes


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


def _integers(column: Sequence[int | None] | None, count: int = 0) -> Integers:
    if column is None:
        return np.zeros(count, dtype=np.int64)
    try:
        return np.fromiter(cast(Sequence[int], column), dtype=np.int64, count=len(column))
    except TypeError:  # for None
        return np.fromiter((value or 0 for value in column), dtype=np.int64, count=len(column))


def _floats(column: Sequence[float | None] | None, count: int) -> Floats:
    if column is None:
        return np.full(count, np.nan)
    return np.array(column, dtype=np.float64)  # None becomes NaN


def _sessions(column: Sequence[str | None] | None, count: int) -> Integers:
    if column is None:
        return np.full(count, -1, dtype=np.int64)
    return np.array([hash_text(text) % SESSION_BUCKETS if text else -1 for text in column], dtype=np.int64)


def _failures(block: Block) -> tuple[Flags, dict[int, str]]:
    """Which rows failed, and their error classes."""
    statuses, bodies = block.values.get("status"), block.values.get("error")
    failed = np.zeros(block.size, dtype=bool)
    if statuses is None and bodies is None:
        return failed, {}
    if bodies is None and statuses is not None and all(status == 200 for status in set(statuses)):
        return failed, {}
    classes: dict[tuple[Any, ...], str | None] = {}
    errors: dict[int, str] = {}
    rows = zip(statuses or (None,) * block.size, bodies or (None,) * block.size, strict=True)
    for row, (status, body) in enumerate(rows):
        key = (type(status), status, type(body), body)  # True and 1 are equal, but not as a status
        if key not in classes:
            classes[key] = names.error(status, body)
        name = classes[key]
        if name is not None:
            errors[row] = name
    failed[list(errors)] = True
    return failed, errors
