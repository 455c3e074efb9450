"""Quantiles and the interval of their ratio."""

import math

import numpy as np
import pytest
from scipy import stats

from llmmigrate.statistics.quantiles import quantile, quantile_interval, quantile_ratio


@pytest.mark.parametrize("probability", [0.01, 0.05, 0.5, 0.95, 0.99, 1.0])
@pytest.mark.parametrize("count", [1, 19, 20, 100])
def test_the_quantile_is_numpys_inverted_distribution(probability: float, count: int) -> None:
    values = np.random.default_rng(count).exponential(size=count)
    expected = np.quantile(values, probability, method="inverted_cdf")
    assert quantile(values.tolist(), probability) == expected


def test_the_interval_of_a_ratio_is_scipys_bootstrap() -> None:
    """Two bootstraps of the same pairs with other random numbers: alike to within their own chance."""
    rng = np.random.default_rng(4)
    under, over = rng.lognormal(6, 0.5, 800), rng.lognormal(6.1, 0.5, 800)

    def ratio(tops: np.ndarray, bottoms: np.ndarray, axis: int = -1) -> np.ndarray:
        tail = [np.quantile(part, 0.95, method="inverted_cdf", axis=axis) for part in (tops, bottoms)]
        return np.asarray(tail[0] / tail[1])

    oracle = stats.bootstrap(
        (over, under), ratio, paired=True, n_resamples=2000, confidence_level=0.9, method="percentile", rng=rng
    ).confidence_interval
    found = quantile_ratio(over.tolist(), under.tolist(), 0.95, 0.9, seed=1)
    assert found is not None
    assert found == pytest.approx((float(ratio(over, under)), float(oracle.low), float(oracle.high)), abs=0.02)


def test_a_seed_gives_the_same_interval_again() -> None:
    times = np.random.default_rng(1).lognormal(6, 0.5, 50).tolist()
    assert quantile_interval(times, 0.5, 0.9, seed=3) == quantile_interval(times, 0.5, 0.9, seed=3)


def test_the_interval_of_a_quantile_holds_it() -> None:
    held = 0
    for seed in range(300):
        times = np.random.default_rng(seed).exponential(size=200).tolist()
        found = quantile_interval(times, 0.9, 0.9, seed)
        held += found.low <= math.log(10) <= found.high
    assert held / 300 >= 0.85


def test_unanswered_requests_count_as_slower_than_all() -> None:
    times = [100.0] * 90 + [math.inf] * 10
    assert quantile(times, 0.9) == 100
    assert quantile(times, 0.95) == math.inf
    assert quantile_ratio(times, [100.0] * 100, 0.95, 0.9, seed=0) is None


def test_no_ratio_to_nothing() -> None:
    assert quantile_ratio([1.0, 2.0], [0.0, 0.0], 0.5, 0.9, seed=0) is None
