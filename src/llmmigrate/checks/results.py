"""What `check` prints: the JSON contracts `llmmigrate.check/1` and `llmmigrate.price-check/1`."""

from llmmigrate.costing.difference import DifferenceResult
from llmmigrate.costing.results import LineCounts, Money, Notice, PricesUsed, Record, Share, SourceFile, UnpricedCalls


class RuleResult(Record, frozen=True, kw_only=True):
    """One rule and what became of it.

    `result`: pass, warn, fail, unclear (above its limit, but not more than chance makes) or unknown (not measured).
    `base`, `now`: the measure as a decimal text in `unit`. `change`: against the baseline, as a part of it or, for
    shares, the difference. `low`: the one-sided 95 % bound of the change. `p_value`: adjusted for all relative rules
    (Holm). `detectable`: the smallest change that four of five runs of this size find; `too_small`: it is far above the
    limit.
    """

    measure: str
    where: dict[str, str]
    limit: str
    level: str
    unit: str
    base: str | None
    now: str | None
    change: float | None
    low: float | None
    p_value: float | None
    detectable: float | None
    too_small: bool
    result: str
    why: str | None
    place: str | None


class BaselineUsed(Record, frozen=True, kw_only=True):
    """The baseline: where it came from, when it was made, at which commit, and how many calls it holds."""

    path: str
    commit: str | None
    created: str | None
    calls: int
    tags: list[str]


class SideCalls(Record, frozen=True, kw_only=True):
    """Requests of one side by what is known about them; `priced` are compared."""

    priced: int
    unpriced: int
    usage_missing: int
    failed_without_usage: int


class CheckResult(Record, frozen=True, kw_only=True):
    """Whether this change made the traffic dearer (llmmigrate.check/1). `verdict`: pass, fail or undecided."""

    schema: str
    command: str
    version: str
    verdict: str
    as_of: str
    baseline: BaselineUsed
    sources: list[SourceFile]
    lines: LineCounts
    base_calls: SideCalls
    calls: SideCalls
    rules: list[RuleResult]
    difference: DifferenceResult | None
    unpriced: list[UnpricedCalls]
    prices: PricesUsed
    warnings: list[Notice]


class PriceChange(Record, frozen=True, kw_only=True):
    """One model and service tier of the baseline: its cost when it was made and by the tables of now."""

    provider: str | None
    model: str | None
    service_tier: str
    calls: int
    cost_then: Money | None
    cost_now: Money | None
    change: Share | None


class PriceCheck(Record, frozen=True, kw_only=True):
    """What price tables do to the baseline's traffic (llmmigrate.price-check/1), over what both sides can price."""

    schema: str
    command: str
    version: str
    verdict: str
    as_of: str
    currency: str
    baseline: BaselineUsed
    limit: str
    level: str
    beyond: bool
    """Whether the limit is broken; at level `warn` the verdict is pass all the same."""
    cost_then: Money
    cost_now: Money
    change: Share | None
    models: list[PriceChange]
    tables_changed: list[str]
    prices: PricesUsed
    warnings: list[Notice]
