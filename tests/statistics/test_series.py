"""Correlation and trend of short series."""

import math

import numpy as np
import pytest
from scipy import stats

from llmmigrate.statistics.series import (
    find_trend,
    group_means,
    group_pull,
    neighbour_correlation,
    relative_residuals,
    variance_inflation,
)


def test_each_group_has_its_mean() -> None:
    assert group_means([1, 2, 3, 4], ["a", "b", "a", "b"]) == {"a": 2, "b": 3}


def test_residuals_are_relative_to_the_group() -> None:
    assert relative_residuals([5, 15, 100, 100], "aabb") == [-0.5, 0.5, 0, 0]


def test_a_group_without_cost_has_no_residuals() -> None:
    assert relative_residuals([0, 0, 1, 3], "aabb") == [0, 0, -0.5, 0.5]


def test_one_group_pulls_like_a_mean() -> None:
    assert group_pull(["a"] * 10) == pytest.approx(0.9)


def test_groups_that_never_meet_do_not_pull() -> None:
    assert group_pull([0, 1, 2, 3, 4, 5, 6] * 4) == 0


def test_constant_residuals_have_no_correlation() -> None:
    assert neighbour_correlation([0.0] * 14, 1) == 0


def test_alternating_residuals_do_not_count_as_correlation() -> None:
    assert neighbour_correlation([0.1, -0.1] * 10, 1) == 0


def test_a_smooth_series_stops_at_the_strongest_correlation() -> None:
    assert neighbour_correlation([math.sin(day / 9) for day in range(56)], 1) == 0.8


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.5])
def test_the_bias_of_short_series_is_undone(correlation: float) -> None:
    """On average over 4,000 series of 60 days, whose raw estimate is 0.02 to 0.05 too low."""
    shocks = np.random.default_rng(3).standard_normal((4000, 60))
    series = np.empty_like(shocks)
    series[:, 0] = shocks[:, 0]
    for day in range(1, 60):
        series[:, day] = correlation * series[:, day - 1] + math.sqrt(1 - correlation**2) * shocks[:, day]
    residuals = series - series.mean(axis=1, keepdims=True)
    square_sums = (residuals**2).sum(axis=1)
    raw = float(np.mean((residuals[:, 1:] * residuals[:, :-1]).sum(axis=1) / square_sums))
    found = float(np.mean([neighbour_correlation(row, 1) for row in residuals.tolist()]))
    expected = correlation if correlation else 0.05  # negative estimates count as 0, so the mean lies above 0
    assert found == pytest.approx(expected, abs=0.012)
    assert raw < correlation - 0.012


def test_correlation_inflates_the_variance() -> None:
    assert (variance_inflation(0), variance_inflation(0.5)) == (1, 3)


def test_the_trend_of_one_group_is_the_regression_line() -> None:
    values = [10.0, 11.5, 9.0, 12.5, 10.5, 13.0, 11.0, 14.5, 12.0, 12.5]
    mean = sum(values) / len(values)
    line = stats.linregress(range(len(values)), [value / mean for value in values])
    found = find_trend(values, ["all"] * len(values))
    # The days alternate, so their correlation counts as 0 and the interval is the textbook one.
    half = stats.t.ppf(0.975, len(values) - 2) * line.stderr
    expected = (line.slope, line.slope - half, line.slope + half, line.pvalue)
    assert (found.per_day, found.low, found.high, found.p_value) == pytest.approx(expected, rel=1e-8)


def test_a_trend_within_the_groups_is_found_between_them() -> None:
    values = [level * (1 + 0.01 * day) for day, level in enumerate([100, 100, 100, 100, 100, 30, 30] * 4)]
    found = find_trend(values, [day % 7 for day in range(28)])
    assert found.per_day == pytest.approx(0.01 / 1.135, rel=0.01)
    assert found.p_value < 1e-9


def test_a_constant_series_has_no_trend() -> None:
    found = find_trend([7.0] * 14, ["all"] * 14)
    assert (found.per_day, found.low, found.high, found.p_value) == (0, 0, 0, 1)
