"""The resolver: cached and reasoning inside or outside, by format and by a stated total."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.logs.usage_fields import Usage, of_object, settle

INPUT, OUTPUT, CACHED, REASONING = "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"


def settled(usage: dict[str, Any]) -> tuple[dict[str, int] | None, list[str]]:
    said: list[str] = []
    counts = settle(of_object(usage, said), said)
    return (None if counts is None else {key: int(str(value)) for key, value in counts.items() if value}), said


def chat(prompt: int, completion: int, cached: int = 0, reasoning: float = 0, **more: Any) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
        **more,
    }


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (chat(1000, 100, 800, total_tokens=1100), {INPUT: 1000, OUTPUT: 100, CACHED: 800}),
        (chat(200, 100, 150, total_tokens=450), {INPUT: 350, OUTPUT: 100, CACHED: 150}),
        (chat(50, 100, 800), {INPUT: 850, OUTPUT: 100, CACHED: 800}),
        (chat(30, 50, reasoning=20, total_tokens=80), {INPUT: 30, OUTPUT: 50, REASONING: 20}),
        (chat(30, 50, reasoning=20, total_tokens=100), {INPUT: 30, OUTPUT: 70, REASONING: 20}),
        (chat(30, 5, reasoning=100), {INPUT: 30, OUTPUT: 105, REASONING: 100}),
        (chat(30, 50, 10, 20, total_tokens=110), {INPUT: 40, OUTPUT: 70, CACHED: 10, REASONING: 20}),
        (
            {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_cache_hit_tokens": 960, "total_tokens": 1010},
            {INPUT: 1000, OUTPUT: 10, CACHED: 960},
        ),
        (
            {
                "input_tokens": 3,
                "cache_creation_input_tokens": 12304,
                "cache_read_input_tokens": 0,
                "output_tokens": 550,
            },
            {INPUT: 12307, OUTPUT: 550, "cache_write_5m_tokens": 12304},
        ),
        (
            {"inputTokens": 50, "outputTokens": 10, "cacheReadInputTokens": 900, "totalTokens": 960},
            {INPUT: 950, OUTPUT: 10, CACHED: 900},
        ),
        (
            {"input_tokens": 900, "input_tokens_details": {"cached_tokens": 512}, "output_tokens": 7},
            {INPUT: 900, OUTPUT: 7, CACHED: 512},
        ),
        (
            {"promptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 3, "totalTokenCount": 15},
            {INPUT: 5, OUTPUT: 10, REASONING: 3},
        ),
        ({"prompt_tokens": 42, "total_tokens": 42}, {INPUT: 42}),
    ],
)
def test_counts_become_inclusive(usage: dict[str, Any], expected: dict[str, int]) -> None:
    assert (expected, []) == settled(usage)


def test_a_total_that_fits_nothing_is_said_and_the_parts_are_used() -> None:
    assert ({INPUT: 100, OUTPUT: 20}, ["total_mismatch"]) == settled(chat(100, 20, total_tokens=7))


def test_a_total_that_fits_two_other_readings_decides_nothing() -> None:
    expected = {INPUT: 100, OUTPUT: 50, CACHED: 10, REASONING: 10}
    assert (expected, []) == settled(chat(100, 50, 10, 10, total_tokens=160))


@pytest.mark.parametrize(
    ("usage", "warnings"),
    [
        ({}, []),
        ({"prompt_tokens": None, "completion_tokens": None}, []),
        ({"prompt_tokens": 5, "completion_tokens": None}, []),
        ({"total_tokens": 120}, ["total_only"]),
        (chat(100, 20, cached=-1), ["negative_tokens"]),
        (chat(100, 20, reasoning=float("nan")), ["nan_value"]),
    ],
)
def test_what_is_not_told_or_unusable_is_missing(usage: dict[str, Any], warnings: list[str]) -> None:
    assert (None, warnings) == settled(usage)


def test_writes_of_unknown_time_to_live_are_five_minute_writes() -> None:
    split = {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}
    usage = {"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 35, "cache_creation": split}
    expected = {INPUT: 36, OUTPUT: 1, "cache_write_5m_tokens": 15, "cache_write_1h_tokens": 20}
    assert (expected, []) == settled(usage)


counts = st.integers(0, 10**9) | st.none()


@given(st.builds(Usage, *[counts] * 11, st.booleans(), st.booleans(), st.booleans()))
def test_settled_counts_keep_the_invariants_of_a_call(usage: Usage) -> None:
    found = settle(usage, [])
    if found is not None:
        number = {key: int(str(value)) for key, value in found.items()}
        inside = [number.get(key, 0) for key in (CACHED, "cache_write_5m_tokens", "cache_write_1h_tokens")]
        assert sum(inside) + number.get("input_audio_tokens", 0) <= number[INPUT]
        assert number.get(REASONING, 0) + number.get("output_audio_tokens", 0) <= number[OUTPUT]
        assert min(number.values()) >= 0
