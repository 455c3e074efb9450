"""Single values of a log record: counts, costs, durations, instants, names, statuses.

Every reader here takes whatever JSON may hold and never raises. What is odd is said by a stable code appended to
`warnings`; what cannot be read is None (or `BAD` for a count), never a guess and never a zero.
"""

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from llmmigrate.units import NANOSECONDS, PICO

BAD: Final = -1
"""A count that is there but is no whole number of tokens between 0 and 10⁹."""
MOST_TOKENS: Final = 1_000_000_000
"""No request of any vendor comes near; more is a fault of the log (`implausible_tokens`)."""
MOST_USD: Final = 1_000_000_000
MOST_MS: Final = 10_000_000_000
"""More than a hundred days is no latency of one request."""

_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_GROUPED: Final = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?", re.ASCII)
_NOT_A_NUMBER: Final = frozenset({"nan", "inf", "infinity", "-inf", "-infinity", "+inf", "+infinity"})
_LONGEST_NUMBER: Final = 64


def count(value: Any, warnings: list[str], *, native_strings: bool = False) -> int | None:
    """A number of tokens: None when absent or null, `BAD` (with a warning) when it is no such number.

    `native_strings`: the format writes its numbers as strings (OTLP, CSV), so that is not worth a warning.
    """
    if type(value) is int:
        return value if 0 <= value <= MOST_TOKENS else _bad_size(value, warnings)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return _count_of_text(value.strip(), warnings, native_strings)
    if isinstance(value, float):
        return _count_of_float(value, warnings)
    warnings.append("non_integer_tokens")
    return BAD


def _bad_size(value: int | Decimal, warnings: list[str]) -> int:
    warnings.append("negative_tokens" if value < 0 else "implausible_tokens")
    return BAD


def _count_of_float(value: float, warnings: list[str]) -> int:
    if not math.isfinite(value):
        warnings.append("nan_value")
        return BAD
    return _whole(Decimal(value), warnings)


def _count_of_text(text: str, warnings: list[str], native_strings: bool) -> int | None:
    if not text:
        return None
    number = _decimal(text)
    if number is None:
        warnings.append("nan_value" if text.casefold() in _NOT_A_NUMBER else "non_integer_tokens")
        return BAD
    if "," in text:
        warnings.append("thousands_separator")
    if not native_strings:
        warnings.append("string_number")
    return _whole(number, warnings)


def _whole(number: Decimal, warnings: list[str]) -> int:
    if not 0 <= number <= MOST_TOKENS:
        return _bad_size(number, warnings)
    if number != int(number):
        warnings.append("non_integer_tokens")
        return BAD
    return int(number)


def _decimal(text: str) -> Decimal | None:
    """The number a text spells, with or without `,` between thousands; None for anything else."""
    if len(text) > _LONGEST_NUMBER:
        return None
    if _NUMBER.fullmatch(text):
        return Decimal(text)
    if _GROUPED.fullmatch(text):
        return Decimal(text.replace(",", ""))
    return None


def cost(value: Any, warnings: list[str]) -> int | None:
    """A logged amount of dollars as whole 1e-12 USD, half to even; None when absent or no number.

    A JSON float is multiplied as a float and then rounded, so that a vectorised reader can do the same.
    """
    if type(value) is float:
        return _cost_of_float(value, warnings)
    if type(value) is int:
        return value * PICO if abs(value) <= MOST_USD else _no_cost(warnings)
    if isinstance(value, str):
        return _cost_of_text(value.strip().lstrip("$"), warnings)
    return None


def _cost_of_float(value: float, warnings: list[str]) -> int | None:
    if not math.isfinite(value):
        warnings.append("nan_value")
        return None
    return round(value * PICO) if abs(value) <= MOST_USD else _no_cost(warnings)


def _cost_of_text(text: str, warnings: list[str]) -> int | None:
    number = _decimal(text)
    if number is None:
        if text.casefold() in _NOT_A_NUMBER:
            warnings.append("nan_value")
        return None
    return round(number * PICO) if abs(number) <= MOST_USD else _no_cost(warnings)


def _no_cost(warnings: list[str]) -> int | None:
    warnings.append("implausible_cost")
    return None


def duration_ms(value: Any, warnings: list[str], per_unit: float = 1.0) -> float | None:
    """A duration in milliseconds; `per_unit` is how many of them one unit of the log is. None when unusable."""
    if type(value) is int and 0 <= value <= MOST_TOKENS:
        return value * per_unit
    number = _float(value)
    if number is None:
        return None
    if not math.isfinite(number):
        warnings.append("nan_value")
        return None
    if number * per_unit > MOST_MS:
        warnings.append("implausible_duration")
        return None
    return number * per_unit if number >= 0 else None


def _float(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return value
    if isinstance(value, int):
        return float(value) if abs(value) < MOST_USD * MOST_USD else None
    if isinstance(value, str):
        number = _decimal(value.strip())
        return None if number is None else float(number)
    return None


def between_ms(start_ns: int | None, end_ns: int | None) -> float | None:
    """The milliseconds from one instant to another; None when one is missing or they are in the wrong order."""
    if start_ns is None or end_ns is None or end_ns < start_ns:
        return None
    milliseconds = (end_ns - start_ns) / 1_000_000
    return milliseconds if milliseconds <= MOST_MS else None


# Instants -----------------------------------------------------------------------------------------------------------

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = _EPOCH.toordinal()
_YEAR_2000: Final = 946_684_800 * NANOSECONDS
_YEAR_2262: Final = 2**63 - 1
_DOTNET_EPOCH: Final = 621_355_968_000_000_000  # ticks of 100 ns from year 1 to 1970
_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?"
    r" ?(?:([Zz]|UTC|GMT)|([+-])(\d\d):?(\d\d)?(?: UTC)?)?",
    re.ASCII,
)
_RFC_1123: Final = re.compile(
    r"(?:[A-Za-z]{3}, )?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) (?:(GMT|UTC|Z)|([+-])(\d\d)(\d\d))",
    re.ASCII,
)
_US: Final = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}),? (\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d+))?)? ?([AaPp])\.?[Mm]\.?", re.ASCII
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def instant(value: Any, warnings: list[str]) -> int | None:
    """A timestamp as nanoseconds since 1970, UTC; None when unusable or before the year 2000.

    Numbers, also as text, are read by magnitude: seconds, milliseconds, microseconds, .NET ticks, nanoseconds. A time
    without a zone is UTC and warned `naive_timestamp`. Digits after the ninth decimal are dropped.
    """
    if type(value) is str:
        found = _common_iso(value) or _instant_of_text(value.strip(), warnings)
    elif type(value) is int:
        found = _instant_of_number(value)
    elif type(value) is float and math.isfinite(value):
        # The shortest text of a float is what the log said; its binary value is not.
        found = _instant_of_number(Decimal(repr(value)))
    else:
        return None
    return found if found is not None and _YEAR_2000 <= found <= _YEAR_2262 else None


def _common_iso(text: str) -> int | None:
    """`2026-01-15T10:00:00.123456Z` at C speed; None for any other spelling, which is left to the patterns."""
    if text[-1:] != "Z" or len(text) > 27 or text[4:5] != "-":
        return None  # a longer one may hold more digits than a datetime
    try:
        passed = datetime.fromisoformat(text) - _EPOCH
    except ValueError:
        return None
    return (passed.days * 86_400 + passed.seconds) * NANOSECONDS + passed.microseconds * 1_000


def _instant_of_number(number: int | Decimal) -> int | None:
    if not 0 < number < 10**19:
        return None
    if number < 10**11:
        return int(number * NANOSECONDS)
    if number < 10**14:
        return int(number * 1_000_000)
    if number < 10**17:
        return int(number * 1_000)
    if 6 * 10**17 <= number < 7 * 10**17:
        return int((number - _DOTNET_EPOCH) * 100)
    return int(number)


def _instant_of_text(text: str, warnings: list[str]) -> int | None:
    if match := _ISO.fullmatch(text):
        return _iso(match, warnings)
    if match := _RFC_1123.fullmatch(text):
        return _rfc_1123(match)
    if match := _US.fullmatch(text):
        return _us(match, warnings)
    number = _decimal(text)
    return None if number is None else _instant_of_number(number)


def _iso(match: re.Match[str], warnings: list[str]) -> int | None:
    day_text, hour, minute, second, fraction, utc, sign, zone_hour, zone_minute = match.groups()
    day = _day(day_text)
    if day is None:
        return None
    offset = 0
    if sign:
        offset = _offset(sign, zone_hour, zone_minute)
    elif not utc:
        warnings.append("naive_timestamp")
    return _moment(day, int(hour or 0), int(minute or 0), int(second or 0), fraction, offset)


def _rfc_1123(match: re.Match[str]) -> int | None:
    day_of_month, month, year, hour, minute, second, _, sign, zone_hour, zone_minute = match.groups()
    day = _day_of(int(year), _MONTHS.index(month) + 1, int(day_of_month)) if month in _MONTHS else None
    offset = _offset(sign, zone_hour, zone_minute) if sign else 0
    return None if day is None else _moment(day, int(hour), int(minute), int(second), None, offset)


def _us(match: re.Match[str], warnings: list[str]) -> int | None:
    month, day_of_month, year, hour, minute, second, fraction, half = match.groups()
    day = _day_of(int(year), int(month), int(day_of_month))
    if day is None or not 1 <= int(hour) <= 12:
        return None
    warnings.append("naive_timestamp")
    afternoon = 12 if half in "Pp" else 0
    return _moment(day, int(hour) % 12 + afternoon, int(minute), int(second or 0), fraction, 0)


def _moment(day: int, hour: int, minute: int, second: int, fraction: str | None, offset: int) -> int | None:
    if hour > 23 or minute > 59 or second > 60:  # 60: a leap second
        return None
    seconds = day * 86_400 + hour * 3_600 + minute * 60 + second - offset
    nanoseconds = int(fraction[:9].ljust(9, "0")) if fraction else 0
    return seconds * NANOSECONDS + nanoseconds


def _offset(sign: str, hours: str, minutes: str | None) -> int:
    seconds = int(hours) * 3_600 + int(minutes or 0) * 60
    return -seconds if sign == "-" else seconds


@lru_cache(maxsize=4096)
def _day(text: str) -> int | None:
    return _day_of(int(text[:4]), int(text[5:7]), int(text[8:10]))


def _day_of(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
