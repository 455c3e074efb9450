"""Evidence for a mean below a bound: what it grows to, and how rarely it is wrong."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.statistics.evidence import BETS, WEIGHTS, Evidence, fewest, paths

ENOUGH = math.log(20)


def after(values: list[float], bound: float, **bounds: float) -> Evidence:
    evidence = Evidence(bound, **bounds)  # type: ignore[arg-type]
    for value in values:
        evidence.add(value)
    return evidence


def test_the_evidence_is_the_mean_of_the_bets_wealths() -> None:
    values, bound = [0.5, 0.0, -1.0], 0.2
    wealths = [math.prod(1 + bet / (1 - bound) * (bound - value) for value in values) for bet in BETS]
    assert after(values, bound).most == pytest.approx(math.log(np.dot(WEIGHTS, wealths)))


def test_the_most_that_there_was_counts() -> None:
    grown = after([-1.0] * 6, 0.0)
    assert grown.most >= ENOUGH
    assert after([-1.0] * 6 + [1.0] * 50, 0.0).most == grown.most


def test_without_values_there_is_no_evidence() -> None:
    assert Evidence(0.01).most == 0
    assert Evidence(0.01).expected(ENOUGH) is None


@pytest.mark.parametrize(("bound", "count"), [(0.01, 389), (0.02, 194), (0.05, 76)])
def test_clean_pairs_until_a_pass(bound: float, count: int) -> None:
    assert fewest(bound, 0.0, ENOUGH) == count
    assert after([0.0] * count, bound).most >= ENOUGH
    assert after([0.0] * (count - 1), bound).most < ENOUGH


def test_no_number_of_values_at_the_bound_is_evidence() -> None:
    assert fewest(0.0, 0.0, ENOUGH) is None


def test_what_is_still_expected_continues_what_was_seen() -> None:
    half = after([0.0] * 200, 0.01)
    assert half.expected(ENOUGH) == pytest.approx(189, abs=40)
    assert after([0.0] * 400, 0.01).expected(ENOUGH) == 0
    assert after([1.0] * 20, 0.01).expected(ENOUGH) is None


@pytest.mark.parametrize("value", [1.01, -1.01, math.nan, math.inf])
def test_a_value_out_of_bounds_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="does not lie between"):
        Evidence(0.0).add(value)


@pytest.mark.parametrize(("bound", "low", "high"), [(1.0, -1.0, 1.0), (-1.5, -1.0, 1.0), (0.0, 0.0, 0.0)])
def test_a_bound_out_of_bounds_is_refused(bound: float, low: float, high: float) -> None:
    with pytest.raises(ValueError, match="does not lie between"):
        Evidence(bound, low=low, high=high)


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=60),
    st.floats(-0.9, 0.9),
)
def test_many_at_once_are_the_same_as_one_by_one(values: list[float], bound: float) -> None:
    path = paths(np.array([values]), bound)[0]
    assert after(values, bound).most == pytest.approx(max(path.max(), 0.0), abs=1e-9)


@given(st.floats(-0.9, 0.9), st.floats(0, 1))
def test_no_bet_gains_on_average_at_the_bound(bound: float, share: float) -> None:
    """The mean of e after one value is 1 for every two values around the bound whose mean it is."""
    low, high = bound - share * (1 + bound), bound + share * (1 - bound)
    chance = (bound - low) / (high - low) if high > low else 0.5
    one, other = (math.exp(paths(np.array([[value]]), bound)[0, 0]) for value in (low, high))
    assert (1 - chance) * one + chance * other == pytest.approx(1)


def test_a_whole_population_settles_its_mean() -> None:
    """Without replacement, the last values know what is left: certainty long before they are drawn."""
    evidence = Evidence(0.5, low=0.0, high=1.0, population=100)
    for _ in range(51):
        evidence.add(0.0)
    assert evidence.most == math.inf


def test_a_population_ends() -> None:
    evidence = Evidence(0.5, low=0.0, population=2)
    evidence.add(1.0)
    evidence.add(1.0)
    assert evidence.most == 0
    with pytest.raises(ValueError, match="only 2 values"):
        evidence.add(0.0)


def test_a_population_at_the_bound_seldom_passes() -> None:
    """2,000 orders of 160 pairs whose mean is the bound, drawn whole: the risk stays below α."""
    rng = np.random.default_rng(5)
    population = np.array([1.0] * 10 + [-1.0] * 2 + [0.0] * 148)
    wrong = 0
    for _ in range(2000):
        evidence = Evidence(0.05, population=160)
        for value in rng.permutation(population).tolist():
            evidence.add(value)
            if evidence.most >= ENOUGH:
                wrong += 1
                break
    assert wrong / 2000 <= 0.06


def test_a_population_is_decided_sooner_than_a_stream() -> None:
    rng = np.random.default_rng(6)
    whole, stream = Evidence(0.02, population=600), Evidence(0.02)
    for value in rng.permutation([1.0] * 4 + [-1.0] * 4 + [0.0] * 592).tolist():
        whole.add(value)
        stream.add(value)
    assert whole.most > stream.most
