"""What makes a profile exact: between two marks, and within one band, every call is billed alike."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.prices.conftest import NOW, second

from llmmigrate.prices import Band, Catalog, Entry, Interval, RateCard, load_catalog
from llmmigrate.prices.clock import instant_of
from llmmigrate.units import SERVICE_TIERS

FIRST, LAST = second("2023-06-01T00:00:00Z").start, second("2027-06-01T00:00:00Z").start
FUTURE = second("2028-01-01T00:00:00Z").start


@cache
def loaded() -> Catalog:
    return load_catalog()


@cache
def entries() -> list[Entry]:
    return sorted(loaded().entries(), key=lambda entry: (entry.imported, entry.provider, entry.id))


def interval_of(instant: int) -> Interval:
    """The stretch between two marks that holds `instant`: clock marks are placed on the days around it."""
    marks = loaded().marks()
    day = datetime.fromtimestamp(instant, UTC).date()
    days = [day + timedelta(shift) for shift in range(-2, 3)]
    clocks = {instant_of(day, tz, minute) for tz, minute in marks.clocks for day in days}
    cuts = sorted({*marks.instants, *clocks})
    after = bisect_right(cuts, instant)
    return Interval(cuts[after - 1], cuts[after])


def band_of(tokens: int, marks: Sequence[int]) -> Band:
    bounds = [-1, *marks]
    at = bisect_right(bounds, tokens - 1)
    return Band(bounds[at - 1], bounds[at] if at < len(bounds) else None)


def near(marks: Sequence[int]) -> st.SearchStrategy[int]:
    """Token counts, most of them around a mark."""
    around = st.builds(lambda mark, shift: max(0, mark + shift), st.sampled_from(marks), st.integers(-1, 1))
    return around | st.integers(0, 2_000_000)


def instants() -> st.SearchStrategy[int]:
    """Instants, many of them around a dated change."""
    around = st.builds(
        lambda mark, shift: min(max(mark + shift, FIRST), LAST),
        st.sampled_from(loaded().marks().instants),
        st.sampled_from([-1, 0, 1, 3600, 90_000]),
    )
    return around | st.integers(FIRST, LAST)


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(
    index=st.integers(0, 2**31),
    own=st.booleans(),
    instant=instants(),
    prompt=near(loaded().marks().prompt),
    output=st.integers(0, 200_000),
    tier=st.sampled_from(SERVICE_TIERS),
    as_of=st.sampled_from([NOW, FUTURE]),
)
def test_a_cell_has_the_price_of_each_of_its_calls(
    index: int, own: bool, instant: int, prompt: int, output: int, tier: str, as_of: int
) -> None:
    pool = [entry for entry in entries() if not entry.imported] if own else entries()
    entry, marks = pool[index % len(pool)], loaded().marks()
    cell = loaded().cards(
        entry,
        at=interval_of(instant),
        as_of=as_of,
        prompt=band_of(prompt, marks.prompt),
        output=band_of(output, marks.output),
        tier=tier,
    )
    call = loaded().cards(
        entry,
        at=Interval(instant, instant + 1),
        as_of=as_of,
        prompt=Band(prompt - 1, prompt),
        output=Band(output - 1, output),
        tier=tier,
    )
    assert priced(cell) == priced(call)


def priced(answers: Sequence[object]) -> list[object]:
    """What the answers cost, without what was assumed: `as_of` is no mark, and only it changes assumptions."""
    return [(a.currency, a.rates, a.fees, a.period, a.rule) if isinstance(a, RateCard) else a for a in answers]


@pytest.mark.parametrize("name", ["deepseek/deepseek-v4-pro", "deepseek/deepseek-chat", "openai/gpt-5.4"])
def test_every_change_in_time_is_at_a_mark(name: str) -> None:
    """Half-hour steps over the days of the richest clock: the price only changes where a mark lies."""
    entry = loaded().find(None, name)
    assert isinstance(entry, Entry)
    start, end = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) for month in (8, 12))
    before = None
    for instant in range(start, end, 1800):
        at = Interval(instant, instant + 1)
        now = priced(loaded().cards(entry, at=at, as_of=NOW, prompt=Band(9, 10), output=Band(-1, 0), tier="standard"))
        assert now == before or before is None or interval_of(instant).start > instant - 1800
        before = now


def test_marks_hold_midnights_only_of_zones_that_need_them() -> None:
    assert loaded().marks().clocks == (
        ("Asia/Shanghai", 0),
        ("Asia/Shanghai", 9 * 60),
        ("Asia/Shanghai", 12 * 60),
        ("Asia/Shanghai", 14 * 60),
        ("Asia/Shanghai", 18 * 60),
        ("UTC", 30),
        ("UTC", 16 * 60 + 30),
    )


def test_the_calendars_years_are_marks() -> None:
    instants = loaded().marks().instants
    assert {instant_of(date(year, 1, 1), "Asia/Shanghai", 0) for year in (2025, 2026, 2027)} <= set(instants)
