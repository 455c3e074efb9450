"""Where a profile is cut, so that all calls of one cell have the same price in every loaded table.

Time is cut at every instant at which a table can change and at the calendar units of the reporting zone; prompts and
outputs are cut at the thresholds and caps of all tables ("more than N tokens": N itself is below the cut).
"""

import bisect
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

CalendarUnit = Literal["day", "hour"]

DAY: Final = 86_400
EPOCH: Final = date(1970, 1, 1)
WHOLE: Final = (-1, None)
"""The band of all sizes, for usage whose size per request is not known."""

Interval = tuple[int, int]
"""Epoch seconds [start, end)."""
Band = tuple[int, int | None]
"""Tokens in (above, upto]; None is without end."""


class CutMarks(msgspec.Struct, frozen=True):
    """The cut marks themselves, as they are saved with a profile."""

    instants: tuple[int, ...] = ()
    """Epoch seconds at which a period, calendar or exchange rate starts or ends."""
    clocks: tuple[tuple[str, int], ...] = ()
    """Time zone and minute of the day of every clock-window boundary and calendar midnight."""
    prompt: tuple[int, ...] = ()
    output: tuple[int, ...] = ()
    zone: str = "UTC"
    unit: CalendarUnit = "day"


class Cuts:
    """Finds the interval and the bands that a call falls into."""

    def __init__(self, marks: CutMarks, *, extra_instants: Iterable[int] = ()) -> None:
        self.marks = marks
        self._instants = sorted({*marks.instants, *extra_instants})
        self._prompt = sorted(set(marks.prompt))
        self._output = sorted(set(marks.output))
        clocks = sorted({*marks.clocks, *_unit_clocks(marks)})
        self._clocks = [(zone, [m for z, m in clocks if z == zone]) for zone in sorted({z for z, _ in clocks})]
        self._days: dict[int, list[int]] = {}

    def interval(self, second: int) -> Interval:
        """The stretch between two cut marks that holds this epoch second."""
        edges = self._days.get(second // DAY) or self._day_edges(second // DAY)
        i = bisect.bisect_right(edges, second)
        return edges[i - 1], edges[i]

    def prompt_band(self, tokens: int) -> Band:
        """The band of a prompt of so many tokens, cache included."""
        return _band(self._prompt, tokens)

    def output_band(self, tokens: int) -> Band:
        """The band of an output of so many tokens, reasoning included."""
        return _band(self._output, tokens)

    def edges(self, first: int, last: int) -> list[int]:
        """All interval edges around the epoch seconds `first` … `last`, sorted, for a columnar reader."""
        found: set[int] = set()
        for day in range(first // DAY, last // DAY + 1):
            found.update(self._days.get(day) or self._day_edges(day))
        return sorted(found)

    def prompt_thresholds(self) -> list[int]:
        """Sorted prompt thresholds."""
        return self._prompt

    def output_thresholds(self) -> list[int]:
        """Sorted output thresholds."""
        return self._output

    def _day_edges(self, day: int) -> list[int]:
        start = day * DAY
        around = EPOCH + timedelta(days=day)
        edges = {edge for zone, minutes in self._clocks for d in (-1, 0, 1)
                 for edge in wall_instants(zone, around + timedelta(days=d), minutes)}  # fmt: skip
        low = bisect.bisect_left(self._instants, start - DAY)
        high = bisect.bisect_right(self._instants, start + 2 * DAY)
        edges.update(self._instants[low:high])
        ordered = sorted(edges)
        first = bisect.bisect_right(ordered, start) - 1
        last = bisect.bisect_left(ordered, start + DAY)
        self._days[day] = ordered[first : last + 1]
        return self._days[day]


def wall_instants(zone: str, day: date, minutes: Iterable[int]) -> list[int]:
    """The epoch seconds at which a wall clock in `zone` shows these minutes of a day."""
    midnight, next_midnight = _midnight(zone, day), _midnight(zone, day + timedelta(days=1))
    if next_midnight - midnight == DAY:  # no change of the clock on this day
        return [midnight + 60 * minute for minute in minutes]
    place = ZoneInfo(zone)
    walls = (datetime.combine(day, clock_time(m // 60, m % 60), tzinfo=place) for m in minutes)
    return [int(wall.timestamp()) for wall in walls]


@lru_cache(maxsize=4096)
def _midnight(zone: str, day: date) -> int:
    return int(datetime.combine(day, clock_time(), tzinfo=ZoneInfo(zone)).timestamp())


def calendar_unit(marks: CutMarks, second: int) -> int:
    """The epoch second at which the day or hour of the reporting zone that holds `second` began."""
    local = datetime.fromtimestamp(second, tz=ZoneInfo(marks.zone))
    hour = local.hour if marks.unit == "hour" else 0
    return int(local.replace(hour=hour, minute=0, second=0, microsecond=0).timestamp())


def _unit_clocks(marks: CutMarks) -> list[tuple[str, int]]:
    hours = range(24) if marks.unit == "hour" else range(1)
    return [(marks.zone, 60 * hour) for hour in hours]


def _band(thresholds: list[int], tokens: int) -> Band:
    i = bisect.bisect_left(thresholds, tokens)
    above = thresholds[i - 1] if i else -1
    return above, thresholds[i] if i < len(thresholds) else None
