"""What the pairs of a run come to beside the verdict."""

from decimal import Decimal

from llmmigrate.shadow.measures import Asked, NotMeasuredError
from llmmigrate.shadow.outcome import CostCompared
from llmmigrate.shadow.pairs import Answer, Arm, Pair
from llmmigrate.shadow.scoring import Measure, Scorer, measure
from llmmigrate.shadow.summary import Summary
from tests.shadow.asking import arm, pair

FAILED = Arm(answer=None, failure="server", first_failure="server")


def summed(measures: list[Measure], *pairs: Pair) -> Summary:
    summary, scorer = Summary(measures), Scorer(measures)
    for item in pairs:
        summary.add(item, scorer.scores(item))
    return summary


def test_only_requests_with_a_known_cost_on_both_sides_are_held_together() -> None:
    found = summed(
        [],
        pair(arm("a", cost=Decimal("0.3")), arm("b", cost=Decimal("0.1"))),
        pair(arm("a", cost=Decimal("0.1")), arm("b", cost=Decimal("0.2"))),
        pair(arm("a", cost=Decimal(5)), arm("b", cost=None)),
        pair(arm("a", cost=Decimal(5)), FAILED),
    )
    assert found.cost() == CostCompared(pairs=2, current="0.4", target="0.3", saving_share=0.25)


def test_a_saving_on_nothing_is_unknown_and_no_pairs_are_no_sum() -> None:
    found = summed([], pair(arm("a", cost=Decimal(0)), arm("b", cost=Decimal(1))))
    assert found.cost() == CostCompared(pairs=1, current="0", target="1", saving_share=None)
    assert summed([], pair("a", FAILED)).cost() is None


def test_means_say_what_they_rest_on() -> None:
    def moody(asked: Asked, one: Answer, other: Answer) -> float:
        raise NotMeasuredError("not today")

    own = Measure(name="own", kind="agreement", about="Mine.", function=moody)
    found = summed(
        [measure("cost"), measure("agreement"), measure("json_validity"), own],
        pair("one two", "one three", repeat="one two", logged="one four"),
        pair("[1]", '{"a": 1}', response_format={"type": "json_object"}),
        pair("one two", FAILED),
    )
    agreement, validity, mine = found.measures()
    assert (agreement.target, agreement.repeat, agreement.logged) == (0.25, 1, 0.5)
    assert (agreement.pairs, agreement.bases) == (2, {"json_equality": 1, "lexical_similarity": 1})
    assert (validity.current, validity.target, validity.pairs) == (0, 1, 1)
    assert (mine.target, mine.pairs, mine.not_measured, mine.why) == (None, 0, 3, "not today")
