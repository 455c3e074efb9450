"""What is counted and timed on one side."""

from decimal import Decimal

import pytest
from tests.shadow.asking import arm

from llmmigrate.endpoints.exchange import Failure
from llmmigrate.shadow.measures import (
    cached_input_tokens,
    cost,
    errors,
    errors_after_retries,
    input_tokens,
    latency,
    output_tokens,
    reasoning_tokens,
    ttft,
)
from llmmigrate.shadow.pairs import Arm, NotAsked, Tokens


def test_an_answer_after_a_retry_is_a_first_error_and_none_in_the_end() -> None:
    found = arm("ok", first_failure="server", attempts=2)
    assert (errors.value(found), errors_after_retries.value(found)) == (1, 0)


@pytest.mark.parametrize("failure", ["server", "timeout_read", "rate_limit", "breaker", "empty"])
def test_what_the_endpoint_fails_counts(failure: Failure) -> None:
    found = Arm(answer=None, failure=failure, first_failure=failure)
    assert (errors.value(found), errors_after_retries.value(found)) == (1, 1)


@pytest.mark.parametrize("failure", ["ours", "incompatible", "interrupted"])
def test_what_is_not_the_endpoints_fault_counts_neither_way(failure: NotAsked) -> None:
    found = Arm(answer=None, failure=failure, first_failure=failure)
    assert errors.value(found) is None
    assert errors_after_retries.value(found) is None


def test_failing_fast_is_not_being_fast() -> None:
    found = Arm(answer=None, failure="server", first_failure="server", latency_ms=3.0, ttft_ms=1.0)
    assert (latency.value(found), ttft.value(found)) == (None, None)
    assert (latency.value(arm("ok")), ttft.value(arm("ok"))) == (400, 90)


def test_tokens_are_those_that_the_endpoint_counted() -> None:
    measures = (input_tokens, output_tokens, cached_input_tokens, reasoning_tokens)
    counted = arm("ok", tokens=Tokens(input=20, output=7, cached_input=16, reasoning=3))
    assert [measure.value(counted) for measure in measures] == [20, 7, 16, 3]
    for unknown in (arm("ok", tokens=None), arm("ok", tokens=Tokens(input=20, output=7, estimated=True))):
        assert [measure.value(unknown) for measure in measures] == [None] * 4


def test_cost_is_exact_and_unknown_stays_unknown() -> None:
    assert cost.value(arm("ok", cost=Decimal("0.00010"))) == Decimal("0.0001")
    assert isinstance(cost.value(arm("ok")), Decimal)
    assert cost.value(arm("ok", cost=None)) is None
