"""Whether a change is more than chance: a test for the difference of two ratios, and Holm's correction.

The error of the difference is the larger of Welch's and the pooled one. Tokens have long tails: a small sample that
misses the tail has a mean that is too low and a variance that is too low as well, and by Welch's alone twice as many
small baselines failed as may (benchmarks/simulate_check.py).

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
    calls: int


class Evidence(msgspec.Struct, frozen=True):
    """How far chance explains a change; `low` is its one-sided 95 % bound, in units of the measure.

    `detectable` is the smallest change that is found in four of five runs. Both are None where only the p-value is
    known. `least` is the p-value, adjusted for all tests, that the worst run of this size would have: where chance
    explains even that, no run of this size can tell anything.
    """

    p_value: float
    low: float | None = None
    detectable: float | None = None
    least: float = 0.0


def compare(base: Estimate, now: Estimate, *, sign: int, tests: int) -> Evidence | None:
    """A one-sided test that `now` is worse; `sign` is 1 where a rise is worse, -1 where a fall is.

    The detectable change is that of a run in which `tests` rules are looked at. None where a variance is not known.
    """
    if base.variance is None or now.variance is None:
        return None
    worse = sign * (now.value - base.value)
    variance, freedom = _wider(
        _welch(base.variance, now.variance, base, now), _pooled(base.variance, now.variance, base, now)
    )
    if variance == 0:
        return Evidence(0.0 if worse > 0 else 1.0, worse, 0.0)
    error = math.sqrt(variance)
    reach = t_quantile(1 - LEVEL / tests, freedom) + t_quantile(POWER, freedom)
    low = worse - t_quantile(1 - LEVEL, freedom) * error
    return Evidence(1 - t_cdf(worse / error, freedom), low, reach * error)


def _welch(before: float, after: float, base: Estimate, now: Estimate) -> tuple[float, float]:
    """The variance of a difference, each side with its own, and Welch and Satterthwaite's degrees of freedom."""
    parts = before**2 / max(base.freedom, 1.0) + after**2 / max(now.freedom, 1.0)
    return before + after, min(max((before + after) ** 2 / parts, 1.0), MOST_FREEDOM) if parts else MOST_FREEDOM


def _pooled(before: float, after: float, base: Estimate, now: Estimate) -> tuple[float, float]:
    """The variance of a difference if a call of either side varies alike, and its degrees of freedom."""
    calls = base.calls + now.calls
    a_call = (before * base.calls**2 + after * now.calls**2) / calls
    return a_call * calls / (base.calls * now.calls), min(base.freedom + now.freedom, MOST_FREEDOM)


def _wider(welch: tuple[float, float], pooled: tuple[float, float]) -> tuple[float, float]:
    """The larger variance; Welch's, with its fewer degrees of freedom, where they are the same but for rounding."""
    return pooled if pooled[0] > welch[0] * (1 + 1e-9) else welch


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for looking at all of them (Holm 1979), in the order given."""
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        worst = max(worst, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = worst
    return adjusted
