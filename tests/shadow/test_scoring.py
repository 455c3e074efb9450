"""All measures of a pair together."""

from decimal import Decimal

import pytest
from tests.shadow.asking import TOOLS, pair, says

from llmmigrate import registry
from llmmigrate.errors import UnknownNameError, UsageError
from llmmigrate.shadow.measures import Asked, NotMeasuredError
from llmmigrate.shadow.pairs import Answer, Arm
from llmmigrate.shadow.scoring import Alike, Measure, Scorer, Sides, measure, scores

AGREEMENT = measure("agreement")


def alike(found: object) -> Alike:
    assert isinstance(found, Alike)
    return found


def test_both_sides_and_every_pair_of_answers() -> None:
    measures = [measure("cost"), measure("json_validity"), AGREEMENT]
    asked = pair("[1]", '{"a": 1}', repeat="[1.0]", logged="[2]", response_format={"type": "json_object"})
    found = scores(asked, measures)
    assert found["cost"] == Sides(current=Decimal("0.0001"), target=Decimal("0.0001"))
    assert found["json_validity"] == Sides(current=0, target=1)
    assert found["agreement"] == Alike(target=0, repeat=1, logged=0, control=None, basis="json_equality")


def test_without_an_answer_there_is_nothing_to_compare() -> None:
    failed = Arm(answer=None, failure="server", first_failure="server")
    found = scores(pair("yes", failed, repeat="yes"), [AGREEMENT, measure("errors"), measure("refusal")])
    assert found["agreement"] == Alike(target=None, repeat=1, logged=None, control=None, basis="lexical_similarity")
    assert found["errors"] == Sides(current=0, target=1)
    found = scores(pair(failed, "yes", repeat="yes"), [AGREEMENT])
    assert found["agreement"] == Alike(target=None, repeat=None, logged=None, control=None, basis="agreement")


def test_the_control_is_the_answer_to_another_request_of_the_same_kind() -> None:
    scorer = Scorer([AGREEMENT])
    call = says("", ("clock", "{}"))
    first = pair("one two", "one two", messages=[{"role": "user", "content": "first"}])
    assert alike(scorer.scores(first)["agreement"]).control is None
    tools = pair(call, call, tools=TOOLS)
    assert alike(scorer.scores(tools)["agreement"]).control is None, "another kind of answer is no control"
    second = pair("one three", "one three", messages=[{"role": "user", "content": "second"}])
    assert alike(scorer.scores(second)["agreement"]).control == 0.5
    assert alike(scorer.scores(second)["agreement"]).control is None, "the same request twice is no control"


def test_scoring_again_in_the_same_order_gives_the_same() -> None:
    pairs = [
        pair(f"word {n % 7} of {n}", f"word {n}", messages=[{"role": "user", "content": str(n)}]) for n in range(9)
    ]
    one, other = Scorer([AGREEMENT]), Scorer([AGREEMENT])
    assert [one.scores(item) for item in pairs] == [other.scores(item) for item in pairs]


def test_a_measure_that_fails_is_not_measured_and_says_why() -> None:
    def agree(asked: Asked, one: Answer, other: Answer) -> float:
        raise NotMeasuredError("no mood for it")

    own = Measure(name="own", kind="agreement", about="Mine.", function=agree)
    found = alike(scores(pair("a", "b"), [own])["own"])
    assert (found.target, found.why) == (None, "no mood for it")


def test_vectors_are_needed_and_used() -> None:
    with pytest.raises(UsageError, match="needs vectors"):
        measure("embedding_similarity")
    item = measure("embedding_similarity", vectors={"a": [1.0, 0.0], "b": [3.0, 4.0]}.get)
    found = scores(pair("a", "b", repeat="c"), [item])
    similar = alike(found["embedding_similarity"])
    assert similar.target == pytest.approx(0.6)
    assert (similar.repeat, similar.why) == (None, "there is no vector for an answer")


def test_an_unknown_measure_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        measure("lexical_similarty")
    assert caught.value.fix == "did you mean 'lexical_similarity'?"


def test_every_built_in_measure_scores_a_hostile_pair() -> None:
    names = [name for name in registry.names("shadow.measures") if name != "embedding_similarity"]
    odd = pair(
        "\x1b[31m\u202e{", says("", ("", "")), repeat="", logged="", messages="no list", tools=[1], response_format=1
    )
    assert set(scores(odd, [measure(name) for name in names])) == set(names)
