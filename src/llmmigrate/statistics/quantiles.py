"""Quantiles of latencies, and how their ratio between two sides is estimated. Times may be infinite: never answered."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from llmmigrate.statistics.intervals import Interval

if TYPE_CHECKING:
    from llmmigrate.arrays import np, npt

    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.int64]

RESAMPLES: Final = 2000
FEWEST_RESAMPLES: Final = 400
_DRAWS: Final = 20_000_000
"""Long series are resampled less often: their interval is narrow, and its ends need fewer digits."""
_AT_ONCE: Final = 200_000


def quantile(values: Sequence[float], probability: float) -> float:
    """The smallest value with at least this share of the values at or below it (the inverse of their distribution)."""
    place = max(math.ceil(probability * len(values) - 1e-9), 1)
    return sorted(values)[place - 1]


def quantile_interval(values: Sequence[float], probability: float, confidence: float, seed: int) -> Interval:
    """A quantile with its percentile bootstrap interval (Efron, Annals of Statistics 7, 1979)."""
    from llmmigrate.arrays import np

    sample = np.asarray(values, dtype=np.float64)
    found = np.concatenate([_quantiles(sample[places], probability) for places in _resamples(len(sample), seed)])
    return _interval(quantile(values, probability), found, confidence)


def quantile_ratio(
    over: Sequence[float], under: Sequence[float], probability: float, confidence: float, seed: int
) -> Interval | None:
    """The ratio of the same quantile of two paired series, `over` / `under`, with a bootstrap of whole pairs.

    The percentile interval, which for a ratio of two 95 % quantiles errs on the cautious side; BCa does not
    (docs/shadow-statistics.md). None where the ratio has no finite value.
    """
    from llmmigrate.arrays import np

    above, below = quantile(over, probability), quantile(under, probability)
    if not below or math.isinf(below) or math.isinf(above):
        return None
    tops, bottoms = np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64)
    found: list[Floats] = []
    for places in _resamples(len(tops), seed):
        divisors = _quantiles(bottoms[places], probability)
        usable = np.isfinite(divisors) & (divisors > 0)
        ratios = _quantiles(tops[places], probability) / np.where(usable, divisors, 1.0)
        found.append(np.where(usable, ratios, np.inf))
    return _interval(above / below, np.concatenate(found), confidence)


def _resamples(count: int, seed: int) -> "Iterator[Places]":
    """The places that resamples take, one resample a row, some rows at a time."""
    from llmmigrate.arrays import np

    rng = np.random.default_rng(seed)
    left = max(min(_DRAWS // count, RESAMPLES), FEWEST_RESAMPLES)
    while left > 0:
        rows = min(max(_AT_ONCE // count, 1), left)
        yield rng.integers(0, count, (rows, count))
        left -= rows


def _quantiles(resampled: "Floats", probability: float) -> "Floats":
    from llmmigrate.arrays import np

    place = max(math.ceil(probability * resampled.shape[1] - 1e-9), 1) - 1
    return np.partition(resampled, place, axis=1)[:, place]


def _interval(estimate: float, found: "Floats", confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    ordered = found.tolist()
    return Interval(estimate, quantile(ordered, tail), quantile(ordered, 1 - tail))
