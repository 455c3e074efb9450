"""Prices laid out to be read: what `prices list`, `prices show` and `prices validate` answer."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.entries import Entry, Table
from llmmigrate.prices.periods import FOREVER, Period, Row, tier_rates
from llmmigrate.prices.validation import Problem
from llmmigrate.units import TokenClass

Key = TypeVar("Key", bound=str)


class TableLine(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's table."""

    provider: str
    name: str
    layer: str
    """own, imported or user: which of them is asked first."""
    models: int
    current: int
    """Models that have a price now and are not retired."""
    currency: str
    checked: str | None
    """The day on which the table was last compared with its sources."""
    age_days: int | None
    sha256: str


class PriceList(msgspec.Struct, frozen=True, kw_only=True):
    """All tables, or one of them with its models."""

    schema: Literal["llmmigrate.prices/1"] = "llmmigrate.prices/1"
    tables: list[TableLine]
    models: list["ModelLine"] = []


class ModelLine(msgspec.Struct, frozen=True, kw_only=True):
    """One model of a table at today's standard rates."""

    provider: str
    model: str
    current: bool
    currency: str
    input: str | None
    cache_read: str | None
    output: str | None
    context_window: int | None
    capability_tier: str | None


class SheetRow(msgspec.Struct, frozen=True, kw_only=True):
    """Rates under one condition and service tier."""

    when: str
    tier: str
    in_force: bool | None
    """Whether the condition holds at the time asked for; None where that depends on the call, such as its size."""
    per_mtok: dict[str, str]
    source: str


class SheetPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """One dated period of a model's price."""

    id: str
    start: str
    end: str | None
    source: str
    grade: str
    announced: bool
    note: str | None
    per_mtok: dict[str, str]
    """The base rates at the standard tier."""


class PriceSheet(msgspec.Struct, frozen=True, kw_only=True):
    """A model's price at a time."""

    schema: Literal["llmmigrate.price/1"] = "llmmigrate.price/1"
    provider: str
    model: str
    at: str
    currency: str
    layer: str
    checked: str | None
    table_sha256: str
    period: SheetPeriod | None
    """None: no price at that time."""
    rows: list[SheetRow]
    prompt_upto: int | None
    per_piece: dict[str, str]
    multiplier: str
    context_window: int | None
    max_output: int | None
    capability_tier: str | None
    tokenizer: str | None
    capabilities: list[str]
    retires: str | None
    history: list[SheetPeriod]


class ProblemLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to change or to know about a price file."""

    severity: str
    file: str
    line: int | None
    column: int | None
    what: str
    fix: str | None


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with price files."""

    schema: Literal["llmmigrate.prices-validation/1"] = "llmmigrate.prices-validation/1"
    files: int
    errors: int
    notes: int
    problems: list[ProblemLine]


def price_list(catalog: Catalog, now: int, provider: str | None = None) -> PriceList:
    """The tables, of one provider with its models."""
    current = set(catalog.current_models(now))
    tables = [table for table in catalog.tables.values() if provider in (None, table.provider)]
    lines = [_table_line(table, current, now) for table in tables]
    models = [_model_line(entry, entry in current, now) for table in tables for entry in table.entries.values()]
    return PriceList(tables=lines, models=models if provider else [])


def _table_line(table: Table, current: set[Entry], now: int) -> TableLine:
    today = datetime.fromtimestamp(now, UTC).date()
    age = (today - date.fromisoformat(table.checked[:10])).days if table.checked else None
    return TableLine(
        provider=table.provider,
        name=table.name,
        layer=table.layer,
        models=len(table.entries),
        current=len(current & set(table.entries.values())),
        currency=table.currency,
        checked=table.checked,
        age_days=age,
        sha256=table.sha256,
    )


def _model_line(entry: Entry, current: bool, now: int) -> ModelLine:
    period = entry.period_at(now)
    rates = _texts(period.rows[-1].rates) if period else {}
    return ModelLine(
        provider=entry.provider,
        model=entry.id,
        current=current,
        currency=(period or entry.periods[-1]).billing.currency,
        input=rates.get("input"),
        cache_read=rates.get("cache_read"),
        output=rates.get("output"),
        context_window=entry.context_window,
        capability_tier=entry.capability_tier,
    )


def price_sheet(catalog: Catalog, entry: Entry, at: int) -> PriceSheet:
    """Everything that the tables say of one model at `at` (epoch seconds)."""
    table, period = catalog.tables[entry.provider], entry.period_at(at)
    shown = period or entry.periods[-1]
    return PriceSheet(
        provider=entry.provider,
        model=entry.id,
        at=_instant(at),
        currency=shown.billing.currency,
        layer=table.layer,
        checked=table.checked,
        table_sha256=shown.billing.sha256,
        period=_period(period) if period else None,
        rows=list(_rows(period, at)) if period else [],
        prompt_upto=shown.prompt_upto,
        per_piece=_texts(shown.fees) if period else {},
        multiplier=_text(shown.billing.multiplier),
        context_window=entry.context_window,
        max_output=entry.max_output,
        capability_tier=entry.capability_tier,
        tokenizer=entry.tokenizer,
        capabilities=list(entry.capabilities),
        retires=_instant(entry.retires) if entry.retires is not None else None,
        history=[_period(item) for item in entry.periods],
    )


def _rows(period: Period, at: int) -> Iterator[SheetRow]:
    open_: bool | None = True  # whether a row is still asked for: None once an earlier one depends on the call
    for row in period.rows:
        holds = _both(open_, _holds(row, at))
        open_ = _both(open_, None if holds is None else not holds)
        yield _row(row, "standard", holds, row.rates, period.source)
        for name, tier in row.tiers.items():
            yield _row(row, name, holds, tier_rates(row.rates, tier), tier.source or period.source)
    if period.or_because:
        rates = {**period.rows[-1].rates, **period.or_rates}
        yield _row(period.rows[-1], "standard", None, rates, f"the dearer reading: {period.or_because}")


def _holds(row: Row, at: int) -> bool | None:
    """Whether the row's clock holds; None where the size of the call has a say, too."""
    clock = True if row.clock is None else row.clock.holds(at)
    return None if clock and max(row.prompt_above, row.output_above) >= 0 else clock


def _both(first: bool | None, second: bool | None) -> bool | None:
    """Whether both hold; None where that is not known."""
    if first is False or second is False:
        return False
    return None if first is None or second is None else True


def _row(row: Row, tier: str, holds: bool | None, rates: Mapping[TokenClass, Decimal], source: str) -> SheetRow:
    return SheetRow(when=row.words(), tier=tier, in_force=holds, per_mtok=_texts(rates), source=source)


def _period(period: Period) -> SheetPeriod:
    return SheetPeriod(
        id=period.name,
        start=_instant(period.start),
        end=_instant(period.end) if period.end != FOREVER else None,
        source=period.source,
        grade=period.source[:1],
        announced=period.announced,
        note=period.note,
        per_mtok=_texts(period.rows[-1].rates),
    )


def validation(files: int, problems: Iterable[Problem]) -> Validation:
    """The problems of so many files, errors first."""
    lines = [
        ProblemLine(
            severity=problem.severity,
            file=Path(problem.where.path).name,
            line=problem.where.line,
            column=problem.where.column,
            what=problem.what,
            fix=problem.fix,
        )
        for problem in sorted(problems, key=lambda item: item.severity)
    ]
    errors = sum(line.severity == "error" for line in lines)
    return Validation(files=files, errors=errors, notes=len(lines) - errors, problems=lines)


def _texts(numbers: Mapping[Key, Decimal]) -> dict[str, str]:
    return {name: _text(number) for name, number in numbers.items()}


def _text(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _instant(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat().replace("+00:00", "Z")
