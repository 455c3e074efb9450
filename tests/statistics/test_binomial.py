"""Exact tails and intervals, against scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmmigrate.statistics.binomial import interval, upper_tail


@given(st.integers(1, 400), st.data(), st.floats(0.001, 0.999))
def test_the_tail_is_that_of_scipy(trials: int, data: st.DataObject, rate: float) -> None:
    successes = data.draw(st.integers(0, trials))
    assert upper_tail(successes, trials, rate) == pytest.approx(stats.binom.sf(successes - 1, trials, rate), abs=1e-9)


@given(st.integers(1, 3000), st.data())
def test_the_interval_is_that_of_scipy(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    expected = stats.binomtest(successes, trials).proportion_ci(method="exact")
    assert interval(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_seven_of_sixty_are_too_many_at_five_per_cent_and_six_are_not() -> None:
    assert upper_tail(7, 60, 0.05) < 0.05 < upper_tail(6, 60, 0.05)
