"""When windows decide to go back: single rules, and whole days of simulated traffic."""

from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pytest

from llmmigrate.rollout import Counts
from llmmigrate.rollout.plan import Rollback
from llmmigrate.rollout.windows import Memory, Window, between, decided, judge

RULES = Rollback(latency_p95=Decimal("0.2"))
WINDOWS_A_DAY = 24 * 3600 // 30


def window(attempts: int, errors: int = 0, slow: int = 0, *, ejected: bool = False) -> Window:
    return Window(attempts=attempts, errors=errors, timed=attempts, slow=slow, ejected=ejected)


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (window(60, errors=6), "good"),
        (window(60, errors=7), "breach"),
        (window(60, slow=6), "good"),
        (window(60, slow=7), "breach"),
        (window(59, errors=50), "inconclusive"),
        (window(0), "inconclusive"),
        (window(0, ejected=True), "breach"),
        (window(5, errors=5), "breach"),
        (window(4, errors=4), "inconclusive"),
        (None, "inconclusive"),
    ],
)
def test_what_one_window_says(seen: Window | None, verdict: str) -> None:
    judgement, _ = judge(seen, Memory(), RULES)
    assert judgement.verdict == verdict
    assert bool(judgement.reasons) == (verdict != "good")


def test_three_breaches_in_a_row_decide_and_silence_neither_counts_nor_resets() -> None:
    memory = Memory()
    for seen, streak in [(window(60, 9), 1), (None, 1), (window(3), 1), (window(60, 9), 2), (window(60, 9), 3)]:
        assert not decided(memory, RULES)
        _, memory = judge(seen, memory, RULES)
        assert memory.streak == streak
    assert decided(memory, RULES)


def test_a_good_window_resets() -> None:
    _, memory = judge(window(60), Memory(streak=2), RULES)
    assert memory.streak == 0


def test_straight_failures_add_up_over_windows_and_end_with_a_good_attempt() -> None:
    _, memory = judge(window(3, 3), Memory(), RULES)
    judgement, memory = judge(window(2, 2), memory, RULES)
    assert (judgement.verdict, memory.straight) == ("breach", 5)
    _, memory = judge(window(4, 3), memory, RULES)
    assert memory.straight == 0


def test_windows_without_attempts_do_not_go_on_with_a_streak() -> None:
    judgement, memory = judge(window(5, 5), Memory(), RULES)
    assert (judgement.verdict, memory) == ("breach", Memory(streak=1, straight=5))
    for _ in range(3):
        judgement, memory = judge(window(0), memory, RULES)
        assert (judgement.verdict, judgement.reasons) == ("inconclusive", ["0 attempts, 60 are needed"])
        assert memory == Memory(streak=1, straight=5)
    judgement, memory = judge(window(0, ejected=True), memory, RULES)
    assert (judgement.verdict, memory.streak) == ("breach", 2)


def test_without_a_latency_limit_slowness_is_no_breach() -> None:
    assert judge(window(60, slow=60), Memory(), Rollback())[0].verdict == "good"


def test_a_gateway_that_counts_anew_gives_no_window() -> None:
    assert between(Counts(100, 5, 100, 0, 0), Counts(3, 0, 3, 0, 0)) is None
    grown = between(Counts(100, 5, 100, 0, 0), Counts(160, 7, 159, 3, 1))
    assert grown == Window(attempts=60, errors=2, timed=59, slow=3, ejected=True)


def rollbacks(rate: float, attempts: Iterator[int], windows: int, seed: int) -> int:
    """How often a target with this error rate is gone back from; after each the watch starts afresh."""
    draw = np.random.default_rng(seed)
    memory, count = Memory(), 0
    for _ in range(windows):
        n = next(attempts)
        _, memory = judge(window(n, int(draw.binomial(n, rate))), memory, RULES)
        if decided(memory, RULES):
            memory, count = Memory(), count + 1
    return count


def poisson(low: float, high: float, seed: int) -> Iterator[int]:
    """Attempts a window while the traffic wanders between two means."""
    draw = np.random.default_rng(seed)
    while True:
        yield int(draw.poisson(draw.uniform(low, high)))


def test_a_healthy_target_with_two_per_cent_errors_stays_for_days() -> None:
    assert rollbacks(0.02, poisson(60, 90, 1), 5 * WINDOWS_A_DAY, 2) == 0
    assert rollbacks(0.02, iter(lambda: 60, 0), WINDOWS_A_DAY, 3) == 0


def test_at_the_limit_itself_false_rollbacks_are_as_rare_as_computed() -> None:
    days = 20
    found = rollbacks(0.05, iter(lambda: 60, 0), days * WINDOWS_A_DAY, 4)
    assert found <= 6  # 0.08 a day are expected: P(X ≥ 7 of 60 at 5 %)³ × 2880; more than 6 in 20 days: p < 0.002


@pytest.mark.parametrize("attempts", [60, 75, 90])
def test_one_in_five_failures_is_found_in_three_windows_nearly_always(attempts: int) -> None:
    draw = np.random.default_rng(5)
    found = 0
    for _ in range(500):
        memory = Memory()
        for errors in draw.binomial(attempts, 0.2, 3):
            _, memory = judge(window(attempts, int(errors)), memory, RULES)
        found += decided(memory, RULES)
    assert found >= 0.9 * 500
