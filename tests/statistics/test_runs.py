"""Whether failures come in clusters."""

from itertools import groupby, permutations

import numpy as np
import pytest
from statsmodels.sandbox.stats.runs import runstest_1samp

from llmmigrate.statistics import runs as runs_module
from llmmigrate.statistics.runs import EXACT_UP_TO, Runs, few_runs


@pytest.mark.parametrize(("yes", "no"), [(1, 5), (2, 4), (3, 3), (4, 3)])
def test_the_probability_counts_all_orders(yes: int, no: int) -> None:
    orders = list(permutations([True] * yes + [False] * no))
    counts = [sum(1 for _ in groupby(order)) for order in orders]
    for runs in range(1, yes + no + 1):
        expected = sum(count <= runs for count in counts) / len(orders)
        assert few_runs(runs, yes, no) == pytest.approx(expected)


def test_many_of_both_kinds_are_approximated_as_statsmodels_does() -> None:
    values = np.random.default_rng(2).random(3000) < 0.4
    runs = Runs()
    for value in values.tolist():
        runs.add(value)
    assert min(runs.yes, runs.no) > EXACT_UP_TO
    _, two_sided = runstest_1samp(values.astype(float), cutoff=0.5, correction=False)
    one_sided = runs.p_value()
    assert 2 * min(one_sided, 1 - one_sided) == pytest.approx(two_sided, abs=0.03)


@pytest.mark.parametrize("counted", [440, 470, 500, 530])
def test_exact_and_approximate_meet(counted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = few_runs(counted, EXACT_UP_TO, 480)
    monkeypatch.setattr(runs_module, "EXACT_UP_TO", 0)
    assert few_runs(counted, EXACT_UP_TO, 480) == pytest.approx(exact, rel=0.1, abs=1e-4)


def test_scattered_failures_are_no_cluster() -> None:
    runs = Runs()
    for place in range(1000):
        runs.add(place % 100 == 7)
    assert runs.p_value() > 0.5


def test_one_burst_is_a_cluster() -> None:
    runs = Runs()
    for place in range(1000):
        runs.add(500 <= place < 510)
    assert runs.p_value() < 1e-15


@pytest.mark.parametrize("value", [True, False])
def test_all_alike_say_nothing(value: bool) -> None:
    runs = Runs()
    for _ in range(50):
        runs.add(value)
    assert runs.p_value() == 1
    assert not runs.can_tell(0.005)


def test_few_can_not_tell() -> None:
    runs = Runs()
    for value in [True] * 15 + [False] * 2:
        runs.add(value)
    assert not runs.can_tell(0.005)
    runs.add(False)
    assert runs.can_tell(0.005)


def test_independent_failures_are_seldom_called_clustered() -> None:
    rng = np.random.default_rng(8)
    called = 0
    for _ in range(2000):
        values = rng.random(1500) < 0.02
        runs = 1 + int(np.count_nonzero(values[1:] != values[:-1]))
        called += few_runs(runs, int(values.sum()), int((~values).sum())) < 0.01
    assert called / 2000 <= 0.015
