"""Quantiles of latencies, and how their ratio between two sides is estimated. Times may be infinite: never answered."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from llmmigrate.statistics.intervals import Interval

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.int64]

RESAMPLES: Final = 2000
FEWEST_RESAMPLES: Final = 400
_DRAWS: Final = 20_000_000
"""Long series are resampled less often: their interval is narrow, and its ends need fewer digits."""


def quantile(values: Sequence[float], probability: float) -> float:
    """The smallest value with at least this share of the values at or below it (the inverse of their distribution)."""
    place = max(math.ceil(probability * len(values) - 1e-9), 1)
    return sorted(values)[place - 1]


def quantile_interval(values: Sequence[float], probability: float, confidence: float, seed: int) -> Interval:
    """A quantile with its percentile bootstrap interval (Efron, Annals of Statistics 7, 1979)."""
    import numpy as np

    sample = np.asarray(values, dtype=np.float64)
    found = [_quantile(sample[rows], probability) for rows in _resamples(len(sample), seed)]
    return _interval(quantile(values, probability), found, confidence)


def quantile_ratio(
    over: Sequence[float], under: Sequence[float], probability: float, confidence: float, seed: int
) -> Interval | None:
    """The ratio of the same quantile of two paired series, `over` / `under`, with a bootstrap of whole pairs.

    The percentile interval, not BCa, which holds the ratio of two 95 % quantiles too rarely. None where the ratio has
    no finite value.
    """
    import numpy as np

    above, below = quantile(over, probability), quantile(under, probability)
    if not below or math.isinf(below) or math.isinf(above):
        return None
    tops, bottoms = np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64)
    resamples = _resamples(len(tops), seed)
    found = [_ratio(_quantile(tops[rows], probability), _quantile(bottoms[rows], probability)) for rows in resamples]
    return _interval(above / below, found, confidence)


def _resamples(count: int, seed: int) -> "Iterator[Places]":
    """The places that each resample takes."""
    import numpy as np

    rng = np.random.default_rng(seed)
    for _ in range(max(min(_DRAWS // count, RESAMPLES), FEWEST_RESAMPLES)):
        yield rng.integers(0, count, count)


def _quantile(values: "Floats", probability: float) -> float:
    import numpy as np

    place = max(math.ceil(probability * len(values) - 1e-9), 1) - 1
    return float(np.partition(values, place)[place])


def _ratio(top: float, bottom: float) -> float:
    return top / bottom if bottom and not math.isinf(bottom) else math.inf


def _interval(estimate: float, found: Sequence[float], confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    return Interval(estimate, quantile(found, tail), quantile(found, 1 - tail))
