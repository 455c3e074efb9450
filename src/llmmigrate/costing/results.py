"""The result records that commands print: the JSON contracts `llmmigrate.analysis/1` and `llmmigrate.estimate/1`.

Money is a decimal string with its currency beside it; an absent figure is left out or null and never 0.
"""

from msgspec import UNSET, UnsetType

from llmmigrate.costing.invoice_results import InvoiceResult
from llmmigrate.costing.measurements import CalibrationUsed
from llmmigrate.costing.potential import MachinePlan, PrefixCaching
from llmmigrate.costing.records import Money as Money
from llmmigrate.costing.records import Record as Record
from llmmigrate.costing.records import Share as Share


class SourceFile(Record, frozen=True, kw_only=True):
    """One input file."""

    path: str
    bytes: int
    sha256: str
    formats: dict[str, int]


class LineCounts(Record, frozen=True, kw_only=True):
    """Record slots; total == calls + blank + rejected + duplicates + other."""

    total: int
    calls: int
    blank: int
    rejected: int
    duplicates: int
    other: int
    filtered: int


class Reject(Record, frozen=True, kw_only=True):
    """Rejected slots of one reason."""

    reason: str
    count: int
    first: list[str]


class Coverage(Record, frozen=True, kw_only=True):
    """How much of the log the figures speak for; the first three add up to total.calls."""

    usage_known: int
    usage_missing: int
    failed_without_usage: int
    priced_calls: int
    unpriced_calls: int
    timestamp_missing: int
    priced_token_share: Share | None


class UnpricedCalls(Record, frozen=True, kw_only=True):
    """Calls with known usage that have no price, and why."""

    model: str | None
    provider: str | None
    calls: int
    input_tokens: int
    output_tokens: int
    reason: str
    detail: str
    nearest: list[str]


class Span(Record, frozen=True, kw_only=True):
    """First and last start instant of the calls that are not dated in the future."""

    first: str | None
    last: str | None
    days: float
    timezone: str


class Latency(Record, frozen=True, kw_only=True):
    """Percentiles in milliseconds, within 1 %."""

    p50: float
    p90: float
    p95: float
    p99: float


class FirstToken(Record, frozen=True, kw_only=True):
    """Time to first token in milliseconds, within 1 %."""

    p50: float
    p95: float


class Totals(Record, frozen=True, kw_only=True):
    """Sums over calls. `cost` is left out where nothing is priced; its bounds are given where they differ."""

    calls: int
    attempts: int
    logical_requests: int
    errors: int
    errors_by_class: dict[str, int]
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    priced_calls: int
    unpriced_calls: int
    usage_missing: int
    cost: Money | UnsetType = UNSET
    cost_low: Money | UnsetType = UNSET
    cost_high: Money | UnsetType = UNSET
    failed_cost: Money | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    logged_cost: Money | UnsetType = UNSET
    logged_calls: int | UnsetType = UNSET
    month: "Outlook | UnsetType" = UNSET
    latency_ms: Latency | UnsetType = UNSET
    ttft_ms: FirstToken | UnsetType = UNSET


class Group(Totals, frozen=True, kw_only=True):
    """The totals of one group."""

    key: dict[str, str | None]


class Outlook(Record, frozen=True, kw_only=True):
    """A projected cost and its 95 % prediction interval; null where it is refused."""

    cost: Money | None
    low: Money | None
    high: Money | None


class ProjectionResult(Record, frozen=True, kw_only=True):
    """The cost of a month and a year at the log's rate, as far as its span carries that."""

    month: Outlook
    year: Outlook
    rate_per_day: Money | None
    method: str
    refused: str | None
    why: str | None


class TableUsed(Record, frozen=True, kw_only=True):
    """A price table that gave a rate; `exchange` is the dated rate at which its currency was converted, if it was."""

    provider: str
    sha256: str
    checked: str | None
    age_days: int | None
    currency: str
    exchange: str | None


class PricesUsed(Record, frozen=True, kw_only=True):
    """All price tables that gave a rate, and the assumptions that pricing had to make."""

    tables: list[TableUsed]
    assumptions: dict[str, int]


class Notice(Record, frozen=True, kw_only=True):
    """Something a reader of the figures should know."""

    code: str
    count: int
    message: str
    fix: str | None
    first: list[str]


class CostDifference(Record, frozen=True, kw_only=True):
    """Calls of one model whose stated cost differs by more than 1e-9 USD from the recomputed one, for one reason.

    Reasons: `rates_of_another_period`, `rates_of_another_model`, `cache_not_in_log`, `cache_counted_twice`,
    `fees_not_in_log`, `logged_as_free`, `cost_outlier`, `unexplained`.
    """

    model: str | None
    provider: str | None
    reason: str
    detail: str
    calls: int
    logged_cost: Money
    recomputed_cost: Money
    first: list[str]


class Reconciliation(Record, frozen=True, kw_only=True):
    """Stated costs against recomputed ones, call by call; null for saved profiles and logs without costs."""

    compared: int
    equal: int
    differing: list[CostDifference]


class Analysis(Record, frozen=True, kw_only=True):
    """What the traffic of a log cost (llmmigrate.analysis/1)."""

    schema: str
    command: str
    version: str
    by: list[str]
    sources: list[SourceFile]
    lines: LineCounts
    rejects: list[Reject]
    coverage: Coverage
    unpriced: list[UnpricedCalls]
    span: Span
    total: Totals
    groups: list[Group]
    projection: ProjectionResult
    prices: PricesUsed
    reconciliation: Reconciliation | None
    warnings: list[Notice]
    invoice: InvoiceResult | UnsetType = UNSET
    """The bill given with --invoice."""


class AssumptionResult(Record, frozen=True, kw_only=True):
    """One assumption of an estimate, with its range where it has one."""

    name: str
    value: str
    source: str
    low: str | None
    high: str | None
    why: str


class CannotHold(Record, frozen=True, kw_only=True):
    """Calls whose prompt alone exceeds the target's context window, and their share of today's cost.

    `calls` is null for machines of one's own, whose window is chosen when they are set up.
    """

    calls: int | None
    spend_share: Share | None


class UnpricedThere(Record, frozen=True, kw_only=True):
    """Calls that the target has no rate for; they stay where they are."""

    calls: int
    reasons: dict[str, int]


class TargetGroup(Record, frozen=True, kw_only=True):
    """One group of the traffic: today's cost and the target's with its range.

    `to` is where it goes; in a mix `stays` for a part that does not move. `current` is of the calls that are priced on
    both sides, and null where there are none. In a mix `refused` names the targets that would be cheaper and may not be
    had, and why; `not_audited` counts the calls that move without their whole request having been audited.
    """

    key: dict[str, str | None]
    to: str
    calls: int
    current: Money | None
    cost: Money
    low: Money
    high: Money
    refused: dict[str, str]
    not_audited: int | None
    """Null where no mix was asked for."""


class Moved(Record, frozen=True, kw_only=True):
    """What of the traffic moves and is priced on both sides: today's cost and the target's."""

    current: Money
    cost: Money


class EstimateTarget(Record, frozen=True, kw_only=True):
    """The whole traffic with a part of it moved: what moves is priced at the target, the rest stays as it is.

    `sources` are the models that move, as the price tables name them. `cost` covers every call with known usage.
    `saving` compares calls that are priced on both sides; it is null where there are none. `range_kind` is `interval95`
    where every ratio was measured, else `assumed`. `grade` is the weakest of the target's rates: A the vendor says so,
    B two tables agree, C one table or a claim.
    """

    to: str
    kind: str
    moves: list[str]
    sources: list[str]
    currency: str
    calls: int
    cost: Money
    low: Money
    high: Money
    range_kind: str
    saving: Money | None
    saving_low: Money | None
    saving_high: Money | None
    saving_share: Share | None
    month_saving: Outlook | None
    tolerance: float | None
    moved: Moved | None
    cannot_hold: CannotHold
    unpriced_there: UnpricedThere | None
    grade: str | None
    assumptions: list[AssumptionResult]
    calibrations: list[CalibrationUsed]
    notes: list[str]
    machines: MachinePlan | None
    groups: list[TargetGroup]


class EstimateCurrent(Record, frozen=True, kw_only=True):
    """Today's cost of the same traffic at the same rates' date; null where nothing is priced."""

    cost: Money | None
    currency: str
    calls: int
    priced_calls: int
    month: Outlook
    models: list[str]


class Estimate(Record, frozen=True, kw_only=True):
    """What the traffic of a log would cost elsewhere (llmmigrate.estimate/1)."""

    schema: str
    command: str
    version: str
    as_of: str
    sources: list[SourceFile]
    lines: LineCounts
    coverage: Coverage
    unpriced: list[UnpricedCalls]
    span: Span
    current: EstimateCurrent
    targets: list[EstimateTarget]
    caching: PrefixCaching | None
    """Null where it was not asked for, or the log has no prompts."""
    projection: ProjectionResult
    prices: PricesUsed
    warnings: list[Notice]
