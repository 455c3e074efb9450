"""Cuts: every instant lies in one interval, no interval holds a mark, every size lies in one band."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmmigrate.usage.cuts import CutMarks, Cuts, calendar_unit

BERLIN = ZoneInfo("Europe/Berlin")
MARKS = CutMarks(
    instants=(1_768_471_200, 1_768_471_201),
    clocks=(("Asia/Shanghai", 540), ("Europe/Berlin", 150), ("America/Los_Angeles", 0)),
    prompt=(8192, 200_000),
    output=(),
    zone="Europe/Berlin",
)
CUTS = Cuts(MARKS)
SUMMER = [
    int(datetime.fromisoformat(f"2026-{text}Z").timestamp())
    for text in ("03-29T00:59", "03-29T01:00", "10-25T00:00", "10-25T01:00")
]
seconds = (
    st.integers(1_700_000_000, 1_800_000_000)
    | st.sampled_from([*MARKS.instants, *SUMMER])
    | st.integers(0, 7200).map(lambda n: SUMMER[1] - 3600 + n)
    | st.integers(0, 7200).map(lambda n: SUMMER[3] - 3600 + n)
)


@given(second=seconds)
def test_an_instant_lies_in_its_interval(second: int) -> None:
    start, end = CUTS.interval(second)
    assert start <= second < end


@settings(max_examples=200)
@given(second=seconds, step=st.floats(0, 1))
def test_all_instants_of_an_interval_have_that_interval(second: int, step: float) -> None:
    start, end = CUTS.interval(second)
    inside = start + int(step * (end - 1 - start))
    assert (start, end) == CUTS.interval(inside)


@given(second=seconds)
def test_no_interval_holds_a_wall_clock_mark(second: int) -> None:
    start, end = CUTS.interval(second)
    for zone, minute in MARKS.clocks:
        place = ZoneInfo(zone)
        day = datetime.fromtimestamp(second, tz=place).date()
        wall = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=place)
        assert not start < int(wall.timestamp()) < end


@given(second=seconds)
def test_an_interval_lies_in_one_day_of_the_reporting_zone(second: int) -> None:
    start, end = CUTS.interval(second)
    days = {datetime.fromtimestamp(at, tz=BERLIN).date() for at in (start, second, end - 1)}
    assert 1 == len(days)


@pytest.mark.parametrize("unit", ["day", "hour"])
def test_a_calendar_unit_begins_at_its_local_start(unit: str) -> None:
    marks = CutMarks(zone="Asia/Kolkata", unit="hour" if unit == "hour" else "day")
    second = int(datetime(2026, 1, 15, 10, 45, tzinfo=UTC).timestamp())  # 16:15 in Kolkata
    start = datetime.fromtimestamp(calendar_unit(marks, second), tz=ZoneInfo("Asia/Kolkata"))
    assert ((16 if unit == "hour" else 0), 0, 15) == (start.hour, start.minute, start.day)


@pytest.mark.parametrize(
    ("tokens", "band"),
    [
        (0, (-1, 8192)),
        (8192, (-1, 8192)),
        (8193, (8192, 200_000)),
        (200_000, (8192, 200_000)),
        (200_001, (200_000, None)),
    ],
)
def test_a_threshold_itself_is_below_the_cut(tokens: int, band: tuple[int, int | None]) -> None:
    assert band == CUTS.prompt_band(tokens)


def test_without_thresholds_there_is_one_band() -> None:
    assert (-1, None) == CUTS.output_band(10**9)


@given(second=seconds)
def test_the_edges_for_columns_are_those_of_the_intervals(second: int) -> None:
    edges = CUTS.edges(second, second)
    start, end = CUTS.interval(second)
    assert {start, end} <= set(edges)
    assert [] == [edge for edge in edges if start < edge < end]
