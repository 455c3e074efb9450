"""Intervals and exact tests for shares, differences of paired shares, and means. Plain floats."""

import math
from statistics import NormalDist
from typing import NamedTuple

from llmmigrate.statistics.student import t_quantile


class Interval(NamedTuple):
    """An estimate with the ends of its two-sided interval."""

    estimate: float
    low: float
    high: float


def wilson(hits: int, count: int, confidence: float) -> Interval:
    """The score interval of a share (Wilson, JASA 22, 1927); `count` ≥ 1."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = hits / count
    centre = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    low = 0.0 if hits == 0 else (centre - half) / scale
    high = 1.0 if hits == count else (centre + half) / scale
    return Interval(share, low, high)


def newcombe_paired(both: int, first: int, second: int, neither: int, confidence: float) -> Interval:
    """The difference of two shares seen on the same subjects, first minus second (Newcombe, Statistics in Medicine 17,
    1998, 2635–2650, method 10: Wilson's limits squared and added, with the correlation corrected for continuity).

    `first` and `second` count the subjects with only the one; at least one subject is needed.
    """
    count = both + first + second + neither
    one = wilson(both + first, count, confidence)
    other = wilson(both + second, count, confidence)
    correlation = _correlation(both, first, second, neither)
    difference = (first - second) / count
    down = _combined(one.estimate - one.low, other.high - other.estimate, correlation)
    up = _combined(one.high - one.estimate, other.estimate - other.low, correlation)
    return Interval(difference, difference - down, difference + up)


def _combined(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(one * one - 2 * correlation * one * other + other * other, 0.0))


def _correlation(both: int, first: int, second: int, neither: int) -> float:
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    if not margins:
        return 0.0
    product = both * neither - first * second
    half = (both + first + second + neither) / 2
    corrected = max(product - half, 0.0) if product > 0 else product
    return corrected / math.sqrt(margins)


def mcnemar_exact(first: int, second: int) -> float:
    """The two-sided p value that a subject with only one of two marks has either as likely (McNemar, Psychometrika 12,
    1947; the exact binomial form).
    """
    count = first + second
    if not count:
        return 1.0
    step = -count * math.log(2) + math.lgamma(count + 1)
    tail = math.fsum(
        math.exp(step - math.lgamma(hits + 1) - math.lgamma(count - hits + 1)) for hits in range(min(first, second) + 1)
    )
    return min(2 * tail, 1.0)


class Moments:
    """Count, mean and variance of figures that are not kept (Welford, Technometrics 4, 1962)."""

    __slots__ = ("_squares", "count", "mean")

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0

    def add(self, value: float) -> None:
        """Take a figure into account."""
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self._squares += step * (value - self.mean)

    @property
    def deviation(self) -> float | None:
        """The sample's standard deviation; None for less than two figures."""
        return math.sqrt(self._squares / (self.count - 1)) if self.count > 1 else None

    def interval(self, confidence: float) -> Interval | None:
        """The mean with Student's two-sided interval; None for less than two figures."""
        deviation = self.deviation
        if deviation is None:
            return None
        half = t_quantile(0.5 + confidence / 2, self.count - 1) * deviation / math.sqrt(self.count)
        return Interval(self.mean, self.mean - half, self.mean + half)
