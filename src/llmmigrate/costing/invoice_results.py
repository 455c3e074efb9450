"""What `analyze --invoice` prints: a part of the JSON contract `llmmigrate.analysis/1`."""

from llmmigrate.costing.records import Money, Record


class InvoiceRate(Record, frozen=True, kw_only=True):
    """A rate on a bill that is not the table's: both in USD per 1M tokens, and what that makes in `difference`."""

    token_class: str
    billed: Money
    table: Money
    difference: Money


class InvoiceLineResult(Record, frozen=True, kw_only=True):
    """One day (and model) of a bill against the log; `difference` is billed less recomputed.

    `logged` is what `logged_calls` of the `calls` state as their cost; None where none does.

    `reason`: equal, usage_missing, unpriced_calls, service_tier, cache, rates, rates_and_tokens, undated_calls,
    partial_day, tokens, calls_not_in_log, day_not_in_log, not_billed or unexplained.
    """

    day: str
    model: str | None
    billed: Money | None
    recomputed: Money | None
    logged: Money | None
    difference: Money
    calls: int
    logged_calls: int
    usage_missing: int
    unpriced_calls: int
    reason: str
    detail: str | None
    rates: list[InvoiceRate]


class InvoiceReason(Record, frozen=True, kw_only=True):
    """The differences of one reason."""

    reason: str
    lines: int
    difference: Money


class InvoiceResult(Record, frozen=True, kw_only=True):
    """A vendor's bill against the log; the sums are over days that both have, `logged` as in the lines.

    `undated_calls` have no time and are on no line; `undated_unknown` of them, without usage or price, are not in
    `undated_cost`.
    """

    path: str
    vendor: str | None
    currency: str
    billed: Money
    recomputed: Money
    logged: Money | None
    calls: int
    logged_calls: int
    difference: Money
    undated_calls: int
    undated_cost: Money
    undated_unknown: int
    reasons: list[InvoiceReason]
    lines: list[InvoiceLineResult]
