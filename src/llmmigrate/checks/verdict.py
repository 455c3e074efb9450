"""Rules against measures: which passed, which failed, and which cannot be decided."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Final, cast

import msgspec
from msgspec import structs

from llmmigrate.checks import measures, significance
from llmmigrate.checks.measures import RatioName, Sampled
from llmmigrate.checks.policy import MEASURES, Policy, Rule
from llmmigrate.checks.results import RuleResult
from llmmigrate.checks.significance import Estimate, Evidence
from llmmigrate.costing.difference import as_decimal
from llmmigrate.money import plain
from llmmigrate.quantities import Limit
from llmmigrate.usage.sketch import Sketch, bucket, merge, quantile

FAR_ABOVE: Final = 2
"""A sample is too small for a rule when the smallest detectable change is above so many times its limit, …"""
LEAST_REACH: Final = 0.10
"""… or above this part of the baseline's value, whichever is more: no run sees every small rise."""
P95: Final = 0.95

UNITS: Final[Mapping[str, str]] = {
    "cost_per_1000_calls": "USD per 1,000 calls",
    "output_tokens_per_call": "tokens per call",
    "output_tokens_p95": "tokens",
    "cache_hit_share": "share",
    "monthly_delta": "USD per month",
    "unpriced_calls": "calls",
    "price_table_age": "days",
}


class Pair(msgspec.Struct, frozen=True):
    """The two sides that rules are held against."""

    base: Sampled
    now: Sampled
    month: Decimal | None
    """Projected cost of a month of now's traffic, where it was asked for and could be projected."""
    ages: Mapping[str, int | None]
    """Price table → days since it was checked."""


class Measured(msgspec.Struct, frozen=True):
    """What a relative rule found before all of them are judged together."""

    rule: Rule
    base: Fraction | None
    now: Fraction | None
    evidence: Evidence | None
    why: str | None = None


def judge(policy: Policy, pair: Pair) -> list[RuleResult]:
    """Every rule's result, in the order of the policy, those of single groups last."""
    rules = [*policy.rules, *_repeated(policy, pair)]
    tests = sum(rule.relative for rule in rules)
    found = [_measure(rule, pair, tests) if rule.relative else None for rule in rules]
    p_values = [entry.evidence.p_value for entry in found if entry and entry.evidence]
    adjusted = iter(significance.holm(p_values))
    return [
        _absolute(rule, policy, pair) if entry is None else _relative(entry, next(adjusted) if entry.evidence else None)
        for rule, entry in zip(rules, found, strict=True)
    ]


def _repeated(policy: Policy, pair: Pair) -> Iterator[Rule]:
    """The relative rules for all calls again for every value of `by` that both sides have, the largest first."""
    own = [rule for rule in policy.rules if rule.relative and not rule.where]
    for name in policy.by:
        before = _calls_by(name, pair.base)
        counts = {value: calls for value, calls in _calls_by(name, pair.now).items() if value in before}
        for value in sorted(counts, key=lambda value: (-counts[value], value)):
            yield from (replace(rule, where={name: value}) for rule in own)


def unknown_groups(policy: Policy, pair: Pair) -> dict[str, int]:
    """Groups by `by` that the baseline has no call of, in words, with their calls: no rule can be held against them."""
    found: dict[str, int] = {}
    for name in policy.by:
        before = _calls_by(name, pair.base)
        new = {value: calls for value, calls in _calls_by(name, pair.now).items() if value not in before}
        found |= {f"{name.removeprefix('tag.')} {value}": calls for value, calls in sorted(new.items())}
    return found


def _calls_by(name: str, sampled: Sampled) -> dict[str, int]:
    """Priced calls by a group's value of model, provider or a tag."""
    counts: dict[str, int] = {}
    for group, tiers in sampled.side.parts.items():
        value = measures.value_of(group, name, sampled.profile.tags)
        if value is not None:
            counts[value] = counts.get(value, 0) + sum(part.calls for part in tiers.values())
    return counts


def _measure(rule: Rule, pair: Pair, tests: int) -> Measured:
    scope = measures.scope_of(rule.where, pair.now.profile.tags)
    if MEASURES[rule.measure].kind == "quantile":
        return _measure_p95(rule, pair, scope)
    name = cast(RatioName, rule.measure)
    base, now = measures.exact(name, pair.base, scope), measures.exact(name, pair.now, scope)
    before, after = measures.ratio(name, pair.base, scope), measures.ratio(name, pair.now, scope)
    if before is None or after is None:
        return Measured(rule, base, now, None, _nothing_to_measure(before is None))
    evidence = significance.compare(before, after, sign=MEASURES[rule.measure].sign, tests=tests)
    why = None if evidence else "the calls are not told apart, so that chance cannot be told from change"
    return Measured(rule, base, now, evidence, why)


def _measure_p95(rule: Rule, pair: Pair, scope: measures.Scope) -> Measured:
    """The 95th percentile; tested by how many calls of each side exceed that of both together (Mood 1950)."""
    sides = (pair.base, pair.now)
    sketches = [measures.sizes(side.profile, scope) for side in sides]
    base, now = (None if (value := quantile(s, P95)) is None else Fraction(round(value)) for s in sketches)
    if base is None or now is None:
        return Measured(rule, base, now, None, _nothing_to_measure(base is None))
    effects = [measures.design_effect(side, scope) for side in sides]
    before, after = _shares_above(sketches, effects)
    evidence = significance.compare(before, after, sign=1, tests=1)
    return Measured(rule, base, now, Evidence(evidence.p_value) if evidence else None)


def _nothing_to_measure(in_baseline: bool) -> str:
    return f"{'the baseline' if in_baseline else 'this run'} has no call that it could be measured on"


def _shares_above(sketches: Sequence[Sketch], effects: Sequence[float]) -> list[Estimate]:
    """The part of each side's calls above the 95th percentile of both."""
    both: Sketch = {}
    for sketch in sketches:
        merge(both, sketch)
    edge = bucket(quantile(both, P95) or 0.0)
    counts = [sum(sketch.values()) for sketch in sketches]
    above = [sum(n for index, n in sketch.items() if index > edge) for sketch in sketches]
    pooled = sum(above) / sum(counts)
    return [
        Estimate(over / count, pooled * (1 - pooled) * effect / count, max(1.0, count - 1.0), count)
        for over, count, effect in zip(above, counts, effects, strict=True)
    ]


def _relative(found: Measured, p_value: float | None) -> RuleResult:
    """A rule fails where the change is beyond its limit and is more than chance makes."""
    rule, evidence = found.rule, found.evidence
    if found.base is None or found.now is None:
        return _result(rule, found.base, found.now, result="unknown", why=found.why)
    worse = MEASURES[rule.measure].sign * (found.now - found.base)
    tolerance = tolerance_of(rule.limit, found.base)
    beyond = worse >= tolerance if rule.limit.comparison in ("<", ">") else worse > tolerance
    result = "pass"
    if beyond:
        result = rule.level if p_value is not None and p_value <= significance.LEVEL else "unclear"
    made = _result(rule, found.base, found.now, result=result, why=found.why if beyond else None)
    if evidence is None or evidence.low is None or evidence.detectable is None:
        return structs.replace(made, p_value=_rounded(p_value), too_small=evidence is None and result == "pass")
    scale = MEASURES[rule.measure].sign / _scale(rule, found.base)
    wanted = max(FAR_ABOVE * float(tolerance), LEAST_REACH * _scale(rule, found.base))
    return structs.replace(
        made,
        p_value=_rounded(p_value),
        low=_rounded(evidence.low * scale),
        detectable=_rounded(evidence.detectable / _scale(rule, found.base)),
        too_small=result not in ("fail", "warn") and evidence.detectable > wanted,
    )


def tolerance_of(limit: Limit, base: Fraction) -> Fraction:
    """How much worse than the baseline's value a limit allows, in the measure's unit."""
    value = abs(Fraction(limit.value))
    match limit.unit:
        case "%":
            return value / 100 * base
        case "x":
            return (value - 1) * base
        case "pt":
            return value / 100
    return value


def _scale(rule: Rule, base: Fraction) -> float:
    """What a change is told as a part of: the baseline's value, but for shares, whose difference is told."""
    return 1.0 if rule.measure == "cache_hit_share" or not base else float(base)


def _absolute(rule: Rule, policy: Policy, pair: Pair) -> RuleResult:
    """A value held against a fixed limit."""
    base, now, why = _values(rule, policy, pair)
    if now is None:
        return _result(rule, base, now, result="unknown", why=why)
    return _result(rule, base, now, result="pass" if keeps(rule.limit, now) else rule.level)


def keeps(limit: Limit, value: Fraction) -> bool:
    """Whether a value is within a limit that is no change."""
    most = Fraction(limit.value) / (100 if limit.unit == "%" else 1)
    kept = {"<=": value <= most, "<": value < most, ">=": value >= most, ">": value > most, "==": value == most}
    return kept[limit.comparison]


def _values(rule: Rule, policy: Policy, pair: Pair) -> tuple[Fraction | None, Fraction | None, str | None]:
    """The baseline's and now's value of an absolute rule, or why now's is not known."""
    scope = measures.scope_of(rule.where, pair.now.profile.tags)
    match MEASURES[rule.measure].kind:
        case "count":
            return Fraction(pair.base.side.unpriced_calls), Fraction(pair.now.side.unpriced_calls), None
        case "age":
            return _oldest(pair.ages)
        case "money":
            return _monthly(policy, pair)
        case "quantile":
            values = [quantile(measures.sizes(p, scope), P95) for p in (pair.base.profile, pair.now.profile)]
            base, now = (None if value is None else Fraction(round(value)) for value in values)
            return base, now, _nothing_to_measure(in_baseline=False)
    name = cast(RatioName, rule.measure)
    base, now = measures.exact(name, pair.base, scope), measures.exact(name, pair.now, scope)
    return base, now, _nothing_to_measure(in_baseline=False)


def _oldest(ages: Mapping[str, int | None]) -> tuple[None, Fraction | None, str | None]:
    undated = sorted(name for name, age in ages.items() if age is None)
    if undated or not ages:
        return None, None, f"no date in {', '.join(undated)}" if undated else "no price table was used"
    return None, Fraction(max(age or 0 for age in ages.values())), None


def _monthly(policy: Policy, pair: Pair) -> tuple[None, Fraction | None, str | None]:
    """What the change of the cost a call makes in a month of this run's traffic."""
    scope = measures.scope_of({}, ())
    base, now = (measures.exact("cost_per_1000_calls", side, scope) for side in (pair.base, pair.now))
    if base is None or now is None:
        return None, None, _nothing_to_measure(base is None)
    if policy.monthly_calls is not None:
        return None, (now - base) / 1000 * policy.monthly_calls, None
    if pair.month is None or not now:
        why = "the log is too short to project a month: set check.monthly_calls"
        return None, None, why
    return None, Fraction(pair.month) * (now - base) / now, None


def _result(
    rule: Rule, base: Fraction | None, now: Fraction | None, *, result: str, why: str | None = None
) -> RuleResult:
    change = None
    if base is not None and now is not None and rule.relative:
        change = _rounded(float(now - base) / _scale(rule, base)) if base or rule.measure == "cache_hit_share" else None
    return RuleResult(
        measure=rule.measure,
        where=dict(rule.where),
        limit=str(rule.limit),
        level=rule.level,
        unit=UNITS[rule.measure],
        base=None if base is None else plain(as_decimal(base)),
        now=None if now is None else plain(as_decimal(now)),
        change=change,
        low=None,
        p_value=None,
        detectable=None,
        too_small=False,
        result=result,
        why=why,
        place=None if rule.place is None else str(rule.place),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
