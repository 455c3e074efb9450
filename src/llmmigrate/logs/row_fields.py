"""Decoded rows as columns."""

from collections.abc import Sequence
from typing import Any, Final, cast

from llmmigrate.arrays import np
from llmmigrate.logs import names
from llmmigrate.logs.iso_columns import instants
from llmmigrate.logs.lane import COUNTS, Codes, Fields
from llmmigrate.logs.rows import Block
from llmmigrate.usage.calls_by_column import Floats, Integers

PLAIN: Final = {str, type(None)}


def fields_of_rows(block: Block, codes: Codes, tag_names: Sequence[str]) -> Fields:
    """The fields of a block of rows."""
    values, count = block.values, block.size
    start_ns, odd = instants(values["timestamp"])
    return Fields(
        start_ns,
        odd,
        _series(block, codes, tag_names),
        {name: _integers(values.get(name), count) for name in COUNTS},
        _errors(block),
        _floats(values.get("latency_ms"), count),
        _floats(values.get("ttft_ms"), count),
        _floats(values.get("logged_cost"), count),
        values.get("request_id") or (None,) * count,
        values.get("session_id"),
    )


def _series(block: Block, codes: Codes, tag_names: Sequence[str]) -> Integers:
    parts = [block.values.get(name) or (None,) * block.size for name in ("provider", "model", "service_tier")]
    parts += [_told_apart(block.tags.get(name) or (None,) * block.size) for name in tag_names]
    try:
        return _looked_up(codes.known, parts, block.size)
    except KeyError:
        for key in set(zip(*parts, strict=True)):
            if key not in codes.known:
                provider, model, tier, *tags = key
                values = [tag[1] if isinstance(tag, tuple) else tag for tag in tags]
                codes.add(key, provider, model, tier, values)
    return _looked_up(codes.known, parts, block.size)


def _told_apart(column: Sequence[Any]) -> Sequence[Any]:
    """The values with their types, unless all are texts: 1, 1.0 and True are equal, but not as tags."""
    return column if set(map(type, column)) <= PLAIN else [(type(value), value) for value in column]


def _looked_up(known: dict[Any, int], parts: list[Sequence[Any]], size: int) -> Integers:
    return np.fromiter(map(known.__getitem__, zip(*parts, strict=True)), dtype=np.int64, count=size)


def _integers(column: Sequence[int | None] | None, count: int) -> Integers:
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


def _errors(block: Block) -> dict[int, str]:
    """The error classes of the rows that failed."""
    statuses, bodies = block.values.get("status"), block.values.get("error")
    if statuses is None and bodies is None:
        return {}
    if bodies is None and statuses is not None and all(status == 200 for status in set(statuses)):
        return {}
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
    return errors
