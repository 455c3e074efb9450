"""What a canary can decide, before anything is sent."""

import math

import pytest

from llmmigrate.quantities import limit
from llmmigrate.shadow.decidability import Assumed, fewest_pairs, fewest_sessions, outlook
from llmmigrate.shadow.gates import DEFAULTS, Gate, gates_of, parse
from llmmigrate.shadow.trial import Trial
from llmmigrate.shadow.verdict import ALPHA

KINDS = {"agreement": "agreement", "schema_validity": "validity", "tool_validity": "validity"}


def gate(key: str, text: str | None = None) -> Gate:
    return parse(key, limit(text or DEFAULTS[key]), KINDS)


def test_ten_percent_of_900_calls_cannot_decide_one_point() -> None:
    found = outlook([gate("errors")], 90)
    assert (found.passes, found.median, found.gates[0].fewest) == (0, None, 389)


def test_the_default_gates_together_take_thousands() -> None:
    """The figures of the design: about 2,780 pairs at 1 % of errors and of broken forms."""
    found = outlook(gates_of({}, [], KINDS), 6000, Assumed(invalid=0.01))
    assert found.passes >= 0.87
    assert found.median == pytest.approx(2780, rel=0.1)


def test_a_larger_canary_decides_more() -> None:
    shares = [outlook(gates_of({}, [], KINDS), pairs).passes for pairs in (300, 1000, 3000, 6000)]
    assert shares == sorted(shares)
    assert shares[0] < 0.05 < 0.95 < shares[-1]


def test_the_same_question_has_the_same_answer() -> None:
    gates = gates_of({}, [], KINDS)
    assert outlook(gates, 2000, seed=3) == outlook(gates, 2000, seed=3)


@pytest.mark.parametrize(
    ("key", "text", "fewest"),
    [
        ("errors", "<= +1pt", 389),
        ("errors", "<= +2pt", 194),
        ("errors", "< 1%", 389),
        ("agreement", ">= -5pt", 76),
        ("latency_p95", "< 200ms", 76),
        ("latency_p95", "<= 1.2x", 220),
        ("errors", "<= +0pt", None),
    ],
)
def test_the_fewest_pairs_of_a_pass(key: str, text: str, fewest: int | None) -> None:
    assert fewest_pairs(gate(key, text)) == fewest


def test_sessions_decide_as_little_as_so_many_pairs() -> None:
    """Four hundred pairs in forty sessions: a PASS on one point of errors takes 389 independent figures."""
    tested = [gate("errors"), gate("agreement")]
    found = outlook(tested, 400, sessions=40)
    assert (found.unit, found.units, found.pairs) == ("session", 40, 400)
    assert [item.fewest for item in found.gates] == [389, 76]
    assert found.passes == 0
    alone = outlook(tested, 400, sessions=400)
    assert [item.passes for item in alone.gates] == [item.passes for item in outlook(tested, 400).gates]


def test_the_fewest_sessions_for_times_are_those_in_which_current_is_slow_in_its_part_of_each() -> None:
    tested = gate("latency_p95")
    assert (fewest_sessions(tested, 1) or 0) < (fewest_pairs(tested) or 0)
    sessions = fewest_sessions(tested, 20)
    assert sessions is not None
    found = Trial(tested, alpha=ALPHA, by_session=True)
    for _ in range(sessions - math.ceil(tested.pilot / 20)):
        found.passing.add(-0.05)
    assert found.passing.most >= found.needed_pass


def test_a_gate_that_seldom_applies_takes_longer() -> None:
    tested = [gate("tool_validity")]
    often, seldom = (outlook(tested, 3000, Assumed(applies={"tool_validity": part})) for part in (1.0, 0.05))
    assert often.passes > 0.95
    assert seldom.passes < 0.01


def test_few_repeated_calls_cannot_decide_agreement() -> None:
    tested = [gate("agreement")]
    assert outlook(tested, 3000, Assumed(repeats=50)).passes < 0.2
    assert 0.75 < outlook(tested, 3000, Assumed(repeats=285)).passes < 0.9
    assert outlook(tested, 3000, Assumed(repeats=600)).passes > 0.95


@pytest.mark.parametrize("pairs", [0, 1, 50])
def test_a_tiny_canary_decides_nothing(pairs: int) -> None:
    assert outlook(gates_of({}, [], KINDS), pairs).passes == 0
