"""The ratio of two totals from a sample whose members were drawn with probability proportional to a size."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from llmmigrate.statistics.series import mean, variance
from llmmigrate.statistics.student import t_quantile


class Ratio(NamedTuple):
    """A ratio of totals, the ends of its two-sided t interval, and how unequal the single members are.

    `sigma` is the standard deviation that the logarithms of the single ratios would have, were they log-normal with
    the variation that was seen.
    """

    value: float
    low: float
    high: float
    sigma: float
    draws: int


def ratio_of_totals(
    after: Sequence[float], before: Sequence[float], sizes: Sequence[float], confidence: float
) -> Ratio | None:
    """The ratio Σ after / Σ before of the whole population, from draws with replacement, each with probability
    proportional to its size.

    Each draw counts with after/size and before/size (Hansen and Hurwitz, Annals of Mathematical Statistics 14, 1943);
    the variance is that of the residuals after − ratio · before (Cochran, Sampling Techniques, 3rd ed., 1977, chapters
    6 and 9A), with Student's quantile for draws − 1 degrees of freedom. Where the size is `before` itself, the ratio is
    the plain mean of the single ratios.

    None for less than two draws or a population without `before`. A low end below 0 is given as 0.
    """
    draws = len(after)
    weighted = [value / size for value, size in zip(before, sizes, strict=True)]
    scale = math.fsum(weighted) / draws if draws else 0.0
    if draws < 2 or not scale:
        return None
    ratio = mean([value / size for value, size in zip(after, sizes, strict=True)]) / scale
    members = zip(after, before, sizes, strict=True)
    residuals = [(new - ratio * old) / (size * scale) for new, old, size in members]
    spread = math.sqrt(variance(residuals))
    half = t_quantile(0.5 + confidence / 2, draws - 1) * spread / math.sqrt(draws)
    sigma = math.sqrt(math.log1p((spread / ratio) ** 2)) if ratio else 0.0
    return Ratio(ratio, max(ratio - half, 0.0), ratio + half, sigma, draws)
