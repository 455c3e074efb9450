"""Bills of vendors, as they export them: what was billed on which day, for which model.

Read are OpenAI's costs (a page of the API, or the CSV and TSV export), Anthropic's cost report, and a plain CSV with
the columns `date,amount` and, if known, `model`, `currency`, `item`, `quantity`. Days are those of UTC, as the vendors
count them.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from llmmigrate.errors import InputError, Location
from llmmigrate.units import TokenClass

CENT: Final = Decimal("0.01")
"""Anthropic states amounts in the smallest unit of the currency (its documentation of the cost report)."""
_DAYS: Final = ("date", "day", "start_time_iso", "start_time", "starting_at", "usage_date")
_AMOUNTS: Final = ("amount", "amount_value", "cost", "cost_usd")
_MODELS: Final = ("model", "line_item")
_CURRENCIES: Final = ("currency", "amount_currency")
_ITEMS: Final = ("item", "token_type", "line_item")
_QUANTITIES: Final = ("quantity", "tokens")
_UNITS: Final = ("quantity_unit", "unit")
_TOKENS: Final = ("", "token", "tokens")
"""Units of a quantity that counts tokens; one of anything else is not looked at."""
_CLASSES: Final[dict[str, TokenClass]] = {
    "input": "input", "uncached input": "input", "cached input": "cache_read", "input cached": "cache_read",
    "cache read input": "cache_read", "cache read": "cache_read", "output": "output",
}  # fmt: skip
"""What vendors call a class of tokens, without the word tokens."""
_NUMBER: Final = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?", re.ASCII)
"""A number with a decimal point, with or without commas between thousands. All else could mean two amounts."""
_MOST: Final = 10**12
"""No line of a bill is of more USD or tokens."""
_BASIC_DATE: Final = len("20261101")
"""ISO 8601's basic form of a day, which is no number of seconds."""
_FIRST: Final = datetime(2015, 1, 1, tzinfo=UTC).timestamp()
_LAST: Final = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


class InvoiceLine(msgspec.Struct, frozen=True):
    """An amount for one day, and for one model where the bill names it."""

    day: date
    amount: Decimal
    model: str | None
    currency: str
    item: TokenClass | None = None
    """What was used of the model; None where the bill does not tell, or tells something else than these tokens."""
    tokens: Decimal | None = None
    """How many of them, where the bill says so."""


class Invoice(msgspec.Struct, frozen=True):
    """A bill: who sent it, None where the file does not tell, and its lines."""

    path: str
    vendor: str | None
    lines: tuple[InvoiceLine, ...]


def read_invoice(path: str) -> Invoice:
    """The bill in a file. InputError where it is none, names other currencies, or states no amount."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read the invoice {path}", why=getattr(error, "strerror", None) or str(error)
        ) from None
    if not text.strip():
        raise InputError(f"the invoice {path} is empty", fix="export the costs of the days that the log has")
    vendor, lines = _json(text, path) if text.lstrip()[:1] in ("{", "[") else (None, list(_table(text, path)))
    if vendor is None and lines and _has_columns(text, "amount_value"):
        vendor = "openai"
    if not lines:
        raise InputError(f"the invoice {path} states no amount", fix="export the costs of the days that the log has")
    return Invoice(path, vendor, tuple(lines))


def _json(text: str, path: str) -> tuple[str | None, list[InvoiceLine]]:
    """A page, several pages one a line, or a list of buckets."""
    try:
        pages = [(Location(path), json.loads(text, parse_float=Decimal))]
    except ValueError:
        rows = ((Location(path, number), line) for number, line in enumerate(text.splitlines(), 1))
        pages = [(where, _page(line, where)) for where, line in rows if line.strip()]
    _check_whole(*pages[-1])
    buckets = [(where, bucket) for where, page in pages for bucket in _buckets(page)]
    anthropic = any("starting_at" in bucket for _, bucket in buckets)
    unit = CENT if anthropic else Decimal(1)
    lines = [line for where, bucket in buckets for line in _bucket_lines(bucket, where, unit)]
    return ("anthropic" if anthropic else "openai"), lines


def _page(line: str, where: Location) -> Any:
    try:
        return json.loads(line, parse_float=Decimal)
    except ValueError as error:
        raise InputError(f"the invoice {where.path} is not JSON", where=where, why=str(error)) from None


def _check_whole(where: Location, page: Any) -> None:
    """InputError where the last page says that others follow: their costs would be missing without a word."""
    if isinstance(page, dict) and page.get("has_more"):
        raise InputError(
            f"the invoice {where.path} is not whole",
            where=where,
            why="its last page says has_more",
            fix="download all pages and write them one a line, the last one last",
        )


def _buckets(page: Any) -> list[dict[str, Any]]:
    held = page.get("data", [page]) if isinstance(page, dict) else page
    return [bucket for bucket in held if isinstance(bucket, dict)] if isinstance(held, list) else []


def _bucket_lines(bucket: Mapping[str, Any], where: Location, unit: Decimal) -> Iterator[InvoiceLine]:
    results = bucket.get("results") or []
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise InputError(f"the invoice {where.path} has results that are no costs", where=where, fix="export it again")
    for result in results:
        day = _day(bucket.get("starting_at", bucket.get("start_time")), where)
        amount = result.get("amount")
        held = amount if isinstance(amount, dict) else {"value": amount, "currency": result.get("currency")}
        named = _model(result.get("model") or result.get("line_item"))
        currency = _currency(held.get("currency"), where)
        billed = _amount(held.get("value"), where) * unit
        item = _item(result.get("token_type") or result.get("line_item"))
        tokens = _tokens(result.get("quantity"), result.get("quantity_unit"), where)
        yield InvoiceLine(day, billed, named, currency, item, tokens)


def _table(text: str, path: str) -> Iterator[InvoiceLine]:
    """CSV or TSV with a header."""
    first = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), delimiter="\t" if "\t" in first else ",")
    try:
        yield from _rows(rows, path, first)
    except csv.Error as error:
        raise InputError(
            f"the invoice {path} is no CSV", where=Location(path, rows.reader.line_num), why=str(error)
        ) from None


def _rows(rows: "csv.DictReader[str]", path: str, first: str) -> Iterator[InvoiceLine]:
    names = {name.strip().lower(): name for name in rows.fieldnames or []}
    day, amount = (_first(names, known) for known in (_DAYS, _AMOUNTS))
    if day is None or amount is None:
        raise InputError(
            f"the invoice {path} has no columns of days and amounts",
            where=Location(path, 1),
            why=f"its header is: {first.strip()[:80]}",
            fix="write a CSV with the columns date,amount and, if known, model",
        )
    model, currency = _first(names, _MODELS), _first(names, _CURRENCIES)
    item, quantity, counted = (_first(names, known) for known in (_ITEMS, _QUANTITIES, _UNITS))
    for row in rows:
        where = Location(path, rows.line_num)
        _check_width(row, where)
        if not (row[amount] or "").strip():
            continue  # exports write an empty row for a day without costs
        named = _model(row[model]) if model else None
        unit = _currency(row[currency] if currency else None, where)
        used = _item(row[item]) if item else None
        tokens = _tokens(row[quantity], row[counted] if counted else None, where) if quantity else None
        yield InvoiceLine(_day(row[day], where), _amount(row[amount], where), named, unit, used, tokens)


def _check_width(row: Mapping[Any, Any], where: Location) -> None:
    """InputError for a row with more cells than the header: `5,60` without quotes is two of them, and one an amount."""
    if any(cell.strip() for cell in row.get(None) or ()):
        raise InputError(
            f"the invoice {where.path} has a row with more cells than its header",
            where=where,
            fix="write amounts with a point, like 12.34, and what has commas in quotes",
        )


def _first(names: Mapping[str, str], known: Iterable[str]) -> str | None:
    return next((names[name] for name in known if name in names), None)


def _has_columns(text: str, name: str) -> bool:
    return name in text.partition("\n")[0].lower()


def _day(value: Any, where: Location) -> date:
    """The day in UTC of a date, a time or seconds since 1970. InputError for none, or for seconds of no bill's time."""
    text = str(value).strip()
    try:
        if text.isdecimal() and len(text) != _BASIC_DATE:
            return _day_of(int(text))
        parsed = datetime.fromisoformat(text)
        return (parsed.astimezone(UTC) if parsed.tzinfo else parsed).date()
    except (ValueError, OverflowError):
        raise InputError(
            f"the invoice {where.path} has a day that is none: {value!r}", where=where, fix="write it like 2026-10-01"
        ) from None


def _day_of(seconds: int) -> date:
    """ValueError before the first and after the last year of bills: other digits than seconds look like such times."""
    if not _FIRST <= seconds < _LAST:
        raise ValueError(seconds)
    return datetime.fromtimestamp(seconds, tz=UTC).date()


def _currency(value: Any, where: Location) -> str:
    """The currency of a line, USD where it names none. InputError for any other: nothing is converted."""
    named = str(value or "").strip().upper() or "USD"
    if named != "USD":
        raise InputError(f"the invoice {where.path} is in {named}", where=where, fix="give one in USD")
    return named


def _amount(value: Any, where: Location) -> Decimal:
    """An amount, which may have a dollar sign before it."""
    fix = "write it like 12.34 or 1,234.50: a point before the cents, commas only between thousands"
    return _number(value, where, what="an amount", fix=fix, sign="$")


def _number(value: Any, where: Location, *, what: str, fix: str, sign: str = "") -> Decimal:
    """A number. InputError for what is none, is too large, or could be two: `5,60` is 5.60 to some, 560 to others."""
    text = "" if isinstance(value, bool) else str(value).strip()
    minus = "-" if text.startswith("-") else ""
    digits = text.removeprefix(minus).removeprefix(sign)
    if _NUMBER.fullmatch(digits) is None:
        raise InputError(f"the invoice {where.path} has {what} that is none: {value!r}", where=where, fix=fix)
    number = Decimal(minus + digits.replace(",", ""))
    if abs(number) > _MOST:
        raise InputError(
            f"the invoice {where.path} has {what} beyond {_MOST:,}: {value!r}",
            where=where,
            fix="check its digits and its exponent; one line of a bill is never so much",
        )
    return number


def _model(value: Any) -> str | None:
    """The model of a line; OpenAI writes what was used of it behind a comma."""
    return value.partition(",")[0].strip() or None if isinstance(value, str) else None


def _item(value: Any) -> TokenClass | None:
    """The class of tokens that a line is about; OpenAI writes it behind the model and a comma."""
    if not isinstance(value, str):
        return None
    words = value.rpartition(",")[2].lower().replace("_", " ").removesuffix("tokens")
    return _CLASSES.get(" ".join(words.split()))


def _tokens(value: Any, unit: Any, where: Location) -> Decimal | None:
    """How many tokens a line is about. InputError for a quantity that is no number."""
    if value is None or value == "" or str(unit or "").strip().lower() not in _TOKENS:
        return None
    return _number(value, where, what="a quantity", fix="write the number of tokens, like 1500000")
