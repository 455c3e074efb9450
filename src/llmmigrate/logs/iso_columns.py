"""Timestamps of the one spelling that most logs have, read column by column."""

from collections.abc import Sequence
from typing import Any, Final

from llmmigrate.arrays import np, npt
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.calls_by_column import Flags, Integers

ISO_LENGTHS: Final = (20, 22, 23, 24, 25, 26, 27, 28, 29, 30)


def instants(column: Sequence[str]) -> tuple[Integers, Flags]:
    """Timestamps of the form 2026-01-15T10:00:00[.123456789]Z as nanoseconds; flags the rows of any other form."""
    found = np.zeros(len(column), dtype=np.int64)
    odd = np.ones(len(column), dtype=bool)
    found_lengths = set(map(len, column))
    for length in found_lengths.intersection(ISO_LENGTHS):
        rows: Any = slice(None)
        texts = column
        if len(found_lengths) > 1:
            rows = np.flatnonzero(np.fromiter(map(len, column), dtype=np.int64, count=len(column)) == length)
            texts = [column[row] for row in rows.tolist()]
        text = "".join(texts)
        if text.isascii():
            signs = np.frombuffer(text.encode(), dtype=np.uint8).reshape(len(texts), length)
            found[rows], good = _iso_columns(signs)
            odd[rows] = ~good
    return found, odd


def _iso_columns(signs: npt.NDArray[np.uint8]) -> tuple[Integers, Flags]:
    """Rows of characters as instants; flags the rows that are what they seem."""
    length = signs.shape[1]
    by_place = np.ascontiguousarray(signs.T)
    marks = {4: "-", 7: "-", 10: "T", 13: ":", 16: ":", length - 1: "Z"} | ({19: "."} if length > 20 else {})
    digits = by_place - np.uint8(48)
    places = [place for place in range(length) if place not in marks]
    good: Flags = np.all(digits[places] <= 9, axis=0)
    for place, mark in marks.items():
        good &= by_place[place] == ord(mark)

    def number(start: int, stop: int) -> Any:
        whole = digits[start].astype(np.int32)
        for place in range(start + 1, stop):
            whole = whole * 10 + digits[place]
        return whole

    days, real = _days_by_runs((number(0, 4) * 100 + number(5, 7)) * 100 + number(8, 10))
    hour, minute, second = number(11, 13), number(14, 16), number(17, 19)
    good &= real & (hour <= 23) & (minute <= 59) & (second <= 59)
    nanoseconds: Integers = (days * 86_400 + (hour * 3_600 + minute * 60 + second)) * NANOSECONDS
    if length > 20:
        nanoseconds += number(20, length - 1).astype(np.int64) * 10 ** (30 - length)
    nanoseconds[~good] = 0
    return nanoseconds, good


def _days_by_runs(dates: npt.NDArray[np.int32]) -> tuple[Integers, Flags]:
    """Dates such as 20260115 as days since 1970-01-01, and which of them exist; equal neighbours are looked at once."""
    first = np.flatnonzero(np.append(True, dates[1:] != dates[:-1]))
    lengths = np.diff(np.append(first, len(dates)))
    date = dates[first].astype(np.int64)
    year, month, day = date // 10_000, date // 100 % 100, date % 100
    real = (
        (year >= 2000) & (year < 2262) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= _month_days(year, month))
    )
    return np.repeat(_days(year, month, day), lengths), np.repeat(real, lengths)


def _month_days(year: Integers, month: Integers) -> Integers:
    lengths = np.array([31, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)
    leap = (month == 2) & (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    days: Integers = lengths[np.clip(month, 0, 12)] + leap
    return days


def _days(year: Integers, month: Integers, day: Integers) -> Integers:
    """Days since 1970-01-01 of a Gregorian date (year starting in March, so that the leap day comes last)."""
    y = year - (month <= 2)
    of_era = y % 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days: Integers = y // 400 * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    return days
