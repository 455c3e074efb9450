"""From an estimate to a decision: what the move is worth, what would change that, and what is not known yet."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Final

import msgspec

from llmmigrate.costing import results, roi_results
from llmmigrate.costing.cash import Terms, Worth, cumulative, worth
from llmmigrate.costing.claims import claims_about
from llmmigrate.costing.evidence import Evidence
from llmmigrate.costing.potential import MachinePlan
from llmmigrate.costing.projection import MONTH_DAYS
from llmmigrate.costing.risks import Risk, RiskLevel, Situation, level, register
from llmmigrate.costing.roi_parts import Parts
from llmmigrate.money import plain

DIGITS: Final = 50
_MICRO: Final = Decimal("0.000001")
_RANGES: Final = {
    "assumed": "the assumed range of the target's tokens",
    "interval95": "the 95 % interval of the target's tokens",
}


class Range(msgspec.Struct, frozen=True):
    """A figure with its ends."""

    value: Decimal
    low: Decimal
    high: Decimal

    def less(self, amount: Decimal) -> "Range":
        """Everything lower by an amount."""
        return Range(self.value - amount, self.low - amount, self.high - amount)


class Basis(msgspec.Struct, frozen=True):
    """What a report is made from."""

    parts: Parts
    terms: Terms
    terms_used: roi_results.TermsUsed
    evidence: Evidence
    targets: Sequence[str]
    """Where something moves, `provider/model`."""
    logs: str
    """What to write for the logs in a command."""

    @property
    def estimate(self) -> results.Estimate:
        """The estimate of the whole log."""
        return self.parts.estimate

    @property
    def target(self) -> results.EstimateTarget:
        """The row that the report is about."""
        return self.parts.target


def decide(basis: Basis, *, command: str, version: str) -> roi_results.Roi:
    """The report about one target. Figures a month are null where the log is too short or today's cost unknown."""
    with localcontext(prec=DIGITS):
        return _decide(basis, command, version)


def _decide(basis: Basis, command: str, version: str) -> roi_results.Roi:
    estimate, target = basis.estimate, basis.target
    terms = with_machines(basis.terms, target)
    basis = msgspec.structs.replace(basis, terms=terms)
    gross = monthly_saving(estimate, target)
    found = (
        None if gross is None else _Worths(worth(gross.value, terms), worth(gross.low, terms), worth(gross.high, terms))
    )
    risks = register(
        basis.evidence,
        Situation(
            sources=target.sources, price_rise=price_rise(basis, gross), own_machines=target.machines is not None
        ),
    )
    calls = _calls_per_month(estimate)
    return roi_results.Roi(
        schema=roi_results.SCHEMA,
        command=command,
        version=version,
        as_of=estimate.as_of,
        currency=target.currency,
        target=target.to,
        traffic=roi_results.Traffic(
            calls=target.calls, calls_per_month=calls, span=estimate.span, moves=target.moves, current=target.sources
        ),
        now=estimate.current.month,
        then=_then(estimate, target),
        saving=_saving(estimate, target, gross, found),
        terms=basis.terms_used,
        payback=_payback(found),
        npv=_figure(found, "npv"),
        net=_figure(found, "net"),
        five_year_net=_figure(found, "five_years"),
        break_even=_break_even(found, calls, target.machines),
        why_not=_why_not(estimate, target) if gross is None else None,
        risk=level(risks),
        risks=risks,
        next=_next(basis, gross, level(risks), risks),
        cash=[] if gross is None else _cash(gross, terms),
        sensitivity=[] if gross is None else sensitivity(basis, gross),
        models=[_model(group) for group in basis.parts.models],
        days=[_day(group) for group in sorted(basis.parts.days, key=lambda group: group.key["day"] or "")],
        quality=_quality(basis.evidence),
        claims=claims_about(estimate, target),
        estimate=msgspec.structs.replace(target, groups=target.groups if target.kind == "mix" else []),
        lines=estimate.lines,
        coverage=estimate.coverage,
        unpriced=estimate.unpriced,
        sources=estimate.sources,
        projection=estimate.projection,
        prices=estimate.prices,
        warnings=estimate.warnings,
    )


class _Worths(msgspec.Struct, frozen=True):
    """What the saving is worth at its value, and at its lowest and highest end."""

    value: Worth
    low: Worth
    high: Worth


def monthly_saving(estimate: results.Estimate, target: results.EstimateTarget) -> Range | None:
    """The first month's saving before running costs: the projected month times the saved share of today's cost.

    Its ends take the ends of the projection's interval, where there is one, and of the target's range at once. None
    where the log does not carry a projection or nothing is priced on both sides.
    """
    month = estimate.current.month
    if month.cost is None or target.saving is None or not estimate.current.cost or not Decimal(estimate.current.cost):
        return None
    now = Decimal(estimate.current.cost)
    if target.machines is not None:
        return _avoided(month, Decimal(target.moved.current) / now if target.moved else Decimal(0), target.machines)
    shares = [Decimal(part) / now for part in (target.saving_low, target.saving_high) if part is not None]
    months = [Decimal(part) for part in (month.low or month.cost, month.high or month.cost)]
    ends = [share * part for share in shares for part in months]
    value = Decimal(month.cost) * Decimal(target.saving) / now
    return Range(*(part.quantize(_MICRO) for part in (value, min(ends), max(ends))))


def _avoided(month: results.Outlook, moved: Decimal, plan: MachinePlan) -> Range:
    """What is no longer paid by the token where machines are paid by the hour; the ends have fewer or more machines."""
    value, low, high = (
        Decimal(part or "0") * moved for part in (month.cost, month.low or month.cost, month.high or month.cost)
    )
    each = Decimal(plan.month_cost) / plan.machines
    ends = low - each * (plan.machines_high - plan.machines), high + each * (plan.machines - plan.machines_low)
    return Range(*(part.quantize(_MICRO) for part in (value, *ends)))


def with_machines(terms: Terms, target: results.EstimateTarget) -> Terms:
    """The terms with the rent of machines among the monthly costs."""
    if target.machines is None:
        return terms
    return msgspec.structs.replace(terms, running=terms.running + Decimal(target.machines.month_cost))


def _why_not(estimate: results.Estimate, target: results.EstimateTarget) -> str:
    if target.saving is None:
        return "the cost today is unknown: no call that moves has a price on both sides"
    return estimate.projection.why or "the log does not carry a projection"


def _then(estimate: results.Estimate, target: results.EstimateTarget) -> results.Outlook:
    """The month with the move: today's projected month times the target's part of today's cost, range by range."""
    month, now = estimate.current.month, estimate.current.cost
    if month.cost is None or target.saving is None or not now or not Decimal(now):
        return results.Outlook(cost=None, low=None, high=None)
    if target.machines is not None:
        stays = Decimal(month.cost) * (1 - Decimal(target.moved.current if target.moved else "0") / Decimal(now))
        value = stays + Decimal(target.machines.month_cost)
        return results.Outlook(cost=_text(value), low=None, high=None)
    parts = [1 - Decimal(part or target.saving) / Decimal(now) for part in (target.saving_high, target.saving_low)]
    low = Decimal(month.low or month.cost) * parts[0]
    high = Decimal(month.high or month.cost) * parts[1]
    value = Decimal(month.cost) * (1 - Decimal(target.saving) / Decimal(now))
    return results.Outlook(cost=_text(value), low=_text(low), high=_text(high))


def _saving(
    estimate: results.Estimate, target: results.EstimateTarget, gross: Range | None, found: _Worths | None
) -> roi_results.Saving:
    log = roi_results.Figure(value=target.saving, low=target.saving_low, high=target.saving_high)
    return roi_results.Saving(
        log=log,
        share=target.saving_share,
        gross=roi_results.Figure(value=None, low=None, high=None) if gross is None else _of_range(gross),
        month=_figure(found, "month"),
        month_share=_month_share(estimate, found),
        year=_figure(found, "year"),
        range_kind=target.range_kind,
        range_words=_range_words(estimate, target),
    )


def _month_share(estimate: results.Estimate, found: _Worths | None) -> float | None:
    now = Decimal(estimate.current.month.cost or "0")
    return None if found is None or not now else _number(found.value.month / now)


def _range_words(estimate: results.Estimate, target: results.EstimateTarget) -> str:
    """What the range of a month is made of."""
    tokens = _RANGES[target.range_kind]
    if target.machines is not None:
        tokens = f"{tokens}, as far as it changes the number of machines"
    if estimate.current.month.low is None:
        return f"{tokens}; the traffic is taken as it is in the log, without a range"
    return f"{tokens} and the 95 % prediction interval of the traffic, both at their ends"


def price_rise(basis: Basis, gross: Range | None) -> Decimal | None:
    """By what share the target's prices may rise until the monthly saving, after running costs, is gone."""
    moved, now = basis.target.moved, basis.estimate.current
    if gross is None or moved is None or now.month.cost is None or not Decimal(moved.cost):
        return None
    then = _there(basis.target, Decimal(now.month.cost) / Decimal(now.cost or "1"))
    if not then:
        return None
    return ((gross.value - basis.terms.running) / then).quantize(_MICRO)


def _there(target: results.EstimateTarget, a_month: Decimal) -> Decimal:
    """What the moved traffic costs a month at the target."""
    if target.machines is not None:
        return Decimal(target.machines.month_cost)
    return Decimal(target.moved.cost if target.moved else "0") * a_month


def sensitivity(basis: Basis, gross: Range) -> list[roi_results.Change]:
    """The saving when one thing at a time turns out otherwise. All other things stay as they are."""
    target, now = basis.target, basis.estimate.current
    a_month = Decimal(now.month.cost or "0") / Decimal(now.cost or "1")
    found = [
        ("traffic", "-20 %", gross.value * Decimal("0.8")),
        ("traffic", "+20 %", gross.value * Decimal("1.2") - _more_machines(target.machines, Decimal("1.2"))),
    ]
    if target.moved is not None:
        there, here = _there(target, a_month) / 5, Decimal(target.moved.current) * a_month / 5
        found += [
            ("prices of the target", "+20 %", gross.value - there),
            ("prices of the target", "-20 %", gross.value + there),
            ("prices of today's models", "-20 %", gross.value - here),
        ]
    kind = "interval" if target.range_kind == "interval95" else "assumed range"
    ends = () if target.machines else (target.saving_low, target.saving_high)
    for words, saving in zip((f"most of the {kind}", f"least of the {kind}"), ends, strict=False):
        found += [] if saving is None else [("tokens of the target", words, Decimal(saving) * a_month)]
    if basis.parts.cold is not None and basis.parts.cold.saving is not None:
        found.append(("cache", "no hits", Decimal(basis.parts.cold.saving) * a_month))
    moves = 1 - Decimal(str(basis.terms_used.stay_share))
    if moves > Decimal("0.06"):
        found.append(("calls that must stay", "6 % more", gross.value * (moves - Decimal("0.06")) / moves))
    return [_change(name, change, saving, basis.terms) for name, change, saving in found]


def _more_machines(plan: MachinePlan | None, factor: Decimal) -> Decimal:
    """What the machines cost a month that so many times the traffic needs beside those there are."""
    if plan is None:
        return Decimal(0)
    needed = (plan.machines * Decimal(str(plan.peak_utilisation)) * factor).to_integral_value(ROUND_CEILING)
    return max(needed - plan.machines, Decimal(0)) * Decimal(plan.month_cost) / plan.machines


def _change(name: str, change: str, gross: Decimal, terms: Terms) -> roi_results.Change:
    found = worth(gross, terms)
    return roi_results.Change(
        name=name, change=change, month=plain(found.month), payback_months=_number(found.payback), npv=plain(found.npv)
    )


def _cash(gross: Range, terms: Terms) -> list[roi_results.CashPoint]:
    lines = [cumulative(part, terms) for part in (gross.value, gross.low, gross.high)]
    return [
        roi_results.CashPoint(month=month, value=plain(value), low=plain(low), high=plain(high))
        for month, (value, low, high) in enumerate(zip(*lines, strict=True))
    ]


def _payback(found: _Worths | None) -> roi_results.Months:
    if found is None:
        return roi_results.Months(value=None, low=None, high=None, never=False)
    value, at_lowest, at_highest = (part.payback for part in (found.value, found.low, found.high))
    return roi_results.Months(
        value=_number(value), low=_number(at_highest), high=_number(at_lowest), never=value is None
    )


def _break_even(found: _Worths | None, calls: int | None, plan: MachinePlan | None) -> roi_results.BreakEven:
    """Null, too, where the machines could not serve so much traffic."""
    share = None if found is None else found.value.break_even
    if share is not None and plan is not None and share * Decimal(str(plan.peak_utilisation)) > 1:
        share = None
    needed = None if share is None or calls is None else int((share * calls).to_integral_value())
    return roi_results.BreakEven(traffic_share=_number(share), calls_per_month=needed)


def _calls_per_month(estimate: results.Estimate) -> int | None:
    """At the log's own rate, where a month is projected at all."""
    days = estimate.span.days
    dated = estimate.current.calls - estimate.coverage.timestamp_missing
    if estimate.current.month.cost is None or days <= 0:
        return None
    return round(dated * MONTH_DAYS / days)


def _next(basis: Basis, gross: Range | None, risk: RiskLevel, risks: Sequence[Risk]) -> roi_results.NextStep:
    """The cheapest thing that is still to be learnt, or the step that follows from what is known."""
    target = next(iter(basis.targets), basis.target.to)
    if gross is None:
        return roi_results.NextStep(
            words=f"log at least 14 days: {_why_not(basis.estimate, basis.target)}", command=None
        )
    if gross.value <= basis.terms.running:
        return roi_results.NextStep(words="stay: there is no saving", command=None)
    if risk.level == "high":
        failed = next(risk for risk in risks if risk.status == "failed")
        return roi_results.NextStep(words=f"do not move yet: {failed.words}", command=None)
    evidence = basis.evidence
    if evidence.audit is None:
        then = ", then run shadow: the answers were not measured" if evidence.verdict is None else ""
        return roi_results.NextStep(
            words=f"audit the requests{then}",
            command=" ".join(["llmmigrate audit", basis.logs, *(f"--to {name}" for name in basis.targets or [target])]),
        )
    if evidence.verdict is None:
        return _shadow_step(basis, target, replayable=evidence.audit[1].verdicts.read > 0)
    if evidence.verdict[1].verdict != "PASS":
        words = f"decide it with more pairs: the shadow run ended {evidence.verdict[1].verdict}"
        return roi_results.NextStep(words=words, command=None)
    if evidence.drill is None:
        return roi_results.NextStep(words="rehearse the way back", command="llmmigrate rollout drill")
    return roi_results.NextStep(words="move 10 % of the traffic", command="llmmigrate rollout stage")


def _shadow_step(basis: Basis, target: str, *, replayable: bool) -> roi_results.NextStep:
    if replayable:
        return roi_results.NextStep(
            words="run shadow: the answers were not measured",
            command=f"llmmigrate shadow {basis.logs} --to {target} --canary 10%",
        )
    return roi_results.NextStep(
        words="record requests with their texts, then run shadow: the answers were not measured",
        command="llmmigrate record --keep-text -o run.jsonl -- COMMAND",
    )


def _quality(evidence: Evidence) -> roi_results.Quality | None:
    if evidence.verdict is None:
        return None
    path, verdict = evidence.verdict
    return roi_results.Quality(
        path=path,
        verdict=verdict.verdict,
        words=verdict.words,
        pairs=verdict.pairs,
        exploratory=verdict.exploratory,
        gates=verdict.gates,
    )


def _model(group: results.TargetGroup) -> roi_results.ModelCost:
    return roi_results.ModelCost(
        model=group.key["model"], calls=group.calls, now=group.current, then=group.cost, low=group.low, high=group.high
    )


def _day(group: results.TargetGroup) -> roi_results.DayCost:
    return roi_results.DayCost(day=group.key["day"], now=group.current, then=group.cost, low=group.low, high=group.high)


def _figure(found: _Worths | None, name: str) -> roi_results.Figure:
    if found is None:
        return roi_results.Figure(value=None, low=None, high=None)
    value, low, high = (plain(getattr(part, name)) for part in (found.value, found.low, found.high))
    return roi_results.Figure(value=value, low=low, high=high)


def _of_range(found: Range) -> roi_results.Figure:
    return roi_results.Figure(value=plain(found.value), low=plain(found.low), high=plain(found.high))


def _text(amount: Decimal) -> str:
    return plain(amount.quantize(_MICRO))


def _number(number: Decimal | None) -> float | None:
    return None if number is None else float(round(number, 4))
