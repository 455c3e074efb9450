"""The record of an ROI report: the JSON contract `llmmigrate.roi/1`.

Money is a decimal string in `currency`; an absent figure is null and never 0. Everything that a page shows is in here.
"""

from llmmigrate.costing import results
from llmmigrate.costing.evidence import Gate
from llmmigrate.costing.results import Money, Record, Share
from llmmigrate.costing.risks import Risk, RiskLevel

SCHEMA = "llmmigrate.roi/1"


class Figure(Record, frozen=True, kw_only=True):
    """An amount with its range; all null where it cannot be told, the range alone where that cannot."""

    value: Money | None
    low: Money | None
    high: Money | None


class Months(Record, frozen=True, kw_only=True):
    """A time in months with its range; null is never, or not known (`never` tells which)."""

    value: float | None
    low: float | None
    """At the highest saving."""
    high: float | None
    """At the lowest saving."""
    never: bool


class BreakEven(Record, frozen=True, kw_only=True):
    """How much traffic there must be for the horizon to end at zero; null where more traffic only costs more."""

    traffic_share: float | None
    """Times today's."""
    calls_per_month: int | None


class Paid(Record, frozen=True, kw_only=True):
    """A cost as it was given, and in the report's currency."""

    amount: Money
    given: str | None
    """As it was written; null for the default."""
    rate: str | None
    """The exchange rate and where it is from, where it was converted."""


class TermsUsed(Record, frozen=True, kw_only=True):
    """What was assumed of the decision's terms; `origins` tells for each where it came from."""

    one_off_cost: Paid
    monthly_cost: Paid
    horizon_months: int
    discount_per_year: Share
    growth_per_month: Share
    stay_share: Share
    """Part of the calls that stays where it is."""
    origins: dict[str, str]


class Saving(Record, frozen=True, kw_only=True):
    """What the move saves, before (`gross`) and after running costs (`month`, `year`).

    `log` is over the log's own span, without running costs. `range_words` tells what the range is made of.
    """

    log: Figure
    share: Share | None
    """Of today's cost of the log."""
    gross: Figure
    month: Figure
    month_share: Share | None
    """Of today's monthly cost."""
    year: Figure
    range_kind: str
    range_words: str


class CashPoint(Record, frozen=True, kw_only=True):
    """What is gained or still owed at the end of a month; month 0 is the switch."""

    month: int
    value: Money
    low: Money | None
    high: Money | None


class Change(Record, frozen=True, kw_only=True):
    """What one thing that turns out otherwise would make of the first month's saving, the payback and the value."""

    name: str
    change: str
    month: Money
    payback_months: float | None
    npv: Money


class ModelCost(Record, frozen=True, kw_only=True):
    """One logged model over the log's span: its cost today, and with the move."""

    model: str | None
    calls: int
    now: Money | None
    then: Money
    low: Money
    high: Money


class DayCost(Record, frozen=True, kw_only=True):
    """One day of the log: its cost today, and with the move; a null day has the calls without a timestamp."""

    day: str | None
    now: Money | None
    then: Money
    low: Money
    high: Money


class Quality(Record, frozen=True, kw_only=True):
    """What a shadow run says of the answers."""

    path: str
    verdict: str
    words: str
    pairs: int
    exploratory: bool
    """Stored answers were judged again, so the stated risks do not hold."""
    gates: list[Gate]


class Claim(Record, frozen=True, kw_only=True):
    """A claim of a published playbook, held against this log; `holds` is null where the log cannot tell."""

    claim: str
    source: str
    claimed: str
    found: str | None
    holds: bool | None


class NextStep(Record, frozen=True, kw_only=True):
    """What to do next."""

    words: str
    command: str | None


class Traffic(Record, frozen=True, kw_only=True):
    """What the figures rest on."""

    calls: int
    calls_per_month: int | None
    span: results.Span
    moves: list[str]
    current: list[str]
    """The models that move, as the price tables name them."""


class Roi(Record, frozen=True, kw_only=True):
    """What a move to one target is worth (llmmigrate.roi/1)."""

    schema: str
    command: str
    version: str
    as_of: str
    currency: str
    target: str
    traffic: Traffic
    now: results.Outlook
    """Today's cost a month."""
    then: results.Outlook
    """The cost a month with the move, without running costs."""
    saving: Saving
    terms: TermsUsed
    payback: Months
    npv: Figure
    net: Figure
    """Over the horizon, undiscounted, after the one-off cost."""
    five_year_net: Figure
    break_even: BreakEven
    why_not: str | None
    """Why there are no figures a month, where there are none."""
    risk: RiskLevel
    risks: list[Risk]
    next: NextStep
    cash: list[CashPoint]
    sensitivity: list[Change]
    models: list[ModelCost]
    days: list[DayCost]
    quality: Quality | None
    claims: list[Claim]
    estimate: results.EstimateTarget
    lines: results.LineCounts
    coverage: results.Coverage
    unpriced: list[results.UnpricedCalls]
    sources: list[results.SourceFile]
    projection: results.ProjectionResult
    prices: results.PricesUsed
    warnings: list[results.Notice]
