"""The current side's own noise, the logged answers, and whether a measure can decide."""

from collections.abc import Iterable

import numpy as np
import pytest

from llmmigrate.shadow.noise import FEWEST, PAIRS, Drop, Noise
from llmmigrate.shadow.scoring import Alike

NEEDED = np.log(20)


def alike(
    target: float | None = None, repeat: float | None = None, logged: float | None = None, control: float | None = None
) -> Alike:
    return Alike(target=target, repeat=repeat, logged=logged, control=control, basis="lexical_similarity")


def fed(noise: Noise, scores: Iterable[Alike]) -> Noise:
    for score in scores:
        noise.add(score)
    return noise


def answers(seed: int, count: int, logged: float = 0.8, unrelated: float = 0.2, spread: float = 0.05) -> list[Alike]:
    """Scores of repeated pairs, around 0.8 for the target and the second answer."""
    drawn = np.random.default_rng(seed).normal(0, spread, (count, 4))
    means = np.clip(np.array([0.8, 0.8, logged, unrelated]) + drawn, 0, 1)
    return [alike(*row) for row in means.tolist()]


def test_the_drop_is_beyond_the_noise() -> None:
    assert Noise(0.05).add(alike(target=0.6, repeat=0.9)) == pytest.approx(Drop(0.3, 0.3))


def test_without_a_second_answer_nothing_is_said() -> None:
    assert Noise(0.05).add(alike(target=0.6, logged=0.9)) is None
    assert Noise(0.05).add(alike(repeat=0.6, logged=0.9)) is None


def test_where_nothing_is_compared_the_score_alone_counts() -> None:
    assert Noise(0.2, compared=False).add(alike(target=0.7)) == pytest.approx(Drop(0.3, 0.3))


def test_logged_answers_take_over_when_they_answer_as_fresh_ones() -> None:
    noise = fed(Noise(0.05), answers(1, PAIRS))
    drop = noise.add(alike(target=0.7, logged=0.8))
    assert drop is not None
    assert drop.failing is not None
    assert drop.failing < 0.1 < drop.passing < 0.1 + 0.025
    assert noise.with_logged == 1
    assert not noise.logged_refused


def test_too_few_repeated_pairs_do_not_let_logged_answers_in() -> None:
    noise = fed(Noise(0.05), answers(1, PAIRS // 2))
    assert noise.add(alike(target=0.7, logged=0.8)) is None
    assert not noise.logged_refused


def test_a_smaller_plan_is_enough_where_scores_hardly_vary() -> None:
    noise = fed(Noise(0.05, planned=60), answers(1, 50, spread=0.02))
    assert noise.add(alike(target=0.7, logged=0.8)) is not None


def test_wide_scores_do_not_exclude_half_the_margin() -> None:
    noise = fed(Noise(0.05, planned=60), answers(1, 60, spread=0.4))
    assert noise.add(alike(target=0.7, logged=0.8)) is None
    assert noise.logged_refused


def test_current_no_longer_answers_as_logged() -> None:
    noise = fed(Noise(0.05), answers(2, PAIRS, logged=0.6))
    assert noise.add(alike(target=0.7, logged=0.6)) is None
    assert noise.logged_refused
    assert noise.drifted(NEEDED)


def test_logged_answers_within_half_the_margin_are_no_drift() -> None:
    assert not fed(Noise(0.05), answers(2, 2000, logged=0.79)).drifted(NEEDED)


def test_what_was_decided_on_logged_answers_stays() -> None:
    noise = fed(Noise(0.05), answers(2, PAIRS, logged=0.6))
    noise.add(alike(target=0.7, logged=0.6))
    fed(noise, answers(3, 5000, logged=0.9))
    assert noise.add(alike(target=0.7, logged=0.8)) is None


def test_a_measure_that_tells_unrelated_answers_apart_can_decide() -> None:
    assert fed(Noise(0.05), answers(4, 100)).can_decide() is True


@pytest.mark.parametrize("unrelated", [0.71, 0.8, 0.95])
def test_a_measure_that_scores_unrelated_answers_high_cannot(unrelated: float) -> None:
    assert fed(Noise(0.05), answers(4, 1000, unrelated=unrelated)).can_decide() is False


def test_too_few_unrelated_answers_leave_it_open() -> None:
    assert fed(Noise(0.05), answers(4, FEWEST - 1)).can_decide() is None


def test_a_fixed_limit_must_lie_above_the_middle_too() -> None:
    lenient = [alike(target=0.9, control=0.85) for _ in range(100)]
    assert fed(Noise(0.2, compared=False), lenient).can_decide() is False
    assert fed(Noise(0.05, compared=False), lenient).can_decide() is True
