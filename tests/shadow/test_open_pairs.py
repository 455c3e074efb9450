"""Pairs of which an earlier start broke a side off: whatever came of them, they help no answer.

What is under way at a kill is mostly what hangs. The worst case is that a kill hits nothing else, which is what happens
here.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.shadow.asking import arm, failed, pair

from llmmigrate.quantities import limit
from llmmigrate.shadow.gates import Gate, is_open, parse, span
from llmmigrate.shadow.judgement import Verdict
from llmmigrate.shadow.pairs import Answer, Arm, Pair, Sampled
from llmmigrate.shadow.verdict import Judge

OPEN = failed("interrupted")
DOWN = failed("server")


def gate(key: str, text: str) -> Gate:
    return parse(key, limit(text), {"tool_validity": "validity"})


ERRORS = gate("errors", "<= +1pt")


def took(latency: float) -> Arm:
    return Arm(answer=Answer(text="fine"), latency_ms=latency)


@pytest.mark.parametrize(
    ("limits", "current", "target", "found"),
    [
        (ERRORS, arm("a"), OPEN, (1, 0)),
        (ERRORS, DOWN, OPEN, (0, -1)),
        (ERRORS, OPEN, arm("b"), (0, -1)),
        (ERRORS, OPEN, DOWN, (1, 0)),
        (ERRORS, OPEN, OPEN, (1, -1)),
        (gate("errors", "< 1%"), OPEN, arm("b"), (0, 0)),
        (gate("errors", "< 1%"), arm("a"), OPEN, (1, 0)),
        (gate("latency_p95", "<= 1.2x"), took(50), OPEN, (1, 0)),
        (gate("latency_p95", "<= 1.2x"), took(150), OPEN, (0, -1)),
        (gate("latency_p95", "<= 1.2x"), OPEN, took(150), (1, 0)),
        (gate("latency_p95", "<= 1.2x"), OPEN, took(50), (0, -1)),
        (gate("latency_p95", "<= 1.2x"), DOWN, OPEN, None),
        (gate("latency_p95", "< 200ms"), DOWN, OPEN, (1, 0)),
        (gate("ttft_p50", "< 200ms"), OPEN, OPEN, (1, 0)),
        (gate("tool_validity", ">= -1pt"), arm("a"), OPEN, None),
    ],
)
def test_what_an_open_pair_can_be(limits: Gate, current: Arm, target: Arm, found: tuple[float, float] | None) -> None:
    assert span(limits, pair(current, target), 110.0 if limits.comparative else None) == found


@pytest.mark.parametrize(
    ("current", "target", "found"),
    [
        ("a", OPEN, True),
        (OPEN, OPEN, True),
        ("a", DOWN, False),
        (failed("ours"), OPEN, False),
        (OPEN, failed("ours"), False),
    ],
)
def test_what_is_nobodys_to_blame_stays_out(current: Arm | str, target: Arm | str, found: bool) -> None:
    assert is_open(pair(current, target)) == found


def pairs(current: dict[str, float], target: dict[str, float], count: int) -> Iterator[Pair]:
    """Pairs of two sides with shares of `hang` (all of them broken off by kills) and of `fail`; nobody else is hit."""
    chance = random.Random(3)

    def side(shares: dict[str, float]) -> Arm:
        drawn = chance.random()
        if drawn < shares.get("hang", 0):
            return OPEN
        return DOWN if drawn < shares.get("hang", 0) + shares.get("fail", 0) else took(chance.lognormvariate(5, 0.3))

    for place in range(count):
        asked = Sampled(
            key=f"r{place}", order=place / 1e6, place="log:1", request={}, dialect="openai-chat", logged=None,
            input_tokens=20, output_tokens=7,
        )  # fmt: skip
        yield Pair(asked=asked, current=side(current), target=side(target))


def judged(judge: Judge, fed: Iterator[Pair]) -> Verdict:
    for one in fed:
        judge.add(one, {})
        if judge.decision is not None:
            break
    return judge.result("finished" if judge.decision is None else "decided")


@pytest.mark.parametrize("unit", ["request", "session"])
@pytest.mark.parametrize("limits", [ERRORS, gate("errors", "< 1%")])
def test_a_target_that_hangs_does_not_pass_by_kills(limits: Gate, unit: str) -> None:
    judge = Judge([limits], unit="session" if unit == "session" else "request")
    found = judged(judge, pairs({}, {"hang": 0.05}, 3000))
    assert (found.verdict, found.reason) == ("INCONCLUSIVE", "undecided"), "open pairs are no evidence for FAIL either"
    assert found.gates[0].evidence_pass < 2
    (excluded,) = found.excluded
    assert (excluded.side, excluded.reason) == ("target", "interrupted")
    assert found.gates[0].pairs == 3000 - excluded.pairs


@pytest.mark.parametrize("text", ["<= 1.2x", "< 400ms"])
def test_hanging_requests_are_slow_ones(text: str) -> None:
    """Of a target's times 7 % are endless: then its p95 is, however fast the others are."""
    found = judged(Judge([gate("latency_p95", text)]), pairs({}, {"hang": 0.07}, 4000))
    assert found.verdict == "INCONCLUSIVE"


def test_a_target_does_not_fail_because_only_the_current_side_hangs() -> None:
    """Both sides fail at the same rate, the one by hanging, the other at once: the true difference is 0."""
    found = judged(Judge([ERRORS]), pairs({"hang": 0.05}, {"fail": 0.05}, 3000))
    assert found.verdict != "FAIL", found.words


def test_a_good_target_still_passes_after_a_kill() -> None:
    fed = list(pairs({}, {}, 2000))
    fed[100] = replace(fed[100], target=OPEN)
    found, undisturbed = (judged(Judge([ERRORS]), iter(some)) for some in (fed, pairs({}, {}, 2000)))
    assert (found.verdict, undisturbed.verdict, found.excluded[0].pairs) == ("PASS", "PASS", 1)
    assert found.pairs > undisturbed.pairs, "it takes more pairs to outweigh the one that nobody knows"


def test_an_open_pair_of_the_pilot_is_not_part_of_it() -> None:
    judge = Judge([gate("latency_p95", "<= 1.2x")])
    fed = list(pairs({}, {"hang": 0.5}, 150))
    for one in fed:
        judge.add(one, {})
    measured = sum(one.target is not OPEN for one in fed)
    assert judge.result().gates[0].pairs == max(0, measured - 100)
    assert math.isclose(judge.result().gates[0].evidence_pass, 1)
