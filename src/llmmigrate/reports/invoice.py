"""A vendor's bill beside an analysis: the difference, the days and models where it lies, and why."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from llmmigrate.costing.results import InvoiceLineResult, InvoiceReason, InvoiceResult
from llmmigrate.reports import numbers
from llmmigrate.reports.tables import Block, Bullets, Column, Paragraph, Table

LINES_SHOWN: Final = 20
WORDS: Final = {
    "usage_missing": "calls without usage: what they cost is in no recomputed total",
    "unpriced_calls": "calls without a price",
    "service_tier": "another service tier than the log states",
    "cache": "the log's cached tokens were billed in full",
    "rates": "other rates than those of the price tables",
    "rates_and_tokens": "other rates than those of the price tables, and other calls than those of the log",
    "tokens": "other numbers of tokens than the log has, at the same rates",
    "partial_day": "the log begins or ends within the day",
    "calls_not_in_log": "billed models that the log has no calls of",
    "day_not_in_log": "billed days that the log does not have",
    "not_billed": "calls of days or models that are on no line of the bill",
    "unexplained": "calls that are not in the log, or other rates: the log does not tell",
    "equal": "equal but for rounding",
}


def invoice_blocks(result: InvoiceResult) -> Iterator[Block]:
    """The sentence, the lines that differ, and the differences by reason."""
    billed, recomputed = (numbers.money(Decimal(amount)) for amount in (result.billed, result.recomputed))
    difference = numbers.signed_money(Decimal(result.difference))
    logged = "" if result.logged is None else f", {numbers.money(Decimal(result.logged))} by the log's own costs"
    yield Paragraph(
        f"Billed {billed} {result.currency} on the days of the log, recomputed {recomputed} ({difference}){logged}.",
        strong=True,
    )
    odd = [line for line in result.lines if line.reason != "equal"]
    if odd:
        yield _table(odd)
    yield Bullets("Billed less recomputed, by reason:", [_reason(entry) for entry in result.reasons])


def _table(lines: list[InvoiceLineResult]) -> Table:
    """The lines with the largest differences; what the log states as costs has a column where it states any."""
    stated = any(line.logged is not None for line in lines)
    columns = [
        Column("Day"),
        Column("Model"),
        Column("Billed", "right"),
        Column("Recomputed", "right"),
        *([Column("Logged", "right", drop=2)] if stated else []),
        Column("Difference", "right"),
        Column("Why", drop=1),
    ]
    largest = sorted(lines, key=lambda line: -abs(Decimal(line.difference)))[:LINES_SHOWN]
    rows = [_row(line, stated=stated) for line in sorted(largest, key=lambda line: (line.day, line.model or ""))]
    if len(lines) > LINES_SHOWN:
        rows.append([f"… {len(lines) - LINES_SHOWN} more", *[""] * (len(columns) - 1)])
    return Table(columns=columns, rows=rows)


def _row(line: InvoiceLineResult, *, stated: bool) -> list[str]:
    told = [line.billed, line.recomputed, *([line.logged] if stated else [])]
    amounts = [None if amount is None else Decimal(amount) for amount in told]
    why = line.detail or line.reason.replace("_", " ")
    return [line.day, line.model or "all", *(numbers.money(amount) for amount in amounts),
            numbers.signed_money(Decimal(line.difference)), why]  # fmt: skip


def _reason(entry: InvoiceReason) -> str:
    amount = numbers.signed_money(Decimal(entry.difference), "USD")
    return f"{amount}, {numbers.counted(entry.lines, 'line')}: {WORDS[entry.reason]}"
