"""Exact statements about a share: tail probabilities and the Clopper-Pearson interval."""

import math
from collections.abc import Callable


def upper_tail(successes: int, trials: int, rate: float) -> float:
    """P(X ≥ `successes`) of a binomial with `trials` draws at `rate`, summed exactly from the smaller side."""
    if successes <= 0:
        return 1.0
    if successes > trials or rate <= 0:
        return 0.0
    if rate >= 1:
        return 1.0
    if successes > trials * rate:
        return math.fsum(_probability(count, trials, rate) for count in range(successes, trials + 1))
    return 1.0 - math.fsum(_probability(count, trials, rate) for count in range(successes))


def interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Clopper-Pearson interval of a share (Biometrika 26, 1934): never covers less than `confidence`."""
    alpha = (1 - confidence) / 2
    low = 0.0 if successes == 0 else _solve(lambda rate: upper_tail(successes, trials, rate) - alpha)
    high = 1.0 if successes == trials else _solve(lambda rate: upper_tail(successes + 1, trials, rate) - (1 - alpha))
    return low, high


def _probability(count: int, trials: int, rate: float) -> float:
    chosen = math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
    return math.exp(chosen + count * math.log(rate) + (trials - count) * math.log1p(-rate))


def _solve(rising: Callable[[float], float]) -> float:
    """Where a rising function of a share is zero, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2
