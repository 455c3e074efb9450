"""The pages of `prices list`, `prices show` and `prices validate`."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

import msgspec

from llmmigrate.prices.sheets import PriceList, PriceSheet, SheetPeriod, SheetRow, Validation
from llmmigrate.reports import Report, numbers
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table

CLASSES: Final = {
    "input": "Input",
    "cache_read": "Cached",
    "cache_write_5m": "Write 5m",
    "cache_write_1h": "Write 1h",
    "output": "Output",
    "input_audio": "Audio in",
    "output_audio": "Audio out",
    "reasoning": "Reasoning",
}
"""The columns of rates, in order; one that no row has is left out."""
GRADES: Final = {
    "A": "a vendor page or quote",
    "B": "two tables or a dated history",
    "C": "one table, a claim or memory",
}


def list_report(found: PriceList, *, next_step: str | None = None) -> Report:
    """The report of all tables, or of one table's models."""
    records = found.models or found.tables
    return Report(
        document=msgspec.to_builtins(found),
        page=list(_list_page(found, next_step)),
        records=[msgspec.to_builtins(record) for record in records],
    )


def _list_page(found: PriceList, next_step: str | None) -> Iterator[Block]:
    models = sum(line.models for line in found.tables)
    yield Paragraph(f"{numbers.count(models)} models in {_plural(len(found.tables), 'price table')}.", strong=True)
    yield _tables(found)
    if found.models:
        yield _models(found)
    if next_step:
        yield Command(next_step)


def _tables(found: PriceList) -> Table:
    columns = [
        Column("Provider"),
        Column("Layer", drop=2),
        Column("Models", "right"),
        Column("Current", "right", drop=1),
        Column("Checked", drop=4),
        Column("Days ago", "right"),
        Column("Currency", drop=3),
    ]
    rows = [
        [
            line.provider,
            line.layer,
            numbers.count(line.models),
            numbers.count(line.current),
            line.checked or numbers.MISSING,
            numbers.count(line.age_days),
            line.currency,
        ]
        for line in found.tables
    ]
    return Table(columns=columns, rows=rows)


def _models(found: PriceList) -> Table:
    columns = [
        Column("Model"),
        Column("Input", "right"),
        Column("Cached", "right", drop=3),
        Column("Output", "right"),
        Column("Context", "right", drop=2),
        Column("Tier", drop=1),
        Column("", drop=4),
    ]
    rows = [
        [
            line.model,
            _rate(line.input),
            _rate(line.cache_read),
            _rate(line.output),
            numbers.count(line.context_window),
            line.capability_tier or numbers.MISSING,
            "" if line.current else "not current",
        ]
        for line in found.models
    ]
    currency = found.tables[0].currency if found.tables else ""
    return Table(columns=columns, rows=rows, title=f"{currency} per 1M tokens, standard tier, lowest band, off-peak")


def show_report(sheet: PriceSheet, *, explain: bool, next_step: str | None = None) -> Report:
    """The report of one model's price at a time; `explain` adds sources and history."""
    return Report(
        document=msgspec.to_builtins(sheet),
        page=list(_show_page(sheet, explain, next_step)),
        records=[_record(sheet, row) for row in sheet.rows],
    )


def _show_page(sheet: PriceSheet, explain: bool, next_step: str | None) -> Iterator[Block]:
    name = f"{sheet.provider}/{sheet.model}"
    if sheet.period is None:
        yield Paragraph(f"{name} has no price at {sheet.at}.", strong=True)
        yield _history(sheet)
    else:
        yield Paragraph(f"{name} at {sheet.at}: {_headline(sheet)}.", strong=True)
        yield _rates(sheet)
        yield from _footnotes(sheet, sheet.period)
    if explain and sheet.period:
        yield _explanation(sheet, sheet.period)
        yield _history(sheet)
    if next_step:
        yield Command(next_step)


def _headline(sheet: PriceSheet) -> str:
    """The standard rates in force, in words; several where they depend on the call."""
    standard = [row for row in sheet.rows if row.tier == "standard" and row.in_force is not False]
    first = standard[0] if standard and standard[0].in_force else standard[-1]
    rates = [f"{_rate(first.per_mtok.get(key))} {key}" for key in ("input", "output") if key in first.per_mtok]
    return f"{', '.join(rates)} {sheet.currency} per 1M tokens"


def _rates(sheet: PriceSheet) -> Table:
    shown = [key for key in CLASSES if any(_differs(row, key) for row in sheet.rows)]
    columns = [Column("When"), Column("Tier"), Column("Now", drop=9)]
    columns += [Column(CLASSES[key], "right", drop=_drop(key)) for key in shown]
    words = {True: "yes", False: "no", None: "by call"}
    rows = [
        [row.when, row.tier, words[row.in_force], *(_rate(row.per_mtok.get(key)) for key in shown)]
        for row in sheet.rows
    ]
    return Table(columns=columns, rows=rows, title=f"{sheet.currency} per 1M tokens")


def _differs(row: SheetRow, key: str) -> bool:
    """Reasoning is billed as output unless a table says otherwise: its own column would only repeat."""
    return key in row.per_mtok and (key != "reasoning" or row.per_mtok[key] != row.per_mtok.get("output"))


def _drop(key: str) -> int | None:
    return None if key in ("input", "output") else 1 + list(CLASSES)[::-1].index(key)


def _footnotes(sheet: PriceSheet, period: SheetPeriod) -> Iterator[Block]:
    if sheet.prompt_upto is not None:
        yield Paragraph(f"A prompt above {numbers.count(sheet.prompt_upto)} tokens has no price.", kind="note")
    if sheet.per_piece:
        fees = ", ".join(f"{_rate(fee)} a {name}" for name, fee in sheet.per_piece.items())
        yield Paragraph(f"Besides: {fees} ({sheet.currency}).")
    if sheet.multiplier != "1":
        yield Paragraph(f"The whole bill is multiplied by {sheet.multiplier}.")
    until = f" until {period.end}" if period.end else ""
    announced = ", announced before" if period.announced else ""
    grade = GRADES.get(period.grade, "")
    yield Paragraph(f"In force since {period.start}{until}{announced}. Grade {period.grade}: {grade}.")


def _explanation(sheet: PriceSheet, period: SheetPeriod) -> Bullets:
    facts = [
        f"period {period.id}, source {period.source}",
        f"note: {period.note}" if period.note else "",
        *(f"tier {row.tier}: source {row.source}" for row in sheet.rows if row.source != period.source),
        f"table {sheet.provider} ({sheet.layer}), checked {sheet.checked or 'never'}, sha256 {sheet.table_sha256}",
        f"context window {numbers.count(sheet.context_window)}, at most {numbers.count(sheet.max_output)} of output",
        f"tokenizer {sheet.tokenizer}" if sheet.tokenizer else "",
        f"capabilities: {', '.join(sheet.capabilities)}" if sheet.capabilities else "",
        f"no candidate from {sheet.retires} on" if sheet.retires else "",
    ]
    return Bullets("Why:", [fact for fact in facts if fact])


def _history(sheet: PriceSheet) -> Table:
    columns = [
        Column("From"),
        Column("To", drop=1),
        Column("Input", "right"),
        Column("Cached", "right", drop=2),
        Column("Output", "right"),
        Column("Grade"),
    ]
    keys = ("input", "cache_read", "output")
    rows = [
        [item.start, item.end or "", *(_rate(item.per_mtok.get(key)) for key in keys), item.grade]
        for item in sheet.history
    ]
    return Table(columns=columns, rows=rows, title="All periods, base rates")


def _record(sheet: PriceSheet, row: SheetRow) -> dict[str, str | bool | None]:
    return {
        "provider": sheet.provider,
        "model": sheet.model,
        "at": sheet.at,
        "when": row.when,
        "tier": row.tier,
        "in_force": row.in_force,
        "currency": sheet.currency,
        **{key: row.per_mtok.get(key) for key in CLASSES},
    }


def validation_report(found: Validation) -> Report:
    """The report of what is wrong with price files."""
    return Report(
        document=msgspec.to_builtins(found),
        page=list(_validation_page(found)),
        records=[msgspec.to_builtins(problem) for problem in found.problems],
    )


def _validation_page(found: Validation) -> Iterator[Block]:
    files = _plural(found.files, "price table")
    answer = f"{files}: {_plural(found.errors, 'error')}" if found.errors else f"{files}, no errors"
    yield Paragraph(f"{answer}, {_plural(found.notes, 'note')}.", strong=True)
    for severity, title in (("error", "To change:"), ("note", "To know:")):
        items = list(_problems(found, severity))
        if items:
            yield Bullets(title, items)


def _problems(found: Validation, severity: str) -> Iterable[str]:
    for problem in found.problems:
        if problem.severity == severity:
            place = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part is not None)
            yield f"{place}: {problem.what}" + (f" (fix: {problem.fix})" if problem.fix else "")


def _plural(number: int, noun: str) -> str:
    return f"{numbers.count(number)} {noun}{'' if number == 1 else 's'}"


def _rate(text: str | None) -> str:
    return numbers.rate(Decimal(text) if text is not None else None)
