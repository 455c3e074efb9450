"""Intervals and exact tests against statsmodels and published figures."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from llmmigrate.statistics.intervals import Moments, mcnemar_exact, newcombe_paired, wilson


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (1, 10), (5, 10), (10, 10), (12, 4000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_is_statsmodels(hits: int, count: int, confidence: float) -> None:
    low, high = proportion_confint(hits, count, alpha=1 - confidence, method="wilson")
    found = wilson(hits, count, confidence)
    assert found == pytest.approx((hits / count, low, high), abs=1e-12)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        ((20, 12, 2, 16), 0.0562, 0.3292),
        # From here on the definition, written out with statsmodels' Wilson limits.
        ((12, 9, 2, 21), None, None),
        ((0, 6, 1, 93), None, None),
        ((1, 0, 0, 99), None, None),
        ((0, 0, 0, 50), None, None),
        ((50, 0, 0, 0), None, None),
        ((3, 40, 37, 2), None, None),
    ],
)
def test_newcombes_method_10(table: tuple[int, int, int, int], low: float | None, high: float | None) -> None:
    found = newcombe_paired(*table, 0.95)
    expected = _by_definition(*table)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)
    if low is not None:
        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def _by_definition(both: int, first: int, second: int, neither: int) -> tuple[float, float]:
    count = both + first + second + neither
    one, other = (both + first) / count, (both + second) / count
    (l1, u1), (l2, u2) = (
        proportion_confint(hits, count, alpha=0.05, method="wilson") for hits in (both + first, both + second)
    )
    product = float(both * neither - first * second)
    if product > 0:
        product = max(product - count / 2, 0.0)
    root = math.sqrt((both + first) * (second + neither) * (both + second) * (first + neither))
    phi = product / root if root else 0.0
    down = math.sqrt((one - l1) ** 2 - 2 * phi * (one - l1) * (u2 - other) + (u2 - other) ** 2)
    up = math.sqrt((u1 - one) ** 2 - 2 * phi * (u1 - one) * (other - l2) + (other - l2) ** 2)
    return one - other - down, one - other + up


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 5), (3, 3), (12, 2), (2, 12), (400, 350)])
def test_mcnemar_is_statsmodels(first: int, second: int) -> None:
    expected = mcnemar([[0, first], [second, 0]], exact=True).pvalue
    assert mcnemar_exact(first, second) == pytest.approx(expected, rel=1e-9)


def test_moments_are_those_of_the_figures() -> None:
    values = np.random.default_rng(3).normal(1e6, 2.0, 500).tolist()
    moments = Moments()
    for value in values:
        moments.add(value)
    low, high = stats.t.interval(0.9, 499, np.mean(values), stats.sem(values))
    assert moments.deviation == pytest.approx(np.std(values, ddof=1))
    assert moments.interval(0.9) == pytest.approx((np.mean(values), low, high), rel=1e-12)


def test_one_figure_has_no_interval() -> None:
    moments = Moments()
    moments.add(1.0)
    assert moments.interval(0.9) is None
