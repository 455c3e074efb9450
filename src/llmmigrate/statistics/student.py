"""Student's t distribution for real degrees of freedom, in plain floats.

The distribution function is the regularised incomplete beta function, taken from its continued fraction
(NIST Digital Library of Mathematical Functions, 8.17.22) with the modified Lentz recurrence; the quantile comes from
Newton's method. Error below 1e-8, relative where the value is above 1, for probabilities in [1e-6, 1 - 1e-6] and at
least half a degree of freedom.
"""

import math
from functools import lru_cache

_TINY = 1e-300
_FRACTION_STEPS = 1000
_NEWTON_STEPS = 200


def t_cdf(t: float, df: float) -> float:
    """The probability that a t variable with `df` > 0 degrees of freedom is at most `t`."""
    if df <= 0:
        raise ValueError(f"degrees of freedom must be positive, not {df}")
    tail = 0.5 * _incomplete_beta(df / (df + t * t), df / 2, 0.5)
    return 1 - tail if t > 0 else tail


@lru_cache(maxsize=256)
def t_quantile(probability: float, df: float) -> float:
    """The t with `t_cdf(t, df) == probability`; ValueError unless 0 < probability < 1."""
    if not 0 < probability < 1:
        raise ValueError(f"a probability between 0 and 1 is needed, not {probability}")
    if probability < 0.5:
        return -t_quantile(1 - probability, df)
    # Above the median the distribution function is concave, so Newton's steps from the left never pass the root.
    t = 0.0
    for _ in range(_NEWTON_STEPS):
        step = (probability - t_cdf(t, df)) / _density(t, df)
        if step <= t * 1e-14:
            break
        t += step
    return t


def _density(t: float, df: float) -> float:
    scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    return math.exp(scale - (df + 1) / 2 * math.log1p(t * t / df))


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b) for 0 <= x <= 1."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    # The fraction converges fast only below the mean of the distribution; above it, its mirror image does.
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    scale = a * math.log(x) + b * math.log1p(-x) - math.lgamma(a) - math.lgamma(b) + math.lgamma(a + b)
    return math.exp(scale) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    value, c, d = 1.0, 1.0, 0.0
    for step in range(1, _FRACTION_STEPS):
        term = _fraction_term(step, x, a, b)
        d = 1 / _off_zero(1 + term * d)
        c = _off_zero(1 + term / c)
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def _fraction_term(step: int, x: float, a: float, b: float) -> float:
    m = step // 2
    if step % 2 == 0:
        return m * (b - m) * x / ((a + step - 1) * (a + step))
    return -(a + m) * (a + b + m) * x / ((a + step - 1) * (a + step))


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
