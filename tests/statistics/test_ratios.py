"""The ratio of totals from draws in proportion to a size."""

import math

import numpy as np
import pytest
from scipy import stats

from llmmigrate.statistics.ratios import ratio_of_totals


def test_where_the_size_is_what_is_compared_it_is_the_mean_of_ratios() -> None:
    before = [10.0, 20.0, 400.0, 7.0]
    after = [12.0, 30.0, 390.0, 7.0]
    ratios = np.array(after) / np.array(before)
    found = ratio_of_totals(after, before, before, 0.95)
    low, high = stats.t.interval(0.95, 3, ratios.mean(), stats.sem(ratios))
    assert found is not None
    assert found[:3] == pytest.approx((ratios.mean(), max(low, 0), high), rel=1e-7)
    spread = ratios.std(ddof=1) / ratios.mean()
    assert found.sigma == pytest.approx(math.sqrt(math.log(1 + spread**2)))
    assert found.draws == 4


def test_a_constant_ratio_is_certain() -> None:
    before = [10.0, 20.0, 400.0]
    found = ratio_of_totals([1.3 * value for value in before], before, [50.0, 90.0, 410.0], 0.95)
    assert found is not None
    assert found[:4] == pytest.approx((1.3, 1.3, 1.3, 0.0), abs=1e-9)


def test_another_size_does_not_bias_it() -> None:
    """The mean over many samples of a small population with quite unequal ratios is its ratio of totals."""
    rng = np.random.default_rng(1)
    before, other = rng.lognormal(4, 1, 300), rng.lognormal(5, 1, 300)
    after = before * rng.lognormal(0.2, 0.6, 300)
    sizes = before + other
    found = []
    for _ in range(2000):
        places = rng.choice(300, 200, p=sizes / sizes.sum())
        ratio = ratio_of_totals(after[places].tolist(), before[places].tolist(), sizes[places].tolist(), 0.95)
        found.append(math.nan if ratio is None else ratio.value)
    assert np.mean(found) == pytest.approx(after.sum() / before.sum(), rel=0.005)


@pytest.mark.parametrize("before", [[], [5.0], [0.0, 0.0]])
def test_too_little_gives_no_ratio(before: list[float]) -> None:
    assert ratio_of_totals([1.0] * len(before), before, [9.0] * len(before), 0.95) is None


def test_a_ratio_is_never_below_nothing() -> None:
    found = ratio_of_totals([0.0, 0.0, 9.0], [3.0, 3.0, 3.0], [3.0, 3.0, 3.0], 0.95)
    assert found is not None
    assert found.low == 0
