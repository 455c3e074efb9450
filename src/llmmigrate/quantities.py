"""Quantities as people write them, in settings and flags: `12%`, `25 USD`, `2M`, `24 months`, `<= +5%`.

Each parser raises ValueError with words that say what to write instead. Numbers are exact: Decimal or int.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import Final, Literal, cast

import msgspec

_SIZES: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}
_MONTHS: Final = {"mo": 1, "month": 1, "months": 1, "y": 12, "year": 12, "years": 12}
_SECONDS: Final = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}
_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]?)", re.ASCII)
_AMOUNT: Final = re.compile(r"([0-9][0-9,]*(?:\.[0-9]+)?) ([A-Z]{3})", re.ASCII)
_SPAN: Final = re.compile(r"([0-9]+) ?([a-z]+)", re.ASCII)
_TIME: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([a-z]+)", re.ASCII)
_LIMIT: Final = re.compile(r"(<=|>=|<|>|==) ?([+-]?)([0-9]+(?:\.[0-9]+)?) ?(%|pt|x|ms|s|[A-Z]{3})?", re.ASCII)
_COMMAS: Final = re.compile(r"[0-9]{1,3}(,[0-9]{3})*(\.[0-9]+)?|[0-9]+(\.[0-9]+)?", re.ASCII)

Comparison = Literal["<=", ">=", "<", ">", "=="]


class Amount(msgspec.Struct, frozen=True):
    """A sum of money: `25 USD`."""

    value: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.value:,f} {self.currency}"


class Limit(msgspec.Struct, frozen=True):
    """What a measured value may be: `<= +5%`, `>= -5pt`, `<= 1.2x`, `< 200ms`, `0`.

    `change`: the number is meant against a baseline (it has a sign or is a factor `x`), else it is the value itself.
    `unit`: `%`, `pt` (percentage points), `x`, `ms`, `s`, a currency, or empty.
    """

    comparison: Comparison
    value: Decimal
    unit: str
    change: bool

    def __str__(self) -> str:
        sign = "+" if self.change and self.unit != "x" and self.value >= 0 else ""
        space = " " if self.unit.isupper() else ""  # a currency
        return f"{self.comparison} {sign}{self.value:f}{space}{self.unit}"


def share(text: str | int | float) -> Decimal:
    """A part of a whole as a fraction: `12%` and `0.12` are 0.12. A bare 1 or more could be either: refused."""
    written = str(text).strip()
    part = _decimal(written.removesuffix("%").strip(), f"'{written}' is no part of a whole", "12% or 0.12")
    if written.endswith("%"):
        return _between(part / 100, written)
    if part >= 1:
        raise ValueError(f"'{written}' is ambiguous: write {written}% or a fraction below 1")
    return _between(part, written)


def percent(text: str | int | float) -> Decimal:
    """A change or a yearly rate as a fraction, any sign and size: `-3%`, `150%`; the sign % is needed."""
    written = str(text).strip()
    if not written.endswith("%"):
        raise ValueError(f"'{written}' has no unit: write {written}%")
    return _decimal(written[:-1].strip(), f"'{written}' is no percentage", "3%") / 100


def amount(text: str | int | float) -> Amount:
    """Money with its currency: `25 USD`, `8,000.50 EUR`."""
    match = _AMOUNT.fullmatch(str(text).strip())
    if match is None or not _COMMAS.fullmatch(match[1]):
        raise ValueError(f"'{text}' is no amount of money: write it like 25 USD")
    return Amount(Decimal(match[1].replace(",", "")), match[2])


def size(text: str | int | float) -> int:
    """A whole number, long ones with k, M or G: `600`, `2M`, `1.5k`."""
    match = _SIZE.fullmatch(str(text).strip())
    scale = _SIZES.get(match[2].lower()) if match else None
    whole = Decimal(match[1]) * scale if match and scale is not None else None
    if whole is None or whole != whole.to_integral_value():
        raise ValueError(f"'{text}' is no whole number: write it like 600 or 2M")
    return int(whole)


def months(text: str | int | float) -> int:
    """A time span in months: `24 months`, `24mo`, `2 years`."""
    match = _SPAN.fullmatch(str(text).strip())
    if match is None or match[2] not in _MONTHS:
        raise ValueError(f"'{text}' is no time span: write it like 24 months")
    return int(match[1]) * _MONTHS[match[2]]


def seconds(text: str) -> float:
    """A short time in seconds: `30s`, `1.5 min`, `2h`."""
    match = _TIME.fullmatch(text.strip())
    if match is None or match[2] not in _SECONDS:
        raise ValueError(f"'{text}' is no time: write it like 30s or 2min")
    return float(Decimal(match[1]) * _SECONDS[match[2]])


def number(text: str | int | float) -> Decimal:
    """A plain number of zero or more."""
    found = _decimal(str(text).strip(), f"'{text}' is no number", "2.60")
    if found < 0:
        raise ValueError(f"'{text}' is below zero")
    return found


def limit(text: str | int | float) -> Limit:
    """A limit of a check or gate; a bare number is the most that is allowed."""
    written = str(text).strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", written, re.ASCII):
        return Limit("<=", Decimal(written), "", change=False)
    match = _LIMIT.fullmatch(written)
    if match is None:
        raise ValueError(f'\'{written}\' is no limit: write it like "<= +5%", ">= -5pt", "<= 1.2x" or 0')
    comparison, sign, digits, unit = match.groups()
    return Limit(cast(Comparison, comparison), Decimal(sign + digits), unit or "", change=bool(sign) or unit == "x")


def _decimal(text: str, what: str, example: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise ValueError(f"{what}: write it like {example}")
    return found


def _between(part: Decimal, written: str) -> Decimal:
    if not 0 <= part <= 1:
        raise ValueError(f"'{written}' is not between 0% and 100%")
    return part
