"""What the pairs of a run come to beside the verdict."""

from decimal import Decimal

from tests.shadow.asking import arm, pair, says

from llmmigrate.shadow.examples import Example, Examples
from llmmigrate.shadow.gates import gates_of
from llmmigrate.shadow.measures import Asked, NotMeasuredError
from llmmigrate.shadow.pairs import Answer, Arm, NotAsked, Pair, Tokens
from llmmigrate.shadow.results import ComparisonResult, CostCompared, Hashes, Spend
from llmmigrate.shadow.scoring import Measure, Scorer, measure
from llmmigrate.shadow.storing import Store
from llmmigrate.shadow.summary import Facts, Summary
from llmmigrate.shadow.verdict import Judge

FAILED = Arm(answer=None, failure="server", first_failure="server", detail="500 for a@b.org", attempts=3)
JSON = {"type": "json_object"}
FACTS = Facts(
    command="llmmigrate shadow", version="0", run=None, started="2026-11-22T01:00:00Z", ended="2026-11-22T01:10:00Z",
    canary="0.1", seed=7, store="redacted", hashes=Hashes(sample="", logs={}, prices={}), population=10, left_out={},
    planned_pairs=4, changed={}, incompatible={},
    spend=Spend(total="0", possibly_billed="0", cap=None, tokens=0, tokens_cap=None),
)  # fmt: skip


def summed(measures: list[Measure], *pairs: Pair, store: Store = "redacted") -> tuple[ComparisonResult, Examples]:
    summary = Summary(measures, current="openai/o3", target="zai/glm-5", store=store)
    scorer = Scorer(measures)
    for item in pairs:
        summary.add(item, scorer.scores(item))
    return summary.result(Judge(gates_of({}, [], {})).result(), FACTS), summary.examples()


def test_only_requests_with_a_known_cost_on_both_sides_are_held_together() -> None:
    found, _ = summed(
        [],
        pair(arm("a", cost=Decimal("0.3")), arm("b", cost=Decimal("0.1"))),
        pair(arm("a", cost=Decimal("0.1")), arm("b", cost=Decimal("0.2"))),
        pair(arm("a", cost=Decimal(5)), arm("b", cost=None)),
        pair(arm("a", cost=Decimal(5)), FAILED),
    )
    assert found.cost == CostCompared(pairs=2, current="0.4", target="0.3", saving_share=0.25)
    assert (found.current.cost, found.target.cost) == ("10.4", "0.3")
    assert (found.target.unpriced_answers, found.target.answers) == (1, 3)


def test_a_saving_on_nothing_is_unknown_and_no_pairs_are_no_sum() -> None:
    found, _ = summed([], pair(arm("a", cost=Decimal(0)), arm("b", cost=Decimal(1))))
    assert found.cost == CostCompared(pairs=1, current="0", target="1", saving_share=None)
    assert summed([], pair("a", FAILED))[0].cost is None
    assert summed([], pair(arm("a", cost=None), "b"))[0].current.cost is None


def test_what_is_not_a_sides_fault_is_no_request_of_it() -> None:
    def never(failure: NotAsked) -> Arm:
        return Arm(answer=None, failure=failure, first_failure=failure, attempts=0)

    found, _ = summed([], pair("a", FAILED), pair("a", never("incompatible")), pair(never("interrupted"), "b"))
    current, target = found.current, found.target
    assert (current.requests, current.errors, current.attempts) == (2, 0, 2)
    assert (target.requests, target.errors, target.errors_after_retries, target.attempts) == (2, 0.5, 0.5, 4)


def test_nothing_measured_is_nothing_and_not_zero() -> None:
    found, examples = summed([measure("agreement")])
    side = found.target
    assert (side.errors, side.latency_ms, side.ttft_ms, side.cost, found.cost) == (None, None, None, None, None)
    assert (found.measures[0].target, found.measures[0].pairs) == (None, 0)
    assert examples == Examples()


def test_tokens_are_of_the_endpoint_and_times_of_answers() -> None:
    found, _ = summed(
        [],
        pair(arm("a", tokens=Tokens(input=5, output=3)), arm("b", tokens=Tokens(input=5, output=9, estimated=True))),
        pair(arm("a", latency_ms=800.0), FAILED),
    )
    assert (found.current.input_tokens, found.current.usage_missing) == (25, 0)
    assert (found.target.input_tokens, found.target.usage_missing) == (0, 1)
    times = found.current.latency_ms
    assert times is not None
    assert abs(times.p50 / 400 - 1) < 0.01
    assert abs(times.p99 / 800 - 1) < 0.01


def test_means_say_what_they_rest_on() -> None:
    def moody(asked: Asked, one: Answer, other: Answer) -> float:
        raise NotMeasuredError("not today")

    own = Measure(name="own", kind="agreement", about="Mine.", function=moody)
    found, _ = summed(
        [measure("cost"), measure("agreement"), measure("json_validity"), own],
        pair("one two", "one three", repeat="one two", logged="one four"),
        pair("[1]", '{"a": 1}', response_format=JSON),
        pair("one two", FAILED),
    )
    agreement, validity, mine = found.measures
    assert (agreement.target, agreement.repeat, agreement.logged) == (0.25, 1, 0.5)
    assert (agreement.pairs, agreement.bases) == (2, {"json_equality": 1, "lexical_similarity": 1})
    assert (validity.current, validity.target, validity.pairs) == (0, 1, 1)
    assert (mine.target, mine.pairs, mine.not_measured, mine.why) == (None, 0, 2, "not today"), (
        "where the target failed, nothing was to be measured"
    )


def test_a_broken_form_is_worse_than_any_difference_and_equal_answers_are_not_kept() -> None:
    _, examples = summed(
        [measure("agreement"), measure("json_validity"), measure("errors")],
        pair("same words", "same words", key="same"),
        pair("one two", "three four", key="different"),
        pair('{"a": 1}', "{", key="broken", response_format=JSON),
        pair("one two", "one three", key="near"),
        pair("one two", FAILED, key="failed"),
    )
    keys = [item.key for item in examples.worst]
    assert keys == ["broken", "different", "near"]
    assert dict(examples.worst[0].scores) == {"json_validity": 0, "agreement": 0}
    failures = [(item.side, item.failure, item.detail) for item in examples.failures]
    assert failures == [("target", "server", "500 for [email]")]


def test_the_ten_worst_are_kept_and_of_equal_ones_the_first() -> None:
    pairs = [pair("one two", f"one other{number}", key=f"k{number}") for number in range(30)]
    _, examples = summed([measure("agreement")], *pairs, pair("a", "b", key="worst"))
    assert [item.key for item in examples.worst] == ["worst", *(f"k{number}" for number in range(9))]


def test_texts_are_kept_as_the_user_allows() -> None:
    turns = [{"role": "user", "content": "Mail a@b.org"}, {"role": "assistant", "content": None}]
    odd = pair(says("To a@b.org", ("send", '{"to": "a@b.org"}')), "x " * 2_500, messages=turns)

    def worst(store: Store) -> tuple[Example, ...]:
        return summed([measure("agreement")], odd, store=store)[1].worst

    assert worst("hashes") == ()
    (redacted,) = worst("redacted")
    assert (redacted.prompt, redacted.current) == ("Mail [email]", 'To [email]\nsend({"to": "[email]"})')
    assert redacted.target.endswith("x … (1,000 characters more)")
    assert worst("full")[0].prompt == "Mail a@b.org"
