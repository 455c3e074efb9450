"""A profile against a baseline: measured, judged, and taken apart into causes."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from llmmigrate.checks.baseline import Baseline, Header, RecordedCost
from llmmigrate.checks.measures import Sampled
from llmmigrate.checks.policy import Policy
from llmmigrate.checks.results import BaselineUsed, CheckResult, PriceChange, PriceCheck, RuleResult, SideCalls
from llmmigrate.checks.verdict import Pair, judge, keeps, tolerance_of, unknown_groups
from llmmigrate.costing import results
from llmmigrate.costing.analysis import Terms, analyse, line_counts, rfc3339, unpriced_calls
from llmmigrate.costing.bill import Biller
from llmmigrate.costing.difference import as_decimal, result, take_apart
from llmmigrate.costing.sides import Price, Pricer, Side, at_instant, at_own_date, at_own_date_as
from llmmigrate.costing.tables import table_used
from llmmigrate.costing.warnings import explain_reading
from llmmigrate.errors import UsageError
from llmmigrate.money import plain
from llmmigrate.prices.catalog import Catalog
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.accounting import Tally
from llmmigrate.usage.profile import Profile

CURRENCY = "USD"
MOSTLY_LEFT_OUT = "mostly_left_out"
"""The code of the warning that rules saw the smaller part of a run."""
SHOWN = 8
"""Groups that a warning names."""


class Request(msgspec.Struct, frozen=True):
    """What a user asks of a check. Instants are epoch seconds."""

    policy: Policy
    now: int
    as_of: int | None = None
    """The rates of then on both sides; None prices each call at its own date."""
    strict: bool = False
    command: str = ""
    version: str = ""

    def rates_of(self) -> str:
        """When the rates are from, in words."""
        return "each call's own date" if self.as_of is None else rfc3339(self.as_of * NANOSECONDS)


def check_traffic(baseline: Baseline, profile: Profile, catalog: Catalog, request: Request) -> CheckResult:
    """The check of a profile against a baseline."""
    before = _instant_of(baseline, request.now)
    pricer = Pricer(catalog, currency=CURRENCY, exchange_at=request.now)
    base_price, retier = _prices(catalog, before, request)
    now_price, _ = _prices(catalog, request.now, request)
    then = None if request.as_of is not None else at_instant(Biller(catalog, as_of=request.now), before)
    base, now = pricer.side(baseline.profile, base_price), pricer.side(profile, now_price, then)
    tables = [table_used(catalog, name, request.now, CURRENCY, request.now) for name in pricer.tables()]
    month = _month(profile, catalog, request)
    ages = {table.provider: table.age_days for table in tables}
    pair = Pair(Sampled(base, baseline.profile), Sampled(now, profile), month, ages)
    rules = judge(request.policy, pair)
    doubts = _doubts(rules, unknown_groups(request.policy, pair), base.uncut + now.uncut, _left_out(now, profile))
    difference = None
    if base.calls and now.calls:
        difference = result(take_apart(base, now, pricer, retier), profile.tags, CURRENCY)
    accounting = profile.accounting
    return CheckResult(
        schema="llmmigrate.check/1",
        command=request.command,
        version=request.version,
        verdict=_verdict(rules, doubts, strict=request.strict),
        as_of=request.rates_of(),
        baseline=_used(baseline),
        sources=[results.SourceFile(path=s.path, bytes=s.bytes, sha256=s.sha256, formats=s.formats)
                 for s in accounting.sources],
        lines=line_counts(accounting),
        base_calls=_calls(base),
        calls=_calls(now),
        rules=rules,
        difference=difference,
        unpriced=unpriced_calls(now.unpriced),
        prices=results.PricesUsed(tables=tables, assumptions=dict(sorted(now.assumptions.items()))),
        warnings=explain_reading(profile, doubts),
    )  # fmt: skip


def header_of(profile: Profile, catalog: Catalog, *, now: int, commit: str | None) -> tuple[Header, int]:
    """What a new baseline says beside its profile: its costs by the tables of now; and how many calls have no price."""
    pricer = Pricer(catalog, currency=CURRENCY, exchange_at=now)
    side = pricer.side(profile, at_own_date(Biller(catalog, as_of=now)))
    header = Header(
        created=rfc3339(now * NANOSECONDS),
        commit=commit,
        currency=CURRENCY,
        tables={name: catalog.tables[name].sha256 for name in pricer.tables()},
        costs=[
            RecordedCost(provider=provider, model=model, service_tier=tier, calls=calls, cost=plain(as_decimal(cost)))
            for (provider, model, tier), (calls, cost) in _by_model(side).items()
        ],
    )
    return header, side.unpriced_calls


def check_prices(baseline: Baseline, catalog: Catalog, request: Request) -> PriceCheck:
    """The baseline's own traffic by the price tables of now, against what it cost when the baseline was made.

    UsageError for a profile that does not say what it cost.
    """
    header = baseline.header
    if header is None:
        raise UsageError(
            f"{baseline.name} does not say what it cost when it was made",
            fix="make it with: llmmigrate check LOGS --update-baseline",
        )
    pricer = Pricer(catalog, currency=CURRENCY, exchange_at=request.now)
    side = pricer.side(baseline.profile, _prices(catalog, request.now, request)[0])
    changes = _price_changes(header, side)
    both = [entry for entry in changes if entry.cost_then is not None and entry.cost_now is not None]
    then = sum((Fraction(entry.cost_then or 0) for entry in both), Fraction(0))
    now = sum((Fraction(entry.cost_now or 0) for entry in both), Fraction(0))
    rule = next(rule for rule in request.policy.rules if rule.measure == "cost_per_1000_calls" and not rule.where)
    calls = Fraction(sum(entry.calls for entry in both) or 1, 1000)
    if rule.relative:
        beyond = (now - then) / calls > tolerance_of(rule.limit, then / calls)
    else:
        beyond = not keeps(rule.limit, now / calls)
    doubts = _doubts((), Tally(), side.uncut)
    unsure = any(entry.cost_now is None for entry in changes) or (request.strict and doubts)
    tables = [table_used(catalog, name, request.now, CURRENCY, request.now) for name in pricer.tables()]
    return PriceCheck(
        schema="llmmigrate.price-check/1",
        command=request.command,
        version=request.version,
        verdict="fail" if beyond and rule.level == "fail" else "undecided" if unsure else "pass",
        as_of=request.rates_of(),
        currency=CURRENCY,
        baseline=_used(baseline),
        limit=str(rule.limit),
        level=rule.level,
        beyond=beyond,
        cost_then=plain(as_decimal(then)),
        cost_now=plain(as_decimal(now)),
        change=round(float((now - then) / then), 6) if then else None,
        models=changes,
        tables_changed=sorted(t.provider for t in tables if header.tables.get(t.provider, t.sha256) != t.sha256),
        prices=results.PricesUsed(tables=tables, assumptions=dict(sorted(side.assumptions.items()))),
        warnings=explain_reading(baseline.profile, doubts),
    )


def _price_changes(header: Header, side: Side) -> list[PriceChange]:
    now = _by_model(side)
    recorded = {(cost.provider, cost.model, cost.service_tier): cost for cost in header.costs}
    made = []
    for name in {**recorded, **now}:
        then = recorded.get(name)
        calls, cost = now.get(name, (then.calls if then else 0, None))
        if then is not None and calls != then.calls:  # some of them have a price on one side only
            calls, cost = then.calls, None
        before = None if then is None else Fraction(then.cost)
        made.append(
            PriceChange(
                provider=name[0],
                model=name[1],
                service_tier=name[2],
                calls=calls,
                cost_then=None if then is None else then.cost,
                cost_now=None if cost is None else plain(as_decimal(cost)),
                change=round(float((cost - before) / before), 6) if before and cost is not None else None,
            )
        )
    return sorted(made, key=lambda entry: (-Decimal(entry.cost_now or entry.cost_then or 0), entry.model or ""))


def _by_model(side: Side) -> dict[tuple[str | None, str | None, str], tuple[int, Fraction]]:
    """Calls and cost by provider, model and service tier; without what a gateway's cache answered."""
    sums: dict[tuple[str | None, str | None, str], tuple[int, Fraction]] = {}
    for group, tiers in side.parts.items():
        for tier, part in tiers.items():
            if tier is not None:
                calls, cost = sums.get((group.provider, group.model, tier), (0, Fraction(0)))
                sums[group.provider, group.model, tier] = calls + part.calls, cost + part.cost()
    return dict(sorted(sums.items(), key=lambda item: tuple(part or "" for part in item[0])))


def _prices(catalog: Catalog, undated: int, request: Request) -> tuple[Price, Callable[[str], Price]]:
    """How a side is priced, and how it would be as another service tier. `undated` dates calls without a timestamp."""
    biller = Biller(catalog, as_of=undated)
    if request.as_of is None:
        return at_own_date(biller), lambda tier: at_own_date_as(biller, tier)
    instant = request.as_of
    return at_instant(biller, instant), lambda tier: at_instant(biller, instant, tier)


def _instant_of(baseline: Baseline, now: int) -> int:
    """The time of the baseline's rates: its last call's, else the day it was made."""
    if baseline.profile.last_ns is not None:
        return baseline.profile.last_ns // NANOSECONDS
    if baseline.header is None:
        return now
    from datetime import datetime

    return int(datetime.fromisoformat(baseline.header.created).timestamp())


def _month(profile: Profile, catalog: Catalog, request: Request) -> Decimal | None:
    """The projected cost of a month of this run's traffic, worked out only where a rule needs it."""
    policy = request.policy
    if policy.monthly_calls is not None or all(rule.measure != "monthly_delta" for rule in policy.rules):
        return None
    biller = Biller(catalog, as_of=request.as_of or request.now, fall_back=request.as_of is not None)
    month = analyse(profile, biller, Terms(now=request.now), command="", version="").projection.month.cost
    return None if month is None else Decimal(month)


def _left_out(now: Side, profile: Profile) -> int:
    """Calls without usage or a price and rejected records, where these are more than what is compared; else 0."""
    count = now.unpriced_calls + now.missing + profile.accounting.lines.rejected
    return count if count > now.calls else 0


def _doubts(rules: Sequence[RuleResult], new: Tally, uncut: int, left_out: int = 0) -> dict[str, Tally]:
    """What makes a verdict weaker than it looks, by the codes of warnings."""
    small = [rule.measure for rule in rules if rule.too_small]
    found = {
        "sample_too_small": Tally(len(small), list(dict.fromkeys(small))[:SHOWN]),
        "groups_not_in_baseline": Tally(new.count, new.first[:SHOWN]),
        "cut_marks_missing": Tally(uncut),
        MOSTLY_LEFT_OUT: Tally(left_out),
    }
    return {code: tally for code, tally in found.items() if tally.count}


def _verdict(rules: Sequence[RuleResult], doubts: Mapping[str, Tally], *, strict: bool) -> str:
    """What a rule that only warns found decides nothing; nor do rules that saw the smaller part of a run."""
    found = {rule.result for rule in rules if rule.level == "fail"}
    if "fail" in found:
        return "fail"
    if "unknown" in found or MOSTLY_LEFT_OUT in doubts:
        return "undecided"
    return "undecided" if strict and ("unclear" in found or doubts) else "pass"


def _used(baseline: Baseline) -> BaselineUsed:
    header = baseline.header
    return BaselineUsed(
        path=baseline.name,
        commit=header.commit if header else None,
        created=header.created if header else None,
        calls=baseline.profile.total_calls(),
        tags=list(baseline.profile.tags),
    )


def _calls(side: Side) -> SideCalls:
    return SideCalls(
        priced=side.calls,
        unpriced=side.unpriced_calls,
        usage_missing=side.missing,
        failed_without_usage=side.failed,
    )
