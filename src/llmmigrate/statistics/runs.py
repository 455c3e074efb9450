"""Whether failures come in clusters: the runs test (Wald and Wolfowitz, Annals of Mathematical Statistics 11, 1940)."""

import math
from statistics import NormalDist
from typing import Final

EXACT_UP_TO: Final = 500
"""With more of both kinds the normal approximation is used."""


class Runs:
    """Counts the runs of a sequence of yes and no that is not kept."""

    __slots__ = ("_last", "no", "runs", "yes")

    def __init__(self) -> None:
        self.yes = self.no = self.runs = 0
        self._last: bool | None = None

    def add(self, value: bool) -> None:
        """Take the next one."""
        self.yes += value
        self.no += not value
        self.runs += value is not self._last
        self._last = value

    def p_value(self) -> float:
        """The probability of so few runs or fewer, if every order of these is as likely."""
        return few_runs(self.runs, self.yes, self.no)

    def can_tell(self, level: float) -> bool:
        """Whether the most clustered order of these would be seen as such; not when all are alike or they are few."""
        return bool(self.yes and self.no) and few_runs(2, self.yes, self.no) <= level


def few_runs(runs: int, yes: int, no: int) -> float:
    """The probability of at most `runs` runs in a random order of `yes` and `no` of either kind.

    Exact while one kind has at most 500, else the normal approximation with a correction for continuity.
    """
    if not yes or not no:
        return 1.0
    if min(yes, no) > EXACT_UP_TO:
        return _normal(runs, yes, no)
    orders = _log_choose(yes + no, yes)
    total = math.fsum(math.exp(part - orders) for count in range(2, runs + 1) for part in _log_orders(count, yes, no))
    return min(total, 1.0)


def _log_orders(runs: int, yes: int, no: int) -> list[float]:
    """Logarithms that add up to the number of orders with exactly so many runs."""
    half = runs // 2
    if runs % 2 == 0:
        return _product(yes, half, no, half, times=2)
    return _product(yes, half + 1, no, half) + _product(yes, half, no, half + 1)


def _product(yes: int, parts: int, no: int, other_parts: int, times: int = 1) -> list[float]:
    """The ways to cut both kinds into so many runs each."""
    if parts > yes or other_parts > no:
        return []
    return [math.log(times) + _log_choose(yes - 1, parts - 1) + _log_choose(no - 1, other_parts - 1)]


def _log_choose(count: int, taken: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(taken + 1) - math.lgamma(count - taken + 1)


def _normal(runs: int, yes: int, no: int) -> float:
    count, product = yes + no, 2 * yes * no
    mean = product / count + 1
    variance = product * (product - count) / (count * count * (count - 1))
    return NormalDist(mean, math.sqrt(variance)).cdf(runs + 0.5)
