"""Evidence on the mean of a bounded figure, valid at any moment: e-processes by betting.

Against the hypothesis that the mean is at least `bound` one bets, before each value, that it lies lower. The wealth of
a fixed bet λ is the product of 1 + λ(bound − value); under the hypothesis its mean never exceeds 1, whatever came
before, so it ever reaches 1/α with probability at most α (Ville's inequality). The values may therefore be looked at
after every one, and the test stopped at any. The same with the sign turned tests that the mean is at most `bound`.

Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 86 (2024),
arXiv:2010.09686; draws without replacement: the same authors, arXiv:2006.04347. Five fixed bets are mixed with fixed
weights, as shares of the largest bet that cannot ruin.

Logarithms are natural, values plain floats. numpy is imported where it is needed.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llmmigrate.arrays import np, npt

    Floats = npt.NDArray[np.float64]

BETS: Final = (0.1, 0.25, 0.5, 0.75, 0.95)
"""Each bet as a share of the largest one that cannot ruin."""
WEIGHTS: Final = (0.1, 0.15, 0.2, 0.2, 0.35)

_LOG_WEIGHTS: Final = tuple(map(math.log, WEIGHTS))


class Evidence:
    """The e-process of one mean: that it lies below `bound`.

    Values lie in [low, high], with low ≤ bound < high; for a mean above a bound, negate both. `population`: the values
    are drawn without replacement from so many, and the mean is theirs.
    """

    __slots__ = ("_most", "_total", "_wealths", "bound", "count", "high", "low", "population")

    def __init__(self, bound: float, *, low: float = -1.0, high: float = 1.0, population: int | None = None) -> None:
        if not low <= bound < high:
            raise ValueError(f"the bound {bound} does not lie between {low} and {high}")
        self.bound, self.low, self.high, self.population = bound, low, high, population
        self.count = 0
        self._total = self._most = 0.0
        self._wealths = [0.0] * len(BETS)

    def add(self, value: float) -> None:
        """Take the next value; ValueError for one outside [low, high] or beyond the population."""
        if not self.low <= value <= self.high:
            raise ValueError(f"{value} does not lie between {self.low} and {self.high}")
        bound = max(self._bound_of_the_rest(), self.low)
        self.count += 1
        self._total += value
        if bound >= self.high:
            # All values still to come would have to be extreme for the mean to reach the bound.
            self._wealths = self._wealths if value >= bound else [math.inf] * len(BETS)
        else:
            unit = (bound - value) / (self.high - bound)
            self._wealths = [wealth + math.log1p(bet * unit) for wealth, bet in zip(self._wealths, BETS, strict=True)]
        self._most = max(self._most, _mixed(self._wealths))

    @property
    def most(self) -> float:
        """The logarithm of the most evidence that there has been so far; 0 is none."""
        return self._most

    def expected(self, threshold: float) -> int | None:
        """So many more values like those so far bring the evidence to `threshold`; None when they never do."""
        if self._most >= threshold:
            return 0
        parts = zip(_LOG_WEIGHTS, self._wealths, strict=True)
        needed = [(threshold - weight - wealth) * self.count / wealth for weight, wealth in parts if wealth > 0]
        return math.ceil(min(needed)) if needed else None

    def _bound_of_the_rest(self) -> float:
        """What the mean of the values still to come is, if the mean of all is the bound (arXiv:2006.04347)."""
        if self.population is None:
            return self.bound
        left = self.population - self.count
        if left <= 0:
            raise ValueError(f"the population has only {self.population} values")
        return (self.population * self.bound - self._total) / left


def _mixed(wealths: Sequence[float]) -> float:
    """The logarithm of the weighted mean of wealths that are given as logarithms."""
    terms = [weight + wealth for weight, wealth in zip(_LOG_WEIGHTS, wealths, strict=True)]
    top = max(terms)
    if math.isinf(top):
        return top
    return top + math.log(math.fsum(math.exp(term - top) for term in terms))


def fewest(bound: float, value: float, threshold: float, *, high: float = 1.0) -> int | None:
    """How many values, all equal to `value`, bring the evidence of a mean below `bound` to `threshold`.

    None when no number of them does.
    """
    if value >= bound:
        return None
    unit = (bound - value) / (high - bound)
    steps = [math.log1p(bet * unit) for bet in BETS]
    count = math.ceil(threshold / max(steps))  # fewer cannot do, as a mixture never exceeds its best part
    while _mixed([count * step for step in steps]) < threshold:
        count += 1
    return max(count, 1)


def paths(values: "Floats", bound: float, *, high: float = 1.0) -> "Floats":
    """The evidence for a mean below `bound` after each value, for many sequences at once.

    `values` has the shape (sequences, values) and nothing above `high`; the result has the same shape: logarithms, not
    yet their maximum so far.
    """
    from llmmigrate.arrays import np

    units = (bound - values) / (high - bound)
    total = np.full(units.shape, -np.inf)
    for weight, bet in zip(_LOG_WEIGHTS, BETS, strict=True):
        np.logaddexp(total, weight + np.cumsum(np.log1p(bet * units), axis=-1), out=total)
    return total
