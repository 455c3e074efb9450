"""Short daily series: how strongly neighbours resemble each other, and whether the series trends.

Plain floats throughout: these are estimates, never money.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import pairwise

import msgspec

from llmmigrate.statistics.student import t_cdf, t_quantile

STRONGEST_CORRELATION = 0.8
"""A short series cannot tell a stronger correlation from a trend."""


class Trend(msgspec.Struct, frozen=True):
    """A straight-line change a day relative to the series' mean, with its 95 % interval and two-sided p value."""

    per_day: float
    low: float
    high: float
    p_value: float


def mean(values: Sequence[float]) -> float:
    """The mean, summed without rounding."""
    return math.fsum(values) / len(values)


def variance(values: Sequence[float], *, sample: bool = True) -> float:
    """The variance around the mean: of a sample (divided by n - 1), or of all there is."""
    centre = mean(values)
    return math.fsum((value - centre) ** 2 for value in values) / (len(values) - sample)


def group_means(values: Sequence[float], groups: Sequence[Hashable]) -> dict[Hashable, float]:
    """The mean of the values of each group (such as weekdays and weekends)."""
    members: dict[Hashable, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        members.setdefault(group, []).append(value)
    return {group: mean(of_group) for group, of_group in members.items()}


def relative_residuals(values: Sequence[float], groups: Sequence[Hashable]) -> list[float]:
    """Each value over its group's mean, minus 1; 0 in a group whose mean is 0."""
    means = group_means(values, groups)
    pairs = zip(values, groups, strict=True)
    return [value / means[group] - 1 if means[group] else 0.0 for value, group in pairs]


def neighbour_correlation(residuals: Sequence[float], pull: float) -> float:
    """The lag-1 autocorrelation of least-squares residuals, in [0, 0.8], freed of its bias in short series.

    `pull` is the sum of the fit's leverages between neighbours (the first off-diagonal of the hat matrix): 1 for a
    fitted mean, 2 for a line. The raw estimate of an AR(1) process is too low by (pull + (2 + pull) r) / n (Kendall
    1954 for the mean), which is undone. Negative correlation is taken as 0: it would only narrow intervals, on weak
    evidence.
    """
    square_sum = math.fsum(r * r for r in residuals)
    if not square_sum:
        return 0.0
    n = len(residuals)
    raw = math.fsum(a * b for a, b in pairwise(residuals)) / square_sum
    return min(max((n * raw + pull) / (n - 2 - pull), 0.0), STRONGEST_CORRELATION)


def group_pull(groups: Sequence[Hashable]) -> float:
    """The `pull` of a fit of group means: what neighbours in the same group share of its mean."""
    sizes = Counter(groups)
    return math.fsum(1 / sizes[group] for group, following in pairwise(groups) if group == following)


def variance_inflation(correlation: float) -> float:
    """How much the variance of a long mean grows when neighbours correlate (AR(1)): (1 + r) / (1 - r)."""
    return (1 + correlation) / (1 - correlation)


def find_trend(values: Sequence[float], groups: Sequence[Hashable]) -> Trend:
    """The least-squares slope of the values relative to their group means, with an interval that allows for
    correlated neighbours (AR(1) inflation of the variance, t with n - groups - 1 degrees of freedom).
    """
    n, fitted = len(values), len(set(groups)) + 1
    level = relative_residuals(values, groups)
    days = list(range(n))
    means = group_means(days, groups)
    centred = [day - means[group] for day, group in zip(days, groups, strict=True)]
    spread = math.fsum(c * c for c in centred)
    slope = math.fsum(c * r for c, r in zip(centred, level, strict=True)) / spread
    rest = [r - slope * c for c, r in zip(centred, level, strict=True)]
    pull = group_pull(groups) + math.fsum(a * b for a, b in pairwise(centred)) / spread
    inflation = variance_inflation(neighbour_correlation(rest, pull))
    error = math.sqrt(math.fsum(r * r for r in rest) / (n - fitted) * inflation / spread)
    return _trend(slope, error, n - fitted)


def _trend(slope: float, error: float, df: int) -> Trend:
    if not error:
        return Trend(slope, slope, slope, 1.0 if not slope else 0.0)
    half = t_quantile(0.975, df) * error
    p_value = 2 * t_cdf(-abs(slope) / error, df)
    return Trend(slope, slope - half, slope + half, p_value)
