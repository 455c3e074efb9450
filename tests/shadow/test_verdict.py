"""PASS, FAIL, INCONCLUSIVE: what pairs lead to which, and in which words."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

import msgspec
import pytest

from llmmigrate.quantities import limit
from llmmigrate.shadow.gates import Gate, gates_of, parse
from llmmigrate.shadow.judgement import Verdict
from llmmigrate.shadow.pairs import Answer, Arm, Pair, Sampled
from llmmigrate.shadow.scoring import Alike, Score, Sides
from llmmigrate.shadow.verdict import Judge

KINDS = {"agreement": "agreement", "schema_validity": "validity", "tool_validity": "validity"}
ANSWER = Answer(text="fine")
Fed = tuple[Pair, Mapping[str, Score]]
Pairs = Callable[[int, random.Random], Fed]


def gate(key: str, text: str, *, asked: bool = True) -> Gate:
    return parse(key, limit(text), KINDS, asked=asked)


def sampled(order: float) -> Sampled:
    return Sampled(
        key=f"r{order}",
        order=order,
        place="logs.jsonl:1",
        request={},
        dialect="openai-chat",
        logged=None,
        input_tokens=20,
        output_tokens=7,
    )


def answered(latency: float = 400.0, cost: str | None = "0.002") -> Arm:
    return Arm(answer=ANSWER, latency_ms=latency, cost=None if cost is None else Decimal(cost))


def failed(failure: Any = "server") -> Arm:
    return Arm(answer=None, failure=failure, first_failure=failure)


def pair(place: int, current: Arm, target: Arm) -> Pair:
    return Pair(asked=sampled(place / 1e6), current=current, target=target)


def alike(rng: random.Random, drop: float = 0.0, unrelated: float = 0.2, shift: float | None = None) -> Alike:
    scores = [min(max(rng.gauss(mean, 0.1), 0), 1) for mean in (0.8 - drop, 0.8, unrelated, 0.8 - (shift or 0.0))]
    logged = None if shift is None else scores[3]
    return Alike(target=scores[0], repeat=scores[1], logged=logged, control=scores[2], basis="lexical_similarity")


def equals(place: int, rng: random.Random) -> Fed:
    """Both sides alike: 1 % of failures, the same times, answers as alike as two of one side."""
    arms = [failed() if rng.random() < 0.01 else answered(rng.lognormvariate(6, 0.4)) for _ in range(2)]
    return pair(place, *arms), {"schema_validity": Sides(current=1.0, target=1.0), "agreement": alike(rng)}


def judged(judge: Judge, pairs: Pairs, count: int = 6000, seed: int = 1) -> Judge:
    """Feed pairs until the judge has decided or there are no more."""
    rng = random.Random(seed)
    for place in range(count):
        judge.add(*pairs(place, rng))
        if judge.decision is not None or judge.broken is not None:
            break
    return judge


def by_key(verdict: Verdict) -> dict[str, Any]:
    return {item.key: item for item in verdict.gates}


@pytest.fixture
def defaults() -> tuple[Gate, ...]:
    return gates_of({}, [], KINDS, {"tool_validity": 0})


def test_an_equal_target_passes_all_default_gates(defaults: tuple[Gate, ...]) -> None:
    verdict = judged(Judge(defaults), equals).result("decided")
    assert (verdict.verdict, verdict.reason, verdict.words) == ("PASS", "gates_hold", "All 4 gates hold.")
    assert {item.result for item in verdict.gates} == {"PASS"}
    assert all(item.evidence_pass >= item.needed_pass == 20 for item in verdict.gates)
    assert (verdict.expected_pairs, verdict.expected_cost) == (0, "0")


def test_a_target_with_thirty_percent_random_errors_fails(defaults: tuple[Gate, ...]) -> None:
    def worse(place: int, rng: random.Random) -> Fed:
        fed, scores = equals(place, rng)
        return (pair(place, fed.current, failed()) if rng.random() < 0.3 else fed), scores

    verdict = judged(Judge(defaults), worse).result("decided")
    assert (verdict.verdict, verdict.words) == ("FAIL", "Not kept: errors <= +1pt.")
    assert verdict.pairs < 120
    errors = by_key(verdict)["errors"]
    assert errors.result == "FAIL"
    assert errors.evidence_fail >= errors.needed_fail == 80
    assert errors.low <= errors.estimate <= errors.high
    assert errors.low > errors.limit_value
    assert errors.p_value < 0.01


def test_one_gate_is_enough_to_fail(defaults: tuple[Gate, ...]) -> None:
    def unlike(place: int, rng: random.Random) -> Fed:
        fed, scores = equals(place, rng)
        return fed, {**scores, "agreement": alike(rng, drop=0.2)}

    verdict = judged(Judge(defaults), unlike).result("decided")
    assert (verdict.verdict, verdict.words) == ("FAIL", "Not kept: agreement >= -5pt.")
    assert by_key(verdict)["agreement"].estimate == pytest.approx(-0.2, abs=0.05)


def test_a_slower_target_fails_by_its_times(defaults: tuple[Gate, ...]) -> None:
    def slower(place: int, rng: random.Random) -> Fed:
        return pair(place, answered(rng.lognormvariate(6, 0.4)), answered(2 * rng.lognormvariate(6, 0.4))), {}

    verdict = judged(Judge(defaults), slower).result("decided")
    assert (verdict.verdict, verdict.words) == ("FAIL", "Not kept: latency_p95 <= 1.2x.")
    times = by_key(verdict)["latency_p95"]
    assert times.low <= 2 <= times.high
    assert times.pilot_pairs == 100


def test_no_data_is_never_pass() -> None:
    verdict = Judge([gate("errors", "<= +1pt")]).result()
    assert (verdict.verdict, verdict.reason, verdict.words) == (
        "INCONCLUSIVE",
        "no_data",
        "Nothing was measured for errors.",
    )
    assert verdict.expected_pairs is None


def test_a_gate_without_data_keeps_the_others_from_passing() -> None:
    tested = [gate("errors", "<= +1pt"), gate("tool_validity", ">= -1pt")]
    verdict = judged(Judge(tested), equals).result()
    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", "no_data")
    assert verdict.words == "Nothing was measured for tool_validity."
    assert by_key(verdict)["errors"].result == "PASS"


def test_what_is_undecided_says_how_much_more_may_be_needed() -> None:
    verdict = judged(
        Judge([gate("errors", "<= +1pt")]), lambda n, rng: (pair(n, answered(), answered()), {}), 200
    ).result()
    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", "undecided")
    assert verdict.expected_pairs == pytest.approx(189, abs=40)
    assert Decimal(verdict.expected_cost or 0) == (verdict.expected_pairs or 0) * Decimal("0.004")
    assert verdict.words == f"Not decided yet. About {verdict.expected_pairs} more pairs may, at what was seen so far."


def test_a_target_at_its_limit_expects_nothing_more() -> None:
    def at_the_limit(place: int, rng: random.Random) -> Fed:
        return pair(place, answered(), failed() if place % 50 == 49 else answered()), {}

    verdict = judged(Judge([gate("errors", "<= +2pt")]), at_the_limit, 100).result()
    assert verdict.expected_pairs is None
    assert "More pairs may not bring one" in verdict.words


def test_a_gate_on_its_way_to_break_is_what_is_waited_for() -> None:
    def pairs(place: int, rng: random.Random) -> Fed:
        scores = {"schema_validity": Sides(current=1.0, target=0.0 if place % 12 == 5 else 1.0)}
        return pair(place, answered(), answered()), scores

    tested = [gate("errors", "<= +1pt"), gate("schema_validity", ">= -1pt")]
    verdict = judged(Judge(tested), pairs, 100).result()
    errors, forms = by_key(verdict)["errors"], by_key(verdict)["schema_validity"]
    assert verdict.expected_pairs == forms.expected_pairs
    assert forms.expected_pairs < errors.expected_pairs


def test_an_unknown_price_leaves_the_expected_cost_unknown() -> None:
    tested = [gate("errors", "<= +1pt")]
    verdict = judged(Judge(tested), lambda n, rng: (pair(n, answered(), answered(cost=None)), {}), 200).result()
    assert verdict.expected_pairs is not None
    assert verdict.expected_cost is None


@pytest.mark.parametrize(("stopped", "begins"), [("budget", "The budget was reached"), ("interrupted", "Interrupted")])
def test_an_early_end_says_why(stopped: Literal["budget", "interrupted"], begins: str) -> None:
    tested = [gate("errors", "<= +1pt")]
    verdict = judged(Judge(tested), lambda n, rng: (pair(n, answered(), answered()), {}), 200).result(stopped)
    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", stopped)
    assert verdict.words.startswith(begins)


def outage(place: int, rng: random.Random) -> Fed:
    """The target answers for a while, then never again; the breaker opens after 20 failures."""
    if place < 30:
        return pair(place, answered(), answered()), {}
    return pair(place, answered(), failed("server" if place < 50 else "breaker")), {}


def test_an_outage_is_no_fail(defaults: tuple[Gate, ...]) -> None:
    judge = judged(Judge(defaults), outage)
    verdict = judge.result()
    assert judge.broken == "target"
    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", "infrastructure")
    assert verdict.words.startswith("The target endpoint is out of order")
    assert by_key(verdict)["errors"].evidence_fail > 80


def scattered(up: int) -> Pairs:
    """An outage that many requests in flight meet: among the first ones some were answered. It ends at pair `up`."""

    def pairs(place: int, rng: random.Random) -> Fed:
        sent = place * 1_000_000_000
        if place < 20 or place >= up or (place < 40 and place % 2):
            return pair(place, answered(), replace(answered(), sent_ns=sent)), {}
        return pair(place, answered(), replace(failed("connection"), failed_ns=sent + 10_000_000_000)), {}

    return pairs


def test_failures_are_no_fail_before_the_target_answers_again() -> None:
    judge = judged(Judge([gate("errors", "<= +1pt")]), scattered(45), 45)
    assert judge.result().reason == "clustered"
    assert by_key(judge.result())["errors"].result == "FAIL"
    assert judge.decision is None
    again = judged(Judge([gate("errors", "<= +1pt")]), scattered(40))
    assert again.decision == "FAIL", "a target that goes on answering has failed for itself"


def test_an_outage_from_the_first_pair_on_is_no_fail(defaults: tuple[Gate, ...]) -> None:
    verdict = judged(Judge(defaults), lambda n, rng: outage(n + 30, rng)).result()
    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", "infrastructure")


def test_a_start_that_only_fails_is_no_fail_yet() -> None:
    verdict = judged(
        Judge([gate("errors", "<= +1pt")]), lambda n, rng: (pair(n, answered(), failed()), {}), 15
    ).result()
    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", "clustered")


def test_a_target_that_refuses_every_request_fails() -> None:
    """A refusal is decided by the request: no outage, and no cluster."""
    refused = judged(
        Judge([gate("errors", "<= +1pt")]), lambda n, rng: (pair(n, answered(), failed("bad_request")), {})
    )
    assert refused.decision == "FAIL"


def burst(start: int, length: int) -> Pairs:
    def pairs(place: int, rng: random.Random) -> Fed:
        return pair(place, answered(), failed() if start <= place < start + length else answered()), {}

    return pairs


def test_a_burst_of_failures_ends_in_words_and_not_in_pass() -> None:
    verdict = judged(Judge([gate("errors", "<= +2pt")]), burst(150, 6), 6000).result()
    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", "clustered")
    assert "Failures come in clusters" in verdict.words
    assert by_key(verdict)["errors"].result == "PASS"
    target = next(item for item in verdict.clustering if item.side == "target")
    assert (target.failures, target.runs, target.clustered) == (6, 3, True)


def test_a_burst_of_failures_is_no_fail_either() -> None:
    verdict = judged(Judge([gate("errors", "<= +1pt")]), burst(100, 15), 120).result()
    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", "clustered")
    assert by_key(verdict)["errors"].result == "FAIL"


def test_a_burst_of_the_current_side_does_not_help_the_target() -> None:
    def pairs(place: int, rng: random.Random) -> Fed:
        return pair(place, failed() if 100 <= place < 120 else answered(), answered()), {}

    verdict = judged(Judge([gate("errors", "<= +1pt")]), pairs, 1000).result()
    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", "clustered")


def agreement(**changes: Any) -> Pairs:
    return lambda place, rng: (pair(place, answered(), answered()), {"agreement": alike(rng, **changes)})


def test_current_no_longer_answers_as_logged() -> None:
    verdict = judged(Judge([gate("agreement", ">= -5pt")]), agreement(shift=0.3), 1000).result()
    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", "drift")
    assert "current no longer answers as logged" in verdict.words
    assert verdict.noise[0].drifted
    assert by_key(verdict)["agreement"].evidence_pass > 20


def test_a_measure_that_cannot_tell_answers_apart_does_not_pass() -> None:
    verdict = judged(Judge([gate("agreement", ">= -5pt")]), agreement(unrelated=0.78), 1000).result()
    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", "cannot_decide")
    assert "the measure cannot decide" in verdict.words
    assert verdict.noise[0].can_decide is False


def test_the_noise_is_shown_with_what_it_rests_on() -> None:
    noise = judged(Judge([gate("agreement", ">= -5pt")]), agreement(shift=0.0), 1000).result().noise[0]
    assert (noise.repeat, noise.logged, noise.unrelated) == pytest.approx((0.8, 0.8, 0.2), abs=0.05)
    assert noise.bases == {"lexical_similarity": noise.repeated_pairs}
    assert noise.can_decide


def test_agreement_without_second_answers_says_what_is_missing() -> None:
    def once(place: int, rng: random.Random) -> Fed:
        score = alike(rng)
        lone = Alike(target=score.target, repeat=None, logged=None, control=0.1, basis=score.basis)
        return pair(place, answered(), answered()), {"agreement": lone}

    verdict = judged(Judge([gate("agreement", ">= -5pt")]), once, 50).result()
    assert verdict.reason == "no_data"
    assert verdict.gates[0].words == "nothing measured: the current side was not asked twice"


def logged_only(place: int, rng: random.Random) -> Fed:
    return pair(place, Arm(answer=ANSWER, attempts=0), answered()), {}


def test_logged_answers_decide_absolute_gates_alone() -> None:
    tested = [gate("errors", "< 1%"), gate("latency_p95", "<= 1.2x", asked=False)]
    verdict = judged(Judge(tested, baseline="logged"), logged_only).result("decided")
    assert (verdict.verdict, verdict.words) == ("PASS", "The gate holds.")
    times = by_key(verdict)["latency_p95"]
    assert times.result == "not comparable"
    assert times.words.startswith("not comparable")
    assert times.estimate is None


def test_a_comparison_that_was_asked_for_is_not_dropped_in_silence() -> None:
    tested = [gate("errors", "< 1%"), gate("latency_p95", "<= 1.2x")]
    verdict = judged(Judge(tested, baseline="logged"), logged_only, 1000).result()
    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", "not_comparable")


def test_only_comparisons_leave_nothing_to_decide_on_logged_answers() -> None:
    verdict = judged(Judge([gate("errors", "<= +1pt", asked=False)], baseline="logged"), logged_only, 500).result()
    assert (verdict.verdict, verdict.reason) == ("INCONCLUSIVE", "not_comparable")


def test_the_playbooks_criteria_are_gates() -> None:
    tested = [gate("latency_p95", "< 200ms"), gate("errors", "< 1%"), gate("schema_validity", "> 99%")]

    def fast(place: int, rng: random.Random) -> Fed:
        return pair(place, answered(), answered(rng.uniform(20, 150))), {"schema_validity": Sides(current=1, target=1)}

    verdict = judged(Judge(tested), fast).result("decided")
    assert verdict.verdict == "PASS"
    found = by_key(verdict)
    assert 140 <= found["latency_p95"].estimate <= 150
    assert (found["latency_p95"].kind, found["errors"].kind) == ("ms", "share")
    assert found["schema_validity"].estimate == 1
    assert found["schema_validity"].limit_value == pytest.approx(0.99)


def test_what_is_left_out_is_counted_with_its_reason() -> None:
    def pairs(place: int, rng: random.Random) -> Fed:
        odd = {3: "ours", 5: "incompatible", 6: "incompatible"}.get(place)
        return pair(place, answered(), failed(odd) if odd else answered()), {}

    verdict = judged(Judge([gate("errors", "<= +1pt")]), pairs, 10).result()
    assert [(item.side, item.reason, item.pairs) for item in verdict.excluded] == [
        ("target", "incompatible", 2),
        ("target", "ours", 1),
    ]
    assert (verdict.pairs, verdict.gates[0].pairs, verdict.failures) == (10, 7, [])


def test_first_attempts_and_retries_are_told_apart() -> None:
    def pairs(place: int, rng: random.Random) -> Fed:
        mended = Arm(answer=ANSWER, first_failure="rate_limit", attempts=2)
        return pair(place, answered(), mended if place % 5 == 0 else answered()), {}

    verdict = judged(Judge([gate("errors", "<= +1pt")]), pairs, 20).result()
    assert [(item.failure, item.first_attempts, item.after_retries) for item in verdict.failures] == [
        ("rate_limit", 4, 0)
    ]
    assert verdict.gates[0].target == pytest.approx(0.2)


def test_pairs_out_of_order_are_refused() -> None:
    judge = Judge([gate("errors", "<= +1pt")])
    judge.add(pair(7, answered(), answered()), {})
    with pytest.raises(ValueError, match="in the order of u"):
        judge.add(pair(6, answered(), answered()), {})


def test_after_the_verdict_no_pair_is_taken() -> None:
    judge = judged(Judge([gate("errors", "<= +1pt")]), lambda n, rng: (pair(n, answered(), answered()), {}))
    assert judge.decision == "PASS"
    with pytest.raises(ValueError, match="has been given"):
        judge.add(pair(10**6, answered(), answered()), {})


def test_more_gates_need_more_evidence_to_fail() -> None:
    two = Judge([gate("errors", "<= +1pt"), gate("agreement", ">= -5pt")]).result()
    assert [item.needed_fail for item in two.gates] == [40, 40]
    assert [item.needed_pass for item in two.gates] == [20, 20]


def in_sessions(size: int, rate: float) -> Iterator[Pair]:
    """Sessions of which a part fails as a whole."""
    rng = random.Random(4)
    for session in range(4000):
        lost = rng.random() < rate
        for _ in range(size):
            yield Pair(
                asked=sampled(session / 4000), current=answered(), target=failed("bad_request") if lost else answered()
            )


def test_a_session_counts_once() -> None:
    judge = Judge([gate("errors", "<= +5pt")], unit="session")
    for fed in in_sessions(10, 0.0):
        judge.add(fed, {})
        if judge.decision is not None:
            break
    verdict = judge.result("decided")
    assert (verdict.verdict, verdict.unit) == ("PASS", "session")
    assert verdict.pairs == 76 * 10 + 1


def test_lost_sessions_have_the_interval_of_sessions() -> None:
    judge = Judge([gate("errors", "<= +5pt")], unit="session")
    for place, fed in enumerate(in_sessions(10, 0.1)):
        judge.add(fed, {})
        if judge.decision is not None or place > 400:
            break
    by_session = judge.result().gates[0]
    assert by_session.low is not None
    assert by_session.high is not None
    assert by_session.high - by_session.low > 0.08
    assert by_session.p_value is None


def test_the_same_pairs_give_the_same_verdict(defaults: tuple[Gate, ...]) -> None:
    one, other = (judged(Judge(defaults), equals, 700).result() for _ in range(2))
    assert msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")


def test_every_state_can_be_written(defaults: tuple[Gate, ...]) -> None:
    for pairs in (0, 1, 101, 700):
        verdict = judged(Judge(defaults), equals, pairs).result()
        assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict
