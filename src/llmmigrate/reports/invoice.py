"""A vendor's bill beside an analysis: the difference, the days and models where it lies, and why."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from llmmigrate.costing.invoice_results import InvoiceLineResult, InvoiceReason, InvoiceResult
from llmmigrate.reports import numbers
from llmmigrate.reports.tables import Block, Bullets, Column, Paragraph, Table

LINES_SHOWN: Final = 20
WORDS: Final = {
    "usage_missing": "calls without usage: what they cost is in no recomputed total",
    "unpriced_calls": "calls without a price",
    "service_tier": "another service tier than the log states",
    "cache": "the log's cached tokens were billed in full",
    "rates": "other rates than those of the price tables",
    "rates_and_tokens": "other rates than those of the price tables, which make a part of it",
    "tokens": "other numbers of tokens than the log has, at the same rates",
    "undated_calls": "the log's calls without a time may be of the day",
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
    head = f"Billed {billed} {result.currency} on the days of the log, recomputed {recomputed} ({difference})"
    yield Paragraph(
        f"{head}{_logged_words(result)}.",
        strong=True,
    )
    if result.undated_calls:
        yield Paragraph(_undated_words(result), kind="note")
    odd = [line for line in result.lines if line.reason != "equal"]
    if odd:
        yield _table(odd)
    yield Bullets("Billed less recomputed, by reason:", [_reason(entry) for entry in result.reasons])


def _logged_words(result: InvoiceResult) -> str:
    """What the log's own costs add up to, and of how many calls where it is not all."""
    if result.logged is None:
        return ""
    logged = numbers.money(Decimal(result.logged))
    if result.logged_calls == result.calls:
        return f", {logged} by the log's own costs"
    return f", {logged} stated for {result.logged_calls:,} of {numbers.counted(result.calls, 'call')}"


def _undated_words(result: InvoiceResult) -> str:
    """What the calls without a time cost, as far as it is known: no day's recomputed cost has it."""
    calls, unknown = result.undated_calls, result.undated_unknown
    one = calls == 1
    cost = f"{'costs' if one else 'cost'} {numbers.money(Decimal(result.undated_cost), result.currency)}"
    if unknown == calls:
        cost = f"{'has' if one else 'have'} no usage or price"
    elif unknown:
        cost += f" ({unknown:,} of them {'has' if unknown == 1 else 'have'} no usage or price)"
    return f"{numbers.counted(calls, 'call')} without a time {cost} and may belong to any of these days."


def _logged(line: InvoiceLineResult) -> str:
    logged = numbers.money(None if line.logged is None else Decimal(line.logged))
    return f"{logged} ({line.logged_calls:,}/{line.calls:,})" if 0 < line.logged_calls < line.calls else logged


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
    amounts = [None if amount is None else Decimal(amount) for amount in (line.billed, line.recomputed)]
    why = line.detail or line.reason.replace("_", " ")
    return [line.day, line.model or "all", *(numbers.money(amount) for amount in amounts),
            *([_logged(line)] if stated else []), numbers.signed_money(Decimal(line.difference)), why]  # fmt: skip


def _reason(entry: InvoiceReason) -> str:
    amount = numbers.signed_money(Decimal(entry.difference), "USD")
    return f"{amount}, {numbers.counted(entry.lines, 'line')}: {WORDS[entry.reason]}"
