"""Prices that follow the clock, the weekday and the calendar."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from tests.prices.conftest import ask, second, the_card

from llmmigrate.prices import Catalog, Entry, RateCard
from llmmigrate.prices.clock import Clock, clock_from, edges_within, irregular_instants
from llmmigrate.prices.tables import ClockSpec

Find = Callable[[str], Entry]
PEAK, OFF_PEAK = Decimal("1.32"), Decimal("0.66")


@pytest.mark.parametrize(
    ("at", "rate"),
    [
        ("2026-08-16T15:59:59Z", Decimal("0.435")),  # before there was a clock
        ("2026-08-19T01:00:00Z", PEAK),
        ("2026-08-19T03:59:59Z", PEAK),
        ("2026-08-19T04:00:00Z", OFF_PEAK),
        ("2026-08-19T06:00:00Z", PEAK),
        ("2026-08-19T10:00:00Z", OFF_PEAK),
        ("2026-08-22T02:00:00Z", PEAK),  # a Saturday, when weekends still had peaks
        ("2026-08-23T02:00:00Z", OFF_PEAK),  # the first free Sunday
        ("2026-08-24T02:00:00Z", PEAK),
        ("2026-09-25T02:00:00Z", OFF_PEAK),  # Mid-Autumn, a Friday
        ("2026-10-10T02:00:00Z", OFF_PEAK),  # a make-up working Saturday stays a Saturday
        ("2026-10-12T02:00:00Z", PEAK),
    ],
)
def test_the_deepseek_clock(at: str, rate: Decimal, catalog: Catalog, entry: Find) -> None:
    assert the_card(ask(catalog, entry("deepseek/deepseek-v4-pro"), at)).rates["input"] == rate


def test_a_working_week_has_35_peak_hours(catalog: Catalog, entry: Find) -> None:
    monday = datetime.fromisoformat("2026-11-16T00:00:00+08:00")
    hours = [(monday + timedelta(hours=hour)).isoformat() for hour in range(168)]
    cards = [the_card(ask(catalog, entry("deepseek/deepseek-v4-pro"), hour)) for hour in hours]
    assert sum(card.rates["input"] == PEAK for card in cards) == 35


def test_outside_the_calendars_years_a_peak_hour_has_both_bounds(catalog: Catalog, entry: Find) -> None:
    later = second("2027-06-01T00:00:00Z").start
    answers = ask(catalog, entry("deepseek/deepseek-v4-pro"), "2027-03-03T02:00:00Z", as_of=later)
    cards = [answer for answer in answers if isinstance(answer, RateCard)]
    assert sorted(card.rates["input"] for card in cards) == [OFF_PEAK, PEAK]
    assert {card.assumptions for card in cards} == {("calendar_not_covered",)}


def test_outside_the_calendars_years_a_night_is_certain(catalog: Catalog, entry: Find) -> None:
    later = second("2027-06-01T00:00:00Z").start
    card = the_card(ask(catalog, entry("deepseek/deepseek-v4-pro"), "2027-03-03T20:00:00Z", as_of=later))
    assert (card.rates["input"], card.assumptions) == (OFF_PEAK, ())


@pytest.mark.parametrize(("at", "rate"), [("16:29:59", "0.27"), ("16:30:00", "0.135"), ("00:29:59", "0.135")])
def test_a_window_may_cross_midnight(at: str, rate: str, catalog: Catalog, entry: Find) -> None:
    card = the_card(ask(catalog, entry("deepseek/deepseek-chat"), f"2025-04-02T{at}Z"))
    assert card.rates["input"] == Decimal(rate)


def new_york() -> Clock:
    return clock_from(ClockSpec(tz="America/New_York", hours=["01:30-02:30"]), {})


def test_a_day_of_25_hours_has_the_window_twice() -> None:
    clock = new_york()
    start = second("2026-11-01T04:00:00Z").start  # midnight, summer time ends at 06:00Z
    inside = [minute for minute in range(300) if clock.holds(start + minute * 60)]
    assert inside == [*range(90, 120), *range(150, 210)]


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01", "2026-06-01"])
def test_every_change_of_a_clock_is_an_edge(day: str) -> None:
    clock = new_york()
    start = second(f"{day}T00:00:00Z").start
    minutes = range(start, start + 86_400, 60)
    changes = [at for at in minutes if clock.holds(at) != clock.holds(at - 60)]
    assert set(changes) <= {start, *edges_within(clock.edges, start, start + 86_400)}


def test_days_of_23_and_25_hours_have_marks_of_their_own() -> None:
    marks = set(irregular_instants(new_york().edges))
    assert {second("2026-11-01T05:30:00Z").start, second("2026-11-01T06:30:00Z").start} < marks
