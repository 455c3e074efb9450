"""A mergeable quantile sketch with 1 % relative error.

Logarithmic buckets as in DDSketch (Masson, Rim and Lee, VLDB 2019): bucket i holds the values in (g^(i-1), g^i] with
g = (1 + a) / (1 - a), so its representative 2·g^i / (g + 1) is within the relative error a of every value in it. Bounds
come from one table rather than from logarithms at run time: every reader then puts a value into the same bucket.
"""

import bisect
import math
from collections.abc import Iterable
from typing import Final

RELATIVE_ERROR: Final = 0.01
GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
SMALLEST: Final = 1e-3
LARGEST: Final = 1e12
BOUNDS: Final = [SMALLEST * GAMMA**i for i in range(math.ceil(math.log(LARGEST / SMALLEST) / math.log(GAMMA)) + 1)]
"""Upper bounds of buckets 1, 2, …; bucket 0 holds everything up to `SMALLEST`, zero included."""

Sketch = dict[int, int]
"""Bucket number → count. A plain mapping, because a profile holds very many of them."""


def bucket(value: float) -> int:
    """The bucket of a non-negative value."""
    return bisect.bisect_left(BOUNDS, value)


def add(sketch: Sketch, value: float) -> None:
    """Count a non-negative value."""
    index = bucket(value)
    sketch[index] = sketch.get(index, 0) + 1


def representative(index: int) -> float:
    """The value that stands for a bucket, within 1 % of all values in it."""
    if index == 0:
        return 0.0
    upper = BOUNDS[min(index, len(BOUNDS) - 1)]
    return 2 * upper / (GAMMA + 1)


def merge(into: Sketch, other: Sketch) -> None:
    """Add the counts of `other` to `into`."""
    for index, count in other.items():
        into[index] = into.get(index, 0) + count


def quantile(sketch: Sketch, q: float) -> float | None:
    """The q-quantile (nearest rank), None for an empty sketch."""
    total = sum(sketch.values())
    if total == 0:
        return None
    rank = max(1, math.ceil(q * total))
    for index in sorted(sketch):
        rank -= sketch[index]
        if rank <= 0:
            return representative(index)
    raise AssertionError("ranks exceed the total count")


def quantiles(sketch: Sketch, qs: Iterable[float]) -> list[float | None]:
    """Several quantiles of one sketch."""
    return [quantile(sketch, q) for q in qs]
