"""What a projection says about logs of different lengths."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from llmmigrate.costing.projection import DayCost, Projection, project

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = (110, 114, 106, 100, 96, 30, 26)


def project_days(
    costs: Sequence[float | int | Decimal],
    *,
    start: timedelta = timedelta(minutes=5),
    end: timedelta = timedelta(minutes=5),
    growth: Decimal | None = None,
) -> Projection:
    """Project a log that begins `start` after midnight of a Monday and ends `end` before midnight."""
    days = [DayCost((MONDAY + timedelta(days=day)).date(), Decimal(cost)) for day, cost in enumerate(costs)]
    last = MONDAY + timedelta(days=len(costs)) - end
    return project(days, first=MONDAY + start, last=last, growth=growth)


def wavering(weeks: int) -> list[int]:
    """Whole weeks whose totals differ by a few percent, without a trend."""
    return [cost + 3 * ((5 * week + 3 * day) % 7 - 3) for week in range(weeks) for day, cost in enumerate(WEEK)]


def test_one_instant_cannot_be_projected() -> None:
    found = project([DayCost(MONDAY.date(), Decimal(7))], first=MONDAY, last=MONDAY)
    assert found.refused is not None
    assert (found.rate_per_day, found.month.cost, found.refused.code) == (None, None, "zero_span")


def test_six_hours_give_a_rate_only() -> None:
    found = project_days([3], start=timedelta(hours=6), end=timedelta(hours=12))
    assert found.refused is not None
    assert (found.rate_per_day, found.month.cost, found.year.cost) == (Decimal(12), None, None)
    assert (found.refused.code, found.refused.words) == (
        "short_span",
        "14 days are needed for a projection, the log has 6.0 hours",
    )


def test_thirteen_days_are_too_short_and_fourteen_are_enough() -> None:
    assert project_days([10] * 13, start=timedelta(0), end=timedelta(0)).month.cost is None
    assert project_days([10] * 14, start=timedelta(0), end=timedelta(0)).month.cost == Decimal("304.375")


def test_a_month_is_a_twelfth_of_a_year() -> None:
    found = project_days([10] * 28)
    assert found.month.cost is not None
    assert (found.month.cost, found.year.cost) == (Decimal("304.375"), 12 * found.month.cost)


def test_a_month_is_not_thirty_times_the_mean_of_a_log_that_ends_on_friday() -> None:
    busy_end = [*WEEK * 2, *WEEK[:5]]
    found = project_days(busy_end)
    assert found.month.cost is not None
    expected = Decimal((5 * 526 / 5 + 2 * 28) / 7 * 30.4375)
    assert found.month.cost == pytest.approx(expected, rel=Decimal("1e-3"))
    assert found.month.cost < Decimal(sum(busy_end)) / 19 * 30


def test_the_interval_surrounds_the_cost() -> None:
    for weeks in (2, 3, 5, 9):
        month = project_days(wavering(weeks)).month
        assert month.low is not None and month.cost is not None and month.high is not None
        assert 0 < month.low < month.cost < month.high < 2 * month.cost


def test_the_method_changes_at_four_weeks() -> None:
    shorter, longer = project_days(wavering(5)[:27]), project_days(wavering(5)[:34])
    assert shorter.method.startswith("weekday and weekend means of 27 whole days")
    assert longer.method.startswith("totals of 4 weeks")


def test_days_that_the_log_cuts_off_do_not_count() -> None:
    cut = [2, *wavering(3)[1:-1], 1]
    found = project_days(cut, start=timedelta(hours=22), end=timedelta(hours=20))
    whole = project_days([50, *wavering(3)[1:-1], 50], start=timedelta(hours=2), end=timedelta(hours=2))
    assert found.month == whole.month
    assert "19 whole days" in found.method


def test_days_that_are_not_listed_cost_nothing() -> None:
    days = [DayCost(date(2026, 3, 2) + timedelta(days=7 * week), Decimal(70)) for week in range(5)]
    found = project(days, first=MONDAY, last=MONDAY + timedelta(days=35) - timedelta(seconds=1))
    assert found.month.cost == Decimal("304.375")


def test_the_parts_of_a_log_add_up() -> None:
    whole, part = wavering(5), [cost / 3 for cost in wavering(5)]
    rest = [cost - third for cost, third in zip(whole, part, strict=True)]
    months = [project_days(costs).month.cost or Decimal(0) for costs in (whole, part, rest)]
    assert months[0] == pytest.approx(months[1] + months[2], abs=Decimal("0.000002"))


def test_a_log_without_cost_is_projected_to_nothing() -> None:
    month = project_days([0] * 21).month
    assert [month.cost, month.low, month.high] == [Decimal(0)] * 3


def test_no_interval_reaches_below_zero() -> None:
    month = project_days([0, 0, 0, 900, 0, 0, 0] * 2 + [0, 0, 0, 0, 0, 0, 50]).month
    assert month.low == 0


def test_a_trend_refuses_the_interval_and_names_its_size() -> None:
    rising = [cost * 1.01**day for day, cost in enumerate(wavering(5))]
    found = project_days(rising)
    assert found.refused is not None
    assert found.month.cost is not None
    assert (found.refused.code, found.month.low, found.year.high) == ("trend", None, None)
    assert found.refused.words.startswith("the cost changes by +0.9 % a day (+32 % a month)")


def test_a_stated_growth_brings_the_interval_back() -> None:
    rising = [cost * 1.01**day for day, cost in enumerate(wavering(5))]
    found = project_days(rising, growth=Decimal("0.3537"))
    ahead = [cost * 1.01**day for day, cost in enumerate(wavering(12)[35:66], 35)]
    assert found.refused is None
    assert found.month.low is not None and found.month.high is not None
    assert found.month.low < sum(ahead[:30]) + 0.4375 * ahead[30] < found.month.high


def test_a_stated_growth_that_does_not_explain_the_trend_is_refused() -> None:
    rising = [cost * 1.01**day for day, cost in enumerate(wavering(5))]
    refused = project_days(rising, growth=Decimal("0.02")).refused
    assert refused is not None
    assert refused.code == "trend_beyond_growth"
    assert refused.words.endswith(" beyond the stated growth of 2 % a month")


def test_what_would_not_show_is_said() -> None:
    found = project_days(wavering(2))
    assert found.trend is not None
    assert f"a change of {100 * found.trend.low:+.1f} % to {100 * found.trend.high:+.1f} % a day" in found.method


def test_days_begin_in_the_zone_of_the_report() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    first = datetime(2026, 3, 2, 0, 5, tzinfo=zone)
    last = datetime(2026, 3, 15, 23, 55, tzinfo=zone)
    days = [DayCost(date(2026, 3, 2) + timedelta(days=day), Decimal(10)) for day in range(14)]
    assert project(days, first=first, last=last).month.cost == Decimal("304.375")


def test_a_day_outside_the_log_is_a_mistake() -> None:
    day = DayCost(date(2026, 3, 1), Decimal(1))
    with pytest.raises(ValueError, match="2026-03-01 lies outside"):
        project([day], first=MONDAY, last=MONDAY + timedelta(days=3))


def test_a_day_listed_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="twice"):
        project([DayCost(MONDAY.date(), Decimal(1))] * 2, first=MONDAY, last=MONDAY + timedelta(days=3))


def test_naive_instants_are_a_mistake() -> None:
    naive = datetime(2026, 3, 2)
    with pytest.raises(ValueError, match="time zone"):
        project([], first=naive, last=naive)


@pytest.mark.parametrize("growth", ["-1", "10", "1e9"])
def test_an_absurd_growth_is_a_mistake(growth: str) -> None:
    with pytest.raises(ValueError, match="between -100 % and 1,000 %"):
        project_days([1] * 20, growth=Decimal(growth))
