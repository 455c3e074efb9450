"""Bills of vendors, as they export them: what was billed on which day, for which model.

Read are OpenAI's costs (a page of the API, or the CSV and TSV export), Anthropic's cost report, and a plain CSV with
the columns `date,amount` and, if known, `model` and `currency`. Days are those of UTC, as the vendors count them.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import msgspec

from llmmigrate.errors import InputError, Location

CENT: Final = Decimal("0.01")
"""Anthropic states amounts in the smallest unit of the currency (its documentation of the cost report)."""
_DAYS: Final = ("date", "day", "start_time_iso", "start_time", "starting_at", "usage_date")
_AMOUNTS: Final = ("amount", "amount_value", "cost", "cost_usd")
_MODELS: Final = ("model", "line_item")
_CURRENCIES: Final = ("currency", "amount_currency")


class InvoiceLine(msgspec.Struct, frozen=True):
    """An amount for one day, and for one model where the bill names it."""

    day: date
    amount: Decimal
    model: str | None
    currency: str


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
    currencies = sorted({line.currency for line in lines})
    if currencies != ["USD"]:
        raise InputError(f"the invoice {path} is in {', '.join(currencies)}", fix="give one in USD")
    return Invoice(path, vendor, tuple(lines))


def _json(text: str, path: str) -> tuple[str | None, list[InvoiceLine]]:
    """A page, several pages one a line, or a list of buckets."""
    try:
        pages = [json.loads(text, parse_float=Decimal)]
    except ValueError:
        pages = [_page(line, number, path) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    buckets = [bucket for page in pages for bucket in _buckets(page)]
    anthropic = any("starting_at" in bucket for bucket in buckets)
    lines = [line for bucket in buckets for line in _bucket_lines(bucket, path, CENT if anthropic else Decimal(1))]
    return ("anthropic" if anthropic else "openai"), lines


def _page(line: str, number: int, path: str) -> Any:
    try:
        return json.loads(line, parse_float=Decimal)
    except ValueError as error:
        raise InputError(f"the invoice {path} is not JSON", where=Location(path, number), why=str(error)) from None


def _buckets(page: Any) -> list[dict[str, Any]]:
    held = page.get("data", [page]) if isinstance(page, dict) else page
    return [bucket for bucket in held if isinstance(bucket, dict)] if isinstance(held, list) else []


def _bucket_lines(bucket: Mapping[str, Any], path: str, unit: Decimal) -> Iterator[InvoiceLine]:
    results = bucket.get("results") or []
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise InputError(f"the invoice {path} has results that are no costs", fix="export it again")
    for result in results:
        day = _day(bucket.get("starting_at", bucket.get("start_time")), path)
        amount = result.get("amount")
        held = amount if isinstance(amount, dict) else {"value": amount, "currency": result.get("currency")}
        named = _model(result.get("model") or result.get("line_item"))
        currency = str(held.get("currency") or "USD").upper()
        yield InvoiceLine(day, _amount(held.get("value"), path) * unit, named, currency)


def _table(text: str, path: str) -> Iterator[InvoiceLine]:
    """CSV or TSV with a header."""
    first = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), delimiter="\t" if "\t" in first else ",")
    names = {name.strip().lower(): name for name in rows.fieldnames or []}
    day, amount = (_first(names, known) for known in (_DAYS, _AMOUNTS))
    if day is None or amount is None:
        raise InputError(
            f"the invoice {path} has no columns of days and amounts",
            why=f"its header is: {first.strip()[:80]}",
            fix="write a CSV with the columns date,amount and, if known, model",
        )
    model, currency = _first(names, _MODELS), _first(names, _CURRENCIES)
    for row in rows:
        if not (row[amount] or "").strip():
            continue  # exports write an empty row for a day without costs
        named = _model(row[model]) if model else None
        unit = (row[currency] or "USD").upper() if currency else "USD"
        yield InvoiceLine(_day(row[day], path), _amount(row[amount], path), named, unit)


def _first(names: Mapping[str, str], known: Iterable[str]) -> str | None:
    return next((names[name] for name in known if name in names), None)


def _has_columns(text: str, name: str) -> bool:
    return name in text.partition("\n")[0].lower()


def _day(value: Any, path: str) -> date:
    try:
        if isinstance(value, int) or (isinstance(value, str) and value.strip().isdecimal()):
            return datetime.fromtimestamp(int(value), tz=UTC).date()
        parsed = datetime.fromisoformat(str(value).strip())
    except (ValueError, OverflowError, OSError):
        raise InputError(
            f"the invoice {path} has a day that is none: {value!r}", fix="write it like 2026-10-01"
        ) from None
    return (parsed.astimezone(UTC) if parsed.tzinfo else parsed).date()


def _amount(value: Any, path: str) -> Decimal:
    try:
        found = Decimal(str(value).strip().replace(",", "").removeprefix("$"))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise InputError(f"the invoice {path} has an amount that is none: {value!r}", fix="write it like 12.34")
    return found


def _model(value: Any) -> str | None:
    """The model of a line; OpenAI writes what was used of it behind a comma."""
    return value.partition(",")[0].strip() or None if isinstance(value, str) else None
