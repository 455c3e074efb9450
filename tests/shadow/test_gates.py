"""What the settings demand, and each pair's part in the answer."""

import math

import pytest
from tests.shadow.asking import arm, failed, pair

from llmmigrate.errors import UsageError
from llmmigrate.quantities import limit
from llmmigrate.shadow.gates import DEFAULTS, Gate, bad_sides, difference, gates_of, left_out, parse
from llmmigrate.shadow.scoring import Sides

MEASURES = {
    "agreement": "agreement",
    "exact_match": "agreement",
    "schema_validity": "validity",
    "tool_validity": "validity",
    "cost": "figure",
}


def gate(key: str, text: str) -> Gate:
    return parse(key, limit(text), MEASURES)


@pytest.mark.parametrize(
    ("key", "text", "bound", "comparative"),
    [
        ("errors", "<= +1pt", 0.01, True),
        ("errors", "<= -0.5pt", -0.005, True),
        ("errors", "< 1%", 0.01, False),
        ("schema_validity", ">= -1pt", 0.01, True),
        ("tool_validity", "> 99%", 0.01, False),
        ("agreement", ">= -5pt", 0.05, True),
        ("exact_match", ">= 80%", 0.2, False),
        ("latency_p95", "<= 1.2x", 0.0, True),
        ("latency_p95", "<= +20%", 0.0, True),
        ("latency_p95", "< 200ms", 0.05, False),
        ("ttft_p50", "< 1.5s", 0.5, False),
    ],
)
def test_a_limit_is_a_bound_on_a_mean(key: str, text: str, bound: float, comparative: bool) -> None:
    found = gate(key, text)
    assert found.bound == pytest.approx(bound)
    assert found.comparative == comparative
    assert str(found) == f"{key} {limit(text)}"


@pytest.mark.parametrize(
    ("text", "most"), [("<= 1.2x", 1.2), ("<= +20%", 1.2), ("< 200ms", 200), ("< 1.5s", 1500), ("250", 250)]
)
def test_what_a_time_may_be(text: str, most: float) -> None:
    assert gate("latency_p95", text).most == pytest.approx(most)


@pytest.mark.parametrize(("key", "pilots"), [("latency_p50", 100), ("latency_p95", 100), ("latency_p99", 500)])
def test_the_pilot_has_some_pairs_beyond_its_quantile(key: str, pilots: int) -> None:
    assert gate(key, "<= 1.2x").pilot == pilots
    assert gate(key, "< 200ms").pilot == 0


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("errors", ">= 1%", "at most"),
        ("errors", "<= 1pt", "its unit or its sign"),
        ("errors", "<= +5%", "its unit or its sign"),
        ("errors", "0.01", "its unit or its sign"),
        ("errors", "<= 0%", "no number of pairs"),
        ("errors", "== 1%", "at most"),
        ("agreement", "<= +5pt", "at least"),
        ("agreement", ">= 100%", "no number of pairs"),
        ("agreement", ">= -100pt", "no number of pairs"),
        ("schema_validity", ">= 0.9x", "its unit or its sign"),
        ("latency_p95", ">= 1.2x", "cannot be"),
        ("latency_p95", "<= +1pt", "cannot be"),
        ("latency_p95", "<= 0x", "cannot be"),
        ("latency_p95", "<= 5 USD", "cannot be"),
        ("cost", "<= 0.5x", "cannot be a gate"),
    ],
)
def test_a_limit_that_does_not_fit_is_refused_with_one_that_does(key: str, text: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        gate(key, text)
    assert says in f"{refused.value.what} {refused.value.why}"
    assert refused.value.fix


@pytest.mark.parametrize(
    ("key", "near"), [("erors", "errors"), ("latency_95", "latency_p95"), ("agrement", "agreement")]
)
def test_an_unknown_gate_has_a_suggestion(key: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"unknown gate '{key}'") as refused:
        gate(key, "<= +1pt")
    assert refused.value.fix == f"did you mean '{near}'?"


def test_a_gate_like_no_other_lists_them_all() -> None:
    with pytest.raises(UsageError) as refused:
        gate("zzz", "<= +1pt")
    assert "latency_p95" in str(refused.value.fix)
    assert "cost" not in str(refused.value.fix)


def test_the_defaults_hold_where_nothing_is_demanded() -> None:
    found = gates_of({}, [], MEASURES)
    assert {item.key: str(item.limit) for item in found} == {key: str(limit(text)) for key, text in DEFAULTS.items()}
    assert not any(item.asked for item in found)


def test_a_default_is_left_out_where_no_request_demands_it() -> None:
    found = gates_of({}, [], MEASURES, {"tool_validity": 0, "schema_validity": 3})
    assert [item.key for item in found] == ["errors", "latency_p95", "schema_validity", "agreement"]


def test_the_settings_replace_the_defaults_and_flags_change_them() -> None:
    settings = {"errors": limit("<= +1pt"), "agreement": limit(">= -5pt")}
    found = gates_of(settings, ["errors=< 1%", "agreement=off", "latency_p95=<= 1.5x"], MEASURES)
    assert [str(item) for item in found] == ["errors < 1%", "latency_p95 <= 1.5x"]
    assert all(item.asked for item in found)


@pytest.mark.parametrize("flag", ["errors", "errors=", "errors=soon", "latency_p50=off", "nonsense=off"])
def test_a_flag_that_says_nothing_is_refused(flag: str) -> None:
    with pytest.raises(UsageError):
        gates_of({}, [flag], MEASURES)


def test_nothing_left_to_decide_is_refused() -> None:
    with pytest.raises(UsageError, match="no gate is left"):
        gates_of({"errors": limit("<= +1pt")}, ["errors=off"], MEASURES)


@pytest.mark.parametrize("failure", ["timeout_read", "rate_limit", "breaker", "server", "bad_request"])
def test_every_failure_of_an_endpoint_counts_as_an_error(failure: str) -> None:
    seen = bad_sides(gate("errors", "<= +1pt"), pair("fine", failed(failure)), {})
    assert seen == (0, 1)


def test_the_first_attempt_counts_and_not_the_retry() -> None:
    mended = arm("fine", first_failure="server", attempts=2)
    assert bad_sides(gate("errors", "<= +1pt"), pair("fine", mended), {}) == (0, 1)


@pytest.mark.parametrize("reason", ["ours", "incompatible", "interrupted"])
def test_what_no_endpoint_is_to_blame_for_is_left_out_with_its_side(reason: str) -> None:
    assert left_out(pair("fine", failed(reason))) == ("target", reason)
    assert left_out(pair(failed(reason), "fine")) == ("current", reason)
    assert left_out(pair("fine", failed("server"))) is None


COMPARED = parse("tool_validity", limit(">= -1pt"), MEASURES)
ALONE = parse("tool_validity", limit("> 99%"), MEASURES)


def test_a_bad_tool_call_where_the_current_side_made_none_is_seen() -> None:
    scores = {"tool_validity": Sides(current=None, target=0.0)}
    assert bad_sides(COMPARED, pair("no call", "bad call"), scores) == (0, 1)
    assert bad_sides(ALONE, pair("no call", "bad call"), scores) == (None, 1)


def test_a_side_that_failed_broke_no_form() -> None:
    scores = {"tool_validity": Sides(current=None, target=0.0)}
    assert bad_sides(COMPARED, pair(failed("server"), "bad call"), scores) is None
    scores = {"tool_validity": Sides(current=1.0, target=None)}
    assert bad_sides(COMPARED, pair("good call", failed("server")), scores) is None
    assert bad_sides(ALONE, pair("good call", "no call"), scores) is None


def test_a_measure_that_could_not_be_taken_is_not_measured() -> None:
    scores = {"tool_validity": Sides(current=None, target=1.0, why="it ended with 1")}
    assert bad_sides(COMPARED, pair("a", "b"), scores) is None


def test_a_request_that_demands_nothing_is_left_out() -> None:
    assert bad_sides(COMPARED, pair("a", "b"), {"tool_validity": Sides(current=None, target=None)}) is None


def test_a_measure_that_was_not_taken_is_not_measured() -> None:
    assert bad_sides(gate("schema_validity", ">= -1pt"), pair("a", "b"), {}) is None


def test_a_time_that_was_given_up_on_is_endless_and_other_failures_have_none() -> None:
    times = gate("latency_p95", "<= 1.2x")
    assert bad_sides(times, pair("a", failed("timeout_total", 600.0)), {}) == (400, math.inf)
    assert bad_sides(times, pair("a", failed("server", 5.0)), {}) is None


def test_the_first_token_of_a_stream_that_broke_later_counts() -> None:
    broken = arm(None, failure="timeout_read", first_failure="timeout_read", ttft_ms=80.0)
    assert bad_sides(gate("ttft_p95", "<= 1.2x"), pair("a", broken), {}) == (90, 80)
    assert bad_sides(gate("ttft_p95", "<= 1.2x"), pair("a", failed("timeout_first_token")), {}) == (90, math.inf)


@pytest.mark.parametrize(
    ("current", "target", "expected"), [(100, 121, 1), (101, 121, 0), (101, 120, -1), (100, 120, 0), (500, math.inf, 0)]
)
def test_the_ratio_of_times_compares_both_sides_with_fixed_times(
    current: float, target: float, expected: float
) -> None:
    assert difference(gate("latency_p95", "<= 1.2x"), current, target, 100.0) == expected


def test_a_fixed_time_looks_at_the_target_alone() -> None:
    fixed = gate("latency_p95", "< 200ms")
    assert [difference(fixed, None, time, None) for time in (199.0, 200.0, 201.0)] == [0, 0, 1]


def test_shares_are_compared_or_taken_alone() -> None:
    assert difference(gate("errors", "<= +1pt"), 1.0, 0.0, None) == -1
    assert difference(gate("errors", "< 1%"), 1.0, 0.0, None) == 0
