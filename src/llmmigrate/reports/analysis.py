"""The page of `analyze`: what was spent, the table, what became of every line, one next step."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from llmmigrate.costing.results import (
    Analysis,
    CostDifference,
    Coverage,
    Group,
    LineCounts,
    Notice,
    PricesUsed,
    Reconciliation,
    Reject,
    Totals,
    UnpricedCalls,
)
from llmmigrate.reports import Report, numbers
from llmmigrate.reports.invoice import invoice_blocks
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table

UNPRICED_SHOWN: Final = 8
NO_VALUE: Final = "(none)"


def report(analysis: Analysis, *, next_step: str | None = None, group_limit: int = 40) -> Report:
    """The report of an analysis."""
    return Report(document=msgspec.to_builtins(analysis), page=list(_page(analysis, next_step, group_limit)),
                  records=[_record(group) for group in analysis.groups])  # fmt: skip


def _page(analysis: Analysis, next_step: str | None, group_limit: int) -> Iterator[Block]:
    yield Paragraph(headline(analysis), strong=True)
    yield _groups(analysis, group_limit)
    if not isinstance(analysis.invoice, UnsetType):
        yield from invoice_blocks(analysis.invoice)
    projection = projection_words(analysis)
    if projection:
        yield Paragraph(projection)
    yield Paragraph(lines_words(analysis.lines))
    yield from coverage_words(analysis.coverage, analysis.total)
    if analysis.reconciliation is not None:
        yield from reconciliation_words(analysis.reconciliation)
    if analysis.unpriced:
        yield unpriced_bullets(analysis.unpriced)
    yield from rejects_words(analysis)
    yield from notices(analysis.warnings, said=LISTED if analysis.reconciliation else frozenset())
    yield Paragraph(prices_words(analysis))
    if next_step:
        yield Command(next_step)


def headline(analysis: Analysis) -> str:
    """Line 1: what was spent, in how long, how much of it is known, and what the log itself says."""
    total = analysis.total
    if isinstance(total.cost, UnsetType):
        tokens = f"{numbers.count(total.input_tokens)} input and {numbers.count(total.output_tokens)} output tokens"
        calls = numbers.count(total.calls)
        return f"Cost unknown: none of the {calls} calls has a price ({tokens}{_in_days(analysis)})."
    parts = [f"Spent {_cost(total)} {total.currency}{_in_days(analysis)}"]
    if analysis.coverage.priced_token_share is not None:
        parts.append(f"{numbers.share(analysis.coverage.priced_token_share)} of tokens priced")
    said = _logged_words(total)
    return "; ".join([*parts, said] if said else parts) + "."


def _in_days(analysis: Analysis) -> str:
    return f" in {numbers.days(analysis.span.days)}" if analysis.span.days else ""


def _logged_words(total: Totals) -> str | None:
    """What the log states. A difference in per cent only where it states a cost for every priced call."""
    if isinstance(total.logged_cost, UnsetType) or isinstance(total.cost, UnsetType):
        return None
    logged, cost = Decimal(total.logged_cost), Decimal(total.cost)
    if total.logged_calls == total.calls and cost and total.priced_calls == total.calls:
        return f"your log says {numbers.money(logged)} ({numbers.signed_share(logged / cost - 1)})"
    return f"your log states {numbers.money(logged)} for {numbers.counted(int(total.logged_calls or 0), 'call')}"


def _cost(total: Totals) -> str:
    if not isinstance(total.cost_low, UnsetType) and not isinstance(total.cost_high, UnsetType):
        return f"{numbers.money(Decimal(total.cost_low))} … {numbers.money(Decimal(total.cost_high))}"
    return numbers.money(_decimal(total.cost))


def _decimal(text: str | UnsetType | None) -> Decimal | None:
    return None if text is None or isinstance(text, UnsetType) else Decimal(text)


def _groups(analysis: Analysis, limit: int) -> Table:
    names = [Column(_title(name)) for name in analysis.by]
    currency = "USD" if isinstance(analysis.total.currency, UnsetType) else analysis.total.currency
    columns = [
        *names,
        Column("Calls", "right", drop=6),
        Column("Errors", "right", drop=3),
        Column("Input", "right", drop=5),
        Column("Cached", "right", drop=1),
        Column("Output", "right", drop=4),
        Column("p95", "right", drop=2),
        Column(currency, "right"),
        Column(f"{currency}/month", "right", drop=7),
    ]
    shown = analysis.groups[:limit]
    rows = [[*_key(group, analysis.by), *_cells(group)] for group in shown]
    if len(analysis.groups) > limit:
        more = f"… {len(analysis.groups) - limit} more"
        rows.append([more, *[""] * (len(columns) - 1)])
    footer = ["Total", *[""] * (len(names) - 1), *_cells(analysis.total)]
    return Table(columns=columns, rows=rows, footer=[footer])


def _title(name: str) -> str:
    return name.removeprefix("tag.").replace("_", " ").capitalize()


def _key(group: Group, by: list[str]) -> list[str]:
    return [NO_VALUE if group.key[name] in (None, "") else str(group.key[name]) for name in by]


def _cells(total: Totals) -> list[str]:
    cached = total.cached_input_tokens / total.input_tokens if total.input_tokens else None
    p95 = None if isinstance(total.latency_ms, UnsetType) else total.latency_ms.p95
    month = None if isinstance(total.month, UnsetType) else _decimal(total.month.cost)
    cost = "unknown" if isinstance(total.cost, UnsetType) and total.unpriced_calls else _cost(total)
    return [
        numbers.count(total.calls),
        numbers.count(total.errors),
        numbers.count(total.input_tokens),
        numbers.share(cached),
        numbers.count(total.output_tokens),
        numbers.milliseconds(p95),
        cost,
        numbers.money(month),
    ]


def projection_words(analysis: Analysis) -> str | None:
    """The projected month and year, or why there is none."""
    projection = analysis.projection
    if isinstance(analysis.total.currency, UnsetType):
        return None
    currency = analysis.total.currency
    rate = _decimal(projection.rate_per_day)
    per_day = f"{numbers.money(rate)} {currency} a day" if rate is not None else None
    month, year = projection.month, projection.year
    if month.cost is None:
        return f"{per_day}: {projection.why}" if per_day else projection.why
    words = f"A month at this rate: {numbers.money(_decimal(month.cost))} {currency}"
    if month.low is not None:
        words += f" ({numbers.money(_decimal(month.low))} … {numbers.money(_decimal(month.high))}, 95 % prediction)"
    words += f"; a year: {numbers.money(_decimal(year.cost))} {currency}"
    return f"{words}. {_sentence(projection.why)}" if projection.why else f"{words}."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def lines_words(lines: LineCounts) -> str:
    """The accounting identity in words."""
    parts = [
        (lines.calls, "call"), (lines.blank, "blank"), (lines.rejected, "rejected"),
        (lines.duplicates, "duplicate"), (lines.other, "other"),
    ]  # fmt: skip
    nouns = ("call", "duplicate")
    words = " + ".join(
        numbers.counted(n, name) if name in nouns else f"{numbers.count(n)} {name}"
        for n, name in parts
        if n or name == "call"
    )
    filtered = f"; {numbers.counted(lines.filtered, 'call')} filtered out" if lines.filtered else ""
    return f"{numbers.counted(lines.total, 'record')} = {words}{filtered}"


def coverage_words(coverage: Coverage, total: Totals) -> Iterator[Block]:
    """What the cost does not speak for, and what failures cost."""
    if coverage.usage_missing:
        calls = numbers.counted(coverage.usage_missing, "call")
        yield Paragraph(f"{calls} without usage: what they cost is not known and in no total.", kind="warning")
    if not isinstance(total.failed_cost, UnsetType) and total.errors:
        cost = f"{numbers.money(Decimal(total.failed_cost))} {total.currency}"
        yield Paragraph(
            f"{numbers.counted(total.errors, 'failed call')}; cost of those that were possibly billed: {cost}"
        )


REASONS: Final = {
    "rates_of_another_period": "the log used the rates of {detail}",
    "rates_of_another_model": "the log used the rates of {detail}",
    "cache_not_in_log": "fits prompt caching that the log does not tell",
    "cache_counted_twice": "fits cached reads counted on top of the whole input",
    "fees_not_in_log": "fits without what is billed by the piece, such as searches",
    "logged_as_free": "the log says 0",
    "cost_outlier": "above 10 times the recomputed cost",
    "unexplained": "not explained",
}


def reconciliation_words(found: Reconciliation) -> Iterator[Block]:
    """How many stated costs equal the recomputed ones, and what explains the others."""
    yield Paragraph(
        f"Stated costs: {numbers.count(found.equal)} of {numbers.count(found.compared)} equal the recomputed cost"
        " within 1e-9 USD"
    )
    if found.differing:
        items = [_difference_item(entry) for entry in found.differing[:UNPRICED_SHOWN]]
        if len(found.differing) > UNPRICED_SHOWN:
            items.append(f"{len(found.differing) - UNPRICED_SHOWN} more kinds (all of them: --format json)")
        yield Bullets("Stated costs that differ:", items)


def _difference_item(entry: CostDifference) -> str:
    why = REASONS.get(entry.reason, entry.reason).format(detail=entry.detail)
    stated, own = numbers.money(Decimal(entry.logged_cost)), numbers.money(Decimal(entry.recomputed_cost))
    calls = f"{numbers.counted(entry.calls, 'call')}, {entry.model}"
    return f"{calls}: stated {stated}, recomputed {own}; {why} ({entry.first[0]})"


def unpriced_bullets(unpriced: list[UnpricedCalls]) -> Bullets:
    """The unpriced calls by model and reason, the most tokens first."""
    items = [_unpriced_item(entry) for entry in unpriced[:UNPRICED_SHOWN]]
    if len(unpriced) > UNPRICED_SHOWN:
        rest = numbers.counted(sum(entry.calls for entry in unpriced[UNPRICED_SHOWN:]), "call")
        items.append(f"{rest} of {len(unpriced) - UNPRICED_SHOWN} more (all of them: --format json)")
    return Bullets("Unpriced, in no total of cost:", items)


def _unpriced_item(entry: UnpricedCalls) -> str:
    name = entry.model or "(no model)"
    where = f" of {entry.provider}" if entry.provider else ""
    near = f"; did you mean {', '.join(entry.nearest[:2])}?" if entry.nearest else ""
    why = entry.reason.replace("_", " ")
    return f"{numbers.counted(entry.calls, 'call')}, {name}{where}: {why}{near}"


def rejects_words(analysis: Analysis) -> Iterator[Block]:
    """Rejected records by reason with their first places."""
    if analysis.rejects:
        yield Bullets("Rejected:", [_reject_item(reject) for reject in analysis.rejects])


def _reject_item(reject: Reject) -> str:
    return f"{numbers.count(reject.count)} {reject.reason.replace('_', ' ')}: {', '.join(reject.first)}"


LISTED: Final = frozenset(("logged_cost_outlier",))
"""Told by the list of stated costs that differ."""
SAID_ELSEWHERE: Final = frozenset(("usage_missing", "unpriced_model", "failed_calls", "possible_billed_failure"))


def notices(warnings: list[Notice], *, said: frozenset[str] = frozenset()) -> Iterator[Block]:
    """Warnings that the page does not already tell."""
    for warning in warnings:
        if warning.code not in SAID_ELSEWHERE | said:
            fix = f" ({warning.fix})" if warning.fix else ""
            yield Paragraph(f"{warning.message}{fix}", kind="note")


def prices_words(analysis: Analysis) -> str:
    """Which tables the rates come from and how old they are."""
    tables = analysis.prices.tables
    if not tables:
        return "No price table applied."
    words = ", ".join(
        t.provider if t.checked is None else f"{t.provider} checked {t.checked} ({t.age_days} days ago)" for t in tables
    )
    assumed = analysis.prices.assumptions
    codes = "; ".join(
        f"{ASSUMED.get(code, code.replace('_', ' '))}: {numbers.counted(n, 'call')}" for code, n in assumed.items()
    )
    exchanged = exchange_words(analysis.prices)
    return f"Prices: {words}." + (f" {exchanged}" if exchanged else "") + (f" Assumed: {codes}." if codes else "")


def exchange_words(prices: PricesUsed) -> str | None:
    """The dated rates at which prices of another currency were converted; None where none was."""
    rates = dict.fromkeys(table.exchange for table in prices.tables if table.exchange is not None)
    return f"Converted at {'; '.join(rates)}." if rates else None


ASSUMED: Final = {
    "priced_as_of": "rates of today or of --as-of, since none is known for the date",
    "after_last_period": "the last known rates, since the date is later than now",
    "announced": "rates that the vendor announced",
    "clock_unknown": "peak and off-peak both possible, since the time is not known",
    "calendar_not_covered": "peak and off-peak both possible, since the calendar does not cover the year",
    "thinking_rate_unknown": "two readings of the thinking rate",
}


def _record(group: Group) -> dict[str, Any]:
    found: dict[str, Any] = dict(group.key)
    for name in group.__struct_fields__:
        value = getattr(group, name)
        if isinstance(value, str | int | float) or value is None:
            found[name] = value
        elif value is UNSET:
            found[name] = None
    if not isinstance(group.latency_ms, UnsetType):
        found |= {f"latency_{name}_ms": getattr(group.latency_ms, name) for name in ("p50", "p90", "p95", "p99")}
    return found
