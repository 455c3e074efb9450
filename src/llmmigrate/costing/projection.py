"""From the cost of the days in a log to a month and a year, or the reason why not.

The formulas, and the covers that they were measured to have, are in docs/projection.md. Everything inside is an
estimate and computed in floats; money comes in and goes out as Decimal.
"""

import math
from collections.abc import Hashable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, Literal

import msgspec

from llmmigrate.statistics.series import (
    Trend,
    find_trend,
    group_means,
    group_pull,
    mean,
    neighbour_correlation,
    relative_residuals,
    variance,
    variance_inflation,
)
from llmmigrate.statistics.student import t_quantile

YEAR_DAYS: Final = 365.25
MONTH_DAYS: Final = YEAR_DAYS / 12
"""30.4375: the mean month, so that twelve months are one year."""
NEEDED_DAYS: Final = 14
WEEKLY_FROM_DAYS: Final = 28
CONFIDENCE: Final = 0.95
TREND_LEVEL: Final = 0.05

_UPPER: Final = 0.5 + CONFIDENCE / 2
_NORMAL_UPPER: Final = 1.959963984540054
"""The standard normal quantile at `_UPPER`."""
_EDGE: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_MICRO: Final = Decimal("0.000001")

RefusalCode = Literal["zero_span", "short_span", "trend", "trend_beyond_growth"]


class DayCost(msgspec.Struct, frozen=True):
    """What the calls of one calendar day, in the report's time zone, cost."""

    day: date
    cost: Decimal


class Outlook(msgspec.Struct, frozen=True):
    """The projected cost of the time after the log, and its 95 % prediction interval; None where refused."""

    cost: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None


class Refusal(msgspec.Struct, frozen=True):
    """Why an interval, or the whole projection, is not given: a stable code and a sentence."""

    code: RefusalCode
    words: str


class Projection(msgspec.Struct, frozen=True):
    """A cost per day, month and year, as far as the log's span carries it; in the currency of the days.

    `rate_per_day` is the mean over the span, None for a log without a span. `trend` is the measured growth a day
    (after taking out a declared growth), None where it was not tested.
    """

    rate_per_day: Decimal | None
    month: Outlook
    year: Outlook
    method: str
    refused: Refusal | None = None
    trend: Trend | None = None


class _Level(msgspec.Struct, frozen=True):
    """A steady cost a day, and what the standard deviation of the sum of the next days is around it."""

    per_day: float
    day_variance: float
    """Variance that each future day adds to a sum."""
    mean_variance: float
    """Variance of `per_day` as an estimate of the mean."""
    df: int
    weekday_means: Sequence[float]
    method: str

    def half_width(self, days: float) -> float:
        # The noise is estimated, hence t; which weekdays the odd days fall on is chance of a known size, hence normal.
        noise = days * self.day_variance + days * days * self.mean_variance
        phase = _phase_variance(self.weekday_means, days)
        return math.sqrt(noise * t_quantile(_UPPER, self.df) ** 2 + phase * _NORMAL_UPPER**2)


def project(days: Sequence[DayCost], *, first: datetime, last: datetime, growth: Decimal | None = None) -> Projection:
    """Project the cost of the time after `last` from the days of a log.

    `first` and `last` are the instants of the log's first and last call, aware and in the report's time zone; a group
    of the log's calls is projected with the instants of the whole log. Days that are not listed cost 0. `growth` is a
    declared growth a month (0.05 = 5 %), carried on after the log.

    The first and last day may be cut off by the log's ends. A day of which more than an hour lies outside the log is
    left out of the month and the year (not out of `rate_per_day`).

    Raises ValueError for a naive instant, a day outside the log, a day listed twice, or a growth that is not between
    -100 % and 1,000 % a month.
    """
    if first.tzinfo is None or last.tzinfo is None:
        raise ValueError("the instants need a time zone, which says where days begin")
    costs = _complete(days, first, last)
    span = (last.astimezone(UTC) - first.astimezone(UTC)) / _DAY
    if span <= 0:
        return _refuse(None, "zero_span", "cannot project: the log's calls have one instant, so no span")
    rate = _money(math.fsum(costs) / span)
    start, stop = _whole_days(first, last, len(costs))
    if max(span, float(stop - start)) < NEEDED_DAYS:
        words = f"{NEEDED_DAYS} days are needed for a projection, the log has {_span_words(span)}"
        return _refuse(rate, "short_span", words)
    whole = costs[start:stop]
    first_day = first.date() + timedelta(days=start)
    return _project_whole_days(rate, whole, first_day, growth)


def _span_words(days: float) -> str:
    """A short span in days, hours or minutes."""
    if days >= 1:
        return f"{days:.1f}"
    return f"{days * 24:.1f} hours" if days * 24 >= 1 else f"{days * 24 * 60:.0f} minutes"


def _complete(days: Sequence[DayCost], first: datetime, last: datetime) -> list[float]:
    listed = {day.day: day.cost for day in days}
    if len(listed) != len(days):
        raise ValueError("a day is listed twice")
    count = (last.date() - first.date()).days + 1
    complete = [first.date() + timedelta(days=offset) for offset in range(count)]
    if outside := listed.keys() - set(complete):
        raise ValueError(f"{min(outside)} lies outside the log, which runs from {first} to {last}")
    return [float(listed.get(day, 0)) for day in complete]


def _whole_days(first: datetime, last: datetime, count: int) -> tuple[int, int]:
    """The half-open range of the days that lie inside the log but for an hour at most."""
    midnight = datetime.combine(first.date(), time(), first.tzinfo)
    next_midnight = datetime.combine(last.date() + _DAY, time(), last.tzinfo)
    start = int(first - midnight > _EDGE)
    return start, max(count - int(next_midnight - last > _EDGE), start)


def _refuse(rate: Decimal | None, code: RefusalCode, words: str) -> Projection:
    method = "no projection" if rate is None else "cost over span, a rate only"
    return Projection(rate, Outlook(), Outlook(), method, Refusal(code, words))


def _project_whole_days(rate: Decimal, costs: Sequence[float], first_day: date, growth: Decimal | None) -> Projection:
    steady = _at_the_end(costs, growth)
    weekdays = [(first_day + timedelta(days=offset)).weekday() for offset in range(len(costs))]
    level = _weekly_level(steady, weekdays) if len(costs) >= WEEKLY_FROM_DAYS else _daily_level(steady, weekdays)
    trend = find_trend(steady, _seasons(weekdays))
    refused = _refuse_trend(trend, growth)
    month, year = (_outlook(level, horizon, growth, refused) for horizon in (MONTH_DAYS, YEAR_DAYS))
    return Projection(rate, month, year, _describe(level, growth, trend, refused), refused, trend)


def _seasons(weekdays: Sequence[int]) -> list[Hashable]:
    """Seven kinds of day where each was seen four times, else working days and weekends."""
    if len(weekdays) >= WEEKLY_FROM_DAYS:
        return list(weekdays)
    return [weekday >= 5 for weekday in weekdays]


def _daily_level(costs: Sequence[float], weekdays: Sequence[int]) -> _Level:
    """Working-day and weekend means, mixed 5 : 2, with relative residuals that may be correlated."""
    weekend = [weekday >= 5 for weekday in weekdays]
    means = group_means(costs, weekend)
    residuals = relative_residuals(costs, weekend)
    df = len(costs) - 2
    relative_variance = math.fsum(r * r for r in residuals) / df
    inflation = variance_inflation(neighbour_correlation(residuals, group_pull(weekend)))
    squares = (5 * means[False] ** 2 + 2 * means[True] ** 2) / 7
    spread = relative_variance * squares * inflation
    per_day = (5 * means[False] + 2 * means[True]) / 7
    method = f"weekday and weekend means of {len(costs)} whole days, widened for correlated days"
    by_weekday = [means[weekday >= 5] for weekday in range(7)]
    return _Level(per_day, spread, spread / len(costs), df, by_weekday, method)


def _weekly_level(costs: Sequence[float], weekdays: Sequence[int]) -> _Level:
    """The totals of the latest whole weeks, taken as independent."""
    weeks = len(costs) // 7
    latest = costs[len(costs) - 7 * weeks :]
    totals = [math.fsum(latest[7 * week : 7 * week + 7]) for week in range(weeks)]
    spread = variance(totals)
    method = f"totals of {weeks} weeks"
    means = group_means(costs, weekdays)
    by_weekday = [means[weekday] for weekday in range(7)]
    return _Level(mean(totals) / 7, spread / 7, spread / weeks / 49, weeks - 1, by_weekday, method)


def _phase_variance(weekday_means: Sequence[float], days: float) -> float:
    """Variance of what the odd days beyond whole weeks cost, over the weekdays on which a period may begin."""
    odd_days, part = divmod(days % 7, 1)
    twice = [*weekday_means, *weekday_means]
    sums = [math.fsum(twice[start : start + int(odd_days)]) + part * twice[start + int(odd_days)] for start in range(7)]
    return variance(sums, sample=False)


def _at_the_end(costs: Sequence[float], growth: Decimal | None) -> list[float]:
    """The days' costs at the level that the declared growth gives the end of the last day."""
    daily = _log_growth(growth)
    return [cost * math.exp(daily * (len(costs) - day - 0.5)) for day, cost in enumerate(costs)]


def _log_growth(growth: Decimal | None) -> float:
    if growth is None:
        return 0.0
    if not -1 < growth < 10:
        raise ValueError(f"a growth between -100 % and 1,000 % a month is needed, not {_percent(growth)}")
    return math.log1p(float(growth)) / MONTH_DAYS


def _outlook(level: _Level, days: float, growth: Decimal | None, refused: Refusal | None) -> Outlook:
    log_growth = _log_growth(growth)
    grown = math.expm1(log_growth * days) / (log_growth * days) if log_growth else 1.0
    cost = level.per_day * days * grown
    if refused:
        return Outlook(_money(cost))
    half = level.half_width(days) * grown
    return Outlook(_money(cost), _money(max(cost - half, 0.0)), _money(cost + half))


def _refuse_trend(trend: Trend, growth: Decimal | None) -> Refusal | None:
    if trend.p_value >= TREND_LEVEL:
        return None
    monthly = math.expm1(trend.per_day * MONTH_DAYS)
    found = f"the cost changes by {_signed(trend.per_day)} a day ({_signed(monthly, 0)} a month)"
    if growth is None:
        return Refusal("trend", f"{found}: an interval needs to be told with --growth how this goes on")
    return Refusal("trend_beyond_growth", f"{found} beyond the stated growth of {_percent(growth)} a month")


def _describe(level: _Level, growth: Decimal | None, trend: Trend, refused: Refusal | None) -> str:
    path = "at a steady level" if growth is None else f"growing by {_percent(growth)} a month as stated"
    if refused:
        return f"{level.method}, {path}; no interval"
    unseen = f"a change of {_signed(trend.low)} to {_signed(trend.high)} a day would not show in these days"
    return f"{level.method}, {path}; 95 % prediction interval (t); {unseen}"


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f} %"


def _signed(share: float, digits: int = 1) -> str:
    return f"{100 * share:+.{digits}f} %"


def _money(value: float) -> Decimal:
    return Decimal(value).quantize(_MICRO)
