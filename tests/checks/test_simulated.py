"""Seeded experiments: the default rules are rarely wrong, find what they must find, and say what they cannot see."""

from collections.abc import Callable

import pytest
from benchmarks.simulate_check import CAUSES, Experiment, Scenario, failing, named

from llmmigrate.prices import Catalog, load_catalog

Make = Callable[[int], Experiment]
RUNS = 120


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.mark.parametrize("sessions", [False, True])
def test_nothing_changed_and_at_most_one_run_in_twenty_fails(catalog: Catalog, sessions: bool) -> None:
    experiment = Experiment(catalog, seed=11)
    rates = [failing(experiment, Scenario(sigma, 1000, 1000, sessions), RUNS)[0] for sigma in (0.5, 1.0, 1.5)]
    assert sum(rates) / len(rates) <= 0.05
    assert max(rates) <= 0.09  # two standard errors above 5 % in so few runs


def test_a_small_baseline_fails_no_oftener(catalog: Catalog) -> None:
    assert failing(Experiment(catalog, seed=5), Scenario(1.5, 200, 2000), RUNS)[0] <= 0.05


@pytest.mark.parametrize("sigma", [0.3, 0.8])
def test_a_rise_of_15_percent_is_found(catalog: Catalog, sigma: float) -> None:
    failed, small = failing(Experiment(catalog, seed=3), Scenario(sigma, rise=0.15), RUNS)
    assert failed >= 0.95
    assert small == 0


def test_a_run_that_cannot_find_it_says_so(catalog: Catalog) -> None:
    failed, small = failing(Experiment(catalog, seed=3), Scenario(1.5, 200, 200, rise=0.15), RUNS)
    assert failed + small >= 0.97
    assert small > 0.8


@pytest.mark.parametrize("cause", CAUSES)
def test_what_changed_alone_is_named_first(catalog: Catalog, cause: str) -> None:
    assert named(Experiment(catalog, seed=2), cause, RUNS) >= 0.99
