"""Recurring prices: clock windows, weekdays and holiday calendars in their own time zones."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec

from llmmigrate.prices.tables import CalendarSpec, ClockSpec

DAY = 86_400
FOUR_WEEKS = 28 * DAY
"""Shorter than any stretch of summer time, and than its suspension in Ramadan."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Edge = tuple[str, int]
"""A time zone and a minute of its day at which a price can change."""


class Calendar(msgspec.Struct, frozen=True):
    """Named days; outside the years that it covers nothing is known."""

    name: str
    tz: str
    covers: frozenset[int]
    days: frozenset[date]


class Clock(msgspec.Struct, frozen=True):
    """A recurring stretch of local time."""

    tz: str
    windows: tuple[tuple[int, int], ...]
    """Half-open minutes of the day; start > end crosses midnight. Empty means the whole day."""
    weekdays: frozenset[int]
    """0 is Monday; empty means every day. The day is the one of the instant, also after midnight."""
    excluded: Calendar | None
    words: str

    def holds(self, instant: int) -> bool | None:
        """Whether `instant` (epoch seconds) is inside; None where a calendar that decides does not cover its year."""
        local = datetime.fromtimestamp(instant, _zone(self.tz))
        minute = local.hour * 60 + local.minute
        if self.windows and not any(_inside(minute, window) for window in self.windows):
            return False
        if self.weekdays and local.weekday() not in self.weekdays:
            return False
        return self.excluded is None or _not_excluded(self.excluded, instant)

    @property
    def edges(self) -> frozenset[Edge]:
        """The minutes of the day at which this clock can change."""
        own = {(self.tz, minute % 1440) for window in self.windows for minute in window}
        midnight = {(self.tz, 0)} if self.weekdays else set()
        return frozenset(own | midnight | ({(self.excluded.tz, 0)} if self.excluded else set()))


def clock_from(spec: ClockSpec, calendars: dict[str, Calendar]) -> Clock:
    """The clock that `spec` describes. Raises KeyError for an unknown calendar, ValueError for a bad time or zone."""
    _zone(spec.tz)
    words = [spec.tz, ",".join(spec.hours), ",".join(spec.weekdays), f"not on {spec.not_on}" if spec.not_on else ""]
    return Clock(
        tz=spec.tz,
        windows=tuple(_window(hours) for hours in spec.hours),
        weekdays=frozenset(WEEKDAYS.index(day) for day in spec.weekdays),
        excluded=calendars[spec.not_on] if spec.not_on else None,
        words=" ".join(word for word in words if word),
    )


def calendar_from(name: str, spec: CalendarSpec) -> Calendar:
    """The calendar that `spec` describes. Raises ValueError for a day that does not exist."""
    _zone(spec.tz)
    days = frozenset(day for text in spec.days for day in _days(text))
    return Calendar(name, spec.tz, frozenset(spec.covers), days)


def calendar_instants(calendar: Calendar) -> Iterator[int]:
    """Where the years that the calendar covers start and end."""
    for year in calendar.covers:
        for first in (date(year, 1, 1), date(year + 1, 1, 1)):
            yield instant_of(first, calendar.tz, 0)


def instant_of(day: date, tz: str, minute: int, fold: int = 0) -> int:
    """Epoch seconds of a minute of a local day."""
    local = datetime.combine(day, time(minute // 60, minute % 60, fold=fold), _zone(tz))
    return int(local.timestamp())


def edges_within(edges: Iterable[Edge], start: int, end: int) -> list[int]:
    """The instants in (start, end) at which clocks with these edges can change."""
    by_zone: dict[str, list[int]] = {}
    for tz, minute in edges:
        by_zone.setdefault(tz, []).append(minute)
    if all(_quiet(tz, minutes, start, end) for tz, minutes in by_zone.items()):
        return []
    found = {at for tz, minutes in by_zone.items() for at in _edges_of_days(tz, minutes, start, end)}
    return sorted(at for at in found if start < at < end)


def _quiet(tz: str, minutes: Iterable[int], start: int, end: int) -> bool:
    """Whether a stretch of ordinary days has no edge. Nearly every question is about one, so this has to be cheap."""
    changes = _offset_changes(tz)
    if end - start > DAY or bisect_right(changes, start - DAY) != bisect_right(changes, end + DAY):
        return False
    local = datetime.fromtimestamp(start, _zone(tz))
    passed = local.hour * 3600 + local.minute * 60 + local.second
    return all(((minute * 60 - passed) % DAY or DAY) >= end - start for minute in minutes)


def _edges_of_days(tz: str, minutes: Iterable[int], start: int, end: int) -> Iterator[int]:
    yield from _offset_changes(tz)
    for minute in minutes:
        day = datetime.fromtimestamp(start, _zone(tz)).date() - timedelta(1)
        while (instant := instant_of(day, tz, minute)) < end:
            yield from (instant, instant_of(day, tz, minute, fold=1))
            day += timedelta(1)


def irregular_instants(edges: Iterable[Edge]) -> Iterator[int]:
    """Changes on days with 23 or 25 hours, which "this minute of every day" does not tell."""
    for tz, minute in edges:
        for change in _offset_changes(tz):
            day = datetime.fromtimestamp(change, _zone(tz)).date()
            yield from (change, instant_of(day, tz, minute), instant_of(day, tz, minute, fold=1))


@cache
def _offset_changes(tz: str) -> tuple[int, ...]:
    """Every instant from 2015 to 2040 at which the zone's offset from UTC changes."""
    zone = _zone(tz)
    start, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2015, 2040))
    offsets = [(at, _offset(at, zone)) for at in range(start, end, FOUR_WEEKS)]
    changed = [(low, high) for (low, before), (high, after) in pairwise(offsets) if before != after]
    return tuple(_change_between(low, high, zone) for low, high in changed)


def _change_between(low: int, high: int, zone: ZoneInfo) -> int:
    before = _offset(low, zone)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
    return high


def _offset(instant: int, zone: ZoneInfo) -> timedelta | None:
    return datetime.fromtimestamp(instant, zone).utcoffset()


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _inside(minute: int, window: tuple[int, int]) -> bool:
    start, end = window
    return start <= minute < end if start < end else minute >= start or minute < end


def _not_excluded(calendar: Calendar, instant: int) -> bool | None:
    day = datetime.fromtimestamp(instant, _zone(calendar.tz)).date()
    return day not in calendar.days if day.year in calendar.covers else None


def _window(text: str) -> tuple[int, int]:
    start, end = (_minute(part) for part in text.split("-"))
    if start == end:
        raise ValueError(f"the window {text} is empty")
    return start, end


def _minute(text: str) -> int:
    hour, minute = (int(part) for part in text.split(":"))
    if minute > 59 or hour * 60 + minute > 1440:
        raise ValueError(f"{text} is no time of day")
    return hour * 60 + minute


def _days(text: str) -> Iterator[date]:
    first, _, last = text.partition("..")
    day, end = date.fromisoformat(first), date.fromisoformat(last or first)
    while day <= end:
        yield day
        day += timedelta(1)
