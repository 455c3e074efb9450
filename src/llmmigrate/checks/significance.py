"""Whether a change is more than chance: Welch's test for the difference of two ratios, and Holm's correction.

All figures here are estimates and plain floats; money itself stays exact elsewhere.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from llmmigrate.statistics.student import t_cdf, t_quantile

LEVEL: Final = 0.05
"""How often a rule may fail although nothing has changed."""
POWER: Final = 0.8
"""How often a change of the smallest detectable size is found."""
MOST_FREEDOM: Final = 1e6
"""Degrees of freedom beyond which t is the normal distribution for all that can be seen."""


class Estimate(msgspec.Struct, frozen=True):
    """A mean or ratio with the variance of its estimate; None where the log cannot tell it."""

    value: float
    variance: float | None
    freedom: float


class Evidence(msgspec.Struct, frozen=True):
    """How far chance explains a change; `low` is its one-sided 95 % bound, in units of the measure.

    `detectable` is the smallest change that is found in four of five runs. Both are None where only the p-value is
    known.
    """

    p_value: float
    low: float | None = None
    detectable: float | None = None


def compare(base: Estimate, now: Estimate, *, sign: int, tests: int) -> Evidence | None:
    """Welch's one-sided test that `now` is worse; `sign` is 1 where a rise is worse, -1 where a fall is.

    The detectable change is that of a run in which `tests` rules are looked at. None where a variance is not known.
    """
    if base.variance is None or now.variance is None:
        return None
    worse = sign * (now.value - base.value)
    variance = base.variance + now.variance
    if variance == 0:
        return Evidence(0.0 if worse > 0 else 1.0, worse, 0.0)
    freedom = _welch(base, now, variance)
    error = math.sqrt(variance)
    reach = t_quantile(1 - LEVEL / tests, freedom) + t_quantile(POWER, freedom)
    low = worse - t_quantile(1 - LEVEL, freedom) * error
    return Evidence(1 - t_cdf(worse / error, freedom), low, reach * error)


def _welch(base: Estimate, now: Estimate, variance: float) -> float:
    """Welch and Satterthwaite's degrees of freedom."""
    parts = [(side.variance or 0.0) ** 2 / max(side.freedom, 1.0) for side in (base, now)]
    return min(max(variance**2 / sum(parts), 1.0), MOST_FREEDOM) if sum(parts) else MOST_FREEDOM


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for looking at all of them (Holm 1979), in the order given."""
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        worst = max(worst, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = worst
    return adjusted
