"""Counts, costs, durations and instants, from whatever a log may hold."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.logs.values import BAD, between_ms, cost, count, duration_ms, instant

TEN_O_CLOCK = 1_768_471_200_000_000_000  # 2026-01-15T10:00:00Z


@pytest.mark.parametrize(
    ("value", "expected", "warnings"),
    [
        (0, 0, []),
        (1_000_000_000, 1_000_000_000, []),
        (None, None, []),
        ("", None, []),
        ("100", 100, ["string_number"]),
        (" 300.0 ", 300, ["string_number"]),
        ("6e1", 60, ["string_number"]),
        ("1,200", 1200, ["thousands_separator", "string_number"]),
        (100.0, 100, []),
        (1.5, BAD, ["non_integer_tokens"]),
        ("1.5", BAD, ["string_number", "non_integer_tokens"]),
        ("12,00", BAD, ["non_integer_tokens"]),
        (True, BAD, ["non_integer_tokens"]),
        ([1], BAD, ["non_integer_tokens"]),
        ("many", BAD, ["non_integer_tokens"]),
        (float("nan"), BAD, ["nan_value"]),
        ("NaN", BAD, ["nan_value"]),
        (float("inf"), BAD, ["nan_value"]),
        (-1, BAD, ["negative_tokens"]),
        (1_000_000_001, BAD, ["implausible_tokens"]),
        (9_223_372_036_854_775_808, BAD, ["implausible_tokens"]),
        ("9e999", BAD, ["string_number", "implausible_tokens"]),
        ("9" * 5000, BAD, ["non_integer_tokens"]),
    ],
)
def test_a_count_is_a_whole_number_or_says_why_not(value: Any, expected: int | None, warnings: list[str]) -> None:
    said: list[str] = []
    assert (expected, warnings) == (count(value, said), said)


def test_strings_are_no_warning_where_the_format_writes_numbers_as_strings() -> None:
    said: list[str] = []
    assert count("42", said, native_strings=True) == 42
    assert said == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0012, 1_200_000_000),
        (0.1 + 0.2, 300_000_000_000),
        (9990.01252875, 9_990_012_528_750_000),
        (3, 3_000_000_000_000),
        ("0.0000000000005", 0),  # half to even
        ("0.0000000000015", 2),
        ("$1,250.50", 1_250_500_000_000_000),
        (None, None),
        (True, None),
        ("free", None),
        ([], None),
    ],
)
def test_a_cost_is_whole_picodollars(value: Any, expected: int | None) -> None:
    assert expected == cost(value, [])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (float("nan"), "nan_value"),
        ("Infinity", "nan_value"),
        (1e300, "implausible_cost"),
        ("1e300", "implausible_cost"),
    ],
)
def test_a_cost_that_is_no_amount_is_none_and_said(value: Any, code: str) -> None:
    said: list[str] = []
    assert (None, [code]) == (cost(value, said), said)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9))
def test_a_float_cost_equals_the_vectorised_rule(value: float) -> None:
    assert round(value * 1e12) == cost(value, [])


def test_every_spelling_of_one_instant_is_that_instant(data: Path) -> None:
    lines = (data / "hostile" / "17_timestamps_all_kinds.jsonl").read_text(encoding="utf-8").splitlines()
    instants = [instant(json.loads(line)["timestamp"], []) for line in lines]
    assert len(instants) == 19
    assert {TEN_O_CLOCK} == {ns - ns % 1_000_000_000 for ns in instants if ns is not None}


@pytest.mark.parametrize(
    ("value", "nanoseconds_after"),
    [
        ("2026-01-15T10:00:00Z", 0),
        ("2026-01-15t10:00:00z", 0),
        ("2026-01-15T10:00:00.123456Z", 123_456_000),
        ("2026-01-15T10:00:00.1234567Z", 123_456_700),
        ("2026-01-15T10:00:00.123456789123Z", 123_456_789),
        ("2026-01-15T15:30:00.5+05:30", 500_000_000),
        ("2026-01-15 10:00:00 UTC", 0),
        ("2026-01-15 05:00:00 -0500", 0),
        ("2026-01-15T10:00Z", 0),
        (1768471200.5, 500_000_000),
        (1768471200.1, 100_000_000),
        ("1768471200.123456789", 123_456_789),
        (1768471200123, 123_000_000),
        (1768471200123.25, 123_250_000),
        (1768471200123456, 123_456_000),
        (1768471200123456789, 123_456_789),
        (639040680000000001, 100),
        ("Thu, 15 Jan 2026 10:00:00 GMT", 0),
        ("15 Jan 2026 11:00:00 +0100", 0),
        ("1/15/2026, 10:00:00.250 AM", 250_000_000),
    ],
)
def test_instants_are_exact_to_the_nanosecond(value: Any, nanoseconds_after: int) -> None:
    assert TEN_O_CLOCK + nanoseconds_after == instant(value, [])


@pytest.mark.parametrize(
    "value",
    [
        None, "", "yesterday", 0, -5, True, [], {}, float("nan"), float("inf"), 10**30, "0001-01-01T00:00:00Z",
        "1999-12-31T23:59:59Z", 946_684_799, "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-15T25:00:00Z",
        "2026-01-15T10:61:00Z", "2026-01-15T10:00:99Z", "2026-01-15T10:00:0²Z", "13/40/2026, 10:00 AM",
        "1/15/2026, 13:00:00 AM", "Thu, 99 Foo 2026 10:00:00 GMT",
    ],
)  # fmt: skip
def test_what_is_no_usable_instant_is_none(value: Any) -> None:
    assert instant(value, []) is None


@pytest.mark.parametrize("value", ["2026-01-15T10:00:00", "2026-01-15 10:00:00.5", "2026-01-15", "1/15/2026, 9:00 PM"])
def test_a_time_without_a_zone_is_utc_and_said(value: str) -> None:
    said: list[str] = []
    assert instant(value, said) is not None
    assert said == ["naive_timestamp"]


@given(st.datetimes(min_value=datetime(2000, 1, 1)))
def test_the_quick_reading_of_iso_equals_the_general_one(moment: datetime) -> None:
    text = moment.isoformat()
    assert instant(text + "Z", []) == instant(text + "+00:00", [])


@pytest.mark.parametrize(
    ("value", "per_unit", "expected"),
    [
        (500, 1.0, 500.0),
        (1.5, 1000.0, 1500.0),
        ("20", 1.0, 20.0),
        (-1, 1.0, None),
        (None, 1.0, None),
        (True, 1.0, None),
    ],
)
def test_durations_are_milliseconds(value: Any, per_unit: float, expected: float | None) -> None:
    assert expected == duration_ms(value, [], per_unit)


@pytest.mark.parametrize(("value", "code"), [(float("inf"), "nan_value"), (1e308, "implausible_duration")])
def test_a_duration_that_is_none_is_said(value: float, code: str) -> None:
    said: list[str] = []
    assert (None, [code]) == (duration_ms(value, said), said)


def test_a_latency_needs_both_ends_in_order() -> None:
    assert [1.5, None, None] == [between_ms(0, 1_500_000), between_ms(5, 4), between_ms(None, 4)]
