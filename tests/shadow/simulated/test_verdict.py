"""How often the tests are right on known truths, at fixed seeds: 2,000 replicates with a look after every pair.

docs/shadow-statistics.md has more of the same (`python -m benchmarks.simulate_verdict`).
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.simulate_verdict import (
    REPLICATES,
    agreeing,
    clustered,
    cover_of_newcombe,
    crossing,
    failing,
    gate,
    pass_against_a_pilot,
    play,
    play_bursts,
    play_logged,
    play_orders,
    waiting,
)
from tests.shadow.asking import arm, pair, says

from llmmigrate.shadow.pairs import Pair
from llmmigrate.shadow.verdict import Judge
from llmmigrate.statistics.evidence import paths

WRONG = 0.06
"""The most that a wrong answer may come, at a risk of 0.05."""


def test_equal_error_rates_pass() -> None:
    played = play(gate("errors"), failing(0.01, 0.01, 4000), seed=1)
    assert played.passes >= 0.95
    assert np.median(played.passed) <= 1500


def test_errors_at_the_margin_seldom_pass_or_fail() -> None:
    played = play(gate("errors"), failing(0.01, 0.02, 6000), seed=2)
    assert len(played.passed) == REPLICATES == 2000
    assert 0 < played.passes <= WRONG
    assert played.fails <= WRONG / 2


def test_many_more_errors_fail_soon() -> None:
    played = play(gate("errors"), failing(0.01, 0.05, 2000), seed=3)
    assert played.fails >= 0.99
    assert played.passes == 0
    assert np.median(played.failed) <= 700


def test_an_ordinary_interval_looked_at_again_and_again_would_not_do() -> None:
    """The reason for e-processes: peeking every 50 pairs with a 95 % one-sided interval at the margin."""
    values = failing(0.01, 0.02, 6000)(np.random.default_rng(4), 500)
    counts = np.arange(1, 6001)
    means = np.cumsum(values, axis=1) / counts
    spread = np.sqrt(np.maximum(np.cumsum(values**2, axis=1) / counts - means**2, 1e-12))
    peeked = (means + 1.645 * spread / np.sqrt(counts))[:, 99::50]
    assert np.mean((peeked < 0.01).any(axis=1)) > 0.2


@pytest.mark.parametrize(("drop", "passes", "fails"), [(0.0, (0.98, 1), (0, 0.01)), (0.1, (0, 0.01), (0.98, 1))])
def test_agreement_on_either_side_of_the_margin(
    drop: float, passes: tuple[float, float], fails: tuple[float, float]
) -> None:
    played = play(gate("agreement"), agreeing(drop, 1500), seed=5)
    assert passes[0] <= played.passes <= passes[1]
    assert fails[0] <= played.fails <= fails[1]


def test_agreement_at_the_margin_seldom_passes() -> None:
    played = play(gate("agreement"), agreeing(0.05, 1500), seed=6)
    assert 0 < played.passes <= WRONG
    assert played.fails <= WRONG / 2


def test_equal_times_pass() -> None:
    tested = gate("latency_p95")
    assert play(tested, waiting(1.0, 2000, tested), seed=7).passes >= 0.95


def test_times_at_the_margin_seldom_pass() -> None:
    tested = gate("latency_p95")
    played = play(tested, waiting(1.2, 2000, tested), seed=8)
    assert 0 < played.passes <= WRONG
    assert played.fails <= WRONG / 2


def test_times_beyond_the_margin_fail() -> None:
    tested = gate("latency_p95")
    played = play(tested, waiting(1.5, 2000, tested), seed=9)
    assert played.fails >= 0.98
    assert played.passes == 0


def test_a_quantile_of_the_pilot_must_not_be_taken_for_the_true_one() -> None:
    """The reason for D: held against a fixed 5 %, at the margin, chance in the pilot passes far too often."""
    assert pass_against_a_pilot(2000, seed=10, replicates=500) > 0.15


def test_slow_failures_do_not_hide_in_the_order_of_u() -> None:
    """64 in flight, failures take 60 s: in the order of completion every bad target would pass before they are seen."""
    by_order, by_completion = play_orders(0.01, 0.02, 1000, seed=11, replicates=REPLICATES)
    assert by_order <= WRONG
    assert by_completion > 0.9


def test_bursts_that_are_seen_do_not_pass() -> None:
    played = play_bursts(0.02, 10, 2000, seed=12, replicates=REPLICATES)
    assert played.seen > 0.2
    assert played.passed_unguarded > 0.1
    assert played.passed <= 0.01


def test_independent_failures_are_seldom_called_bursts() -> None:
    values = failing(0.01, 0.01, 6000)(np.random.default_rng(13), 500)
    passed = crossing(paths(values, gate("errors").bound), math.log(20))
    called = [clustered(row[:pairs] > 0) for row, pairs in zip(values, passed.tolist(), strict=True) if pairs <= 6000]
    assert len(called) > 450
    assert np.mean(called) <= 0.015


def test_the_judge_decides_where_the_simulation_does() -> None:
    """What was simulated many at once is what the judge does pair by pair."""
    values = failing(0.01, 0.01, 2500)(np.random.default_rng(18), 12)
    passed = crossing(paths(values, gate("errors").bound), math.log(20))
    for row, expected in zip(values, passed.tolist(), strict=True):
        judge = Judge([gate("errors")])
        for place, value in enumerate(row[:expected].tolist()):
            sides = [says("x") if value != bad else None for bad in (-1, 1)]
            current, target = (arm(side, first_failure=None if side else "bad_request") for side in sides)
            assert judge.decision is None
            judge.add(Pair(asked=replace(pair("a", "b").asked, order=place / 1e6), current=current, target=target), {})
        assert judge.decision == ("PASS" if expected <= 2500 else None)


def test_logged_answers_that_drifted_bring_no_pass() -> None:
    """At the margin, and beyond it: simply used, drifted answers would pass nearly everything."""
    assert play_logged(0.05, 0.024, 14, REPLICATES, ruled=True) <= WRONG
    assert play_logged(0.1, 0.1, 15, REPLICATES, ruled=True) <= 0.001
    assert play_logged(0.1, 0.1, 15, 500, ruled=False) > 0.9


def test_logged_answers_that_did_not_drift_help() -> None:
    assert play_logged(0.0, 0.0, 16, 500, ruled=True) > 0.95


def test_newcombes_interval_holds_the_difference() -> None:
    assert cover_of_newcombe(0.01, 0.02, 1000, seed=17, replicates=REPLICATES) >= 0.88
