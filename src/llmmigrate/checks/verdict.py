"""Rules against measures: which passed, which failed, and which cannot be decided."""

import math
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
from llmmigrate.usage.accounting import Tally
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


def unknown_groups(policy: Policy, pair: Pair) -> Tally:
    """Groups by `by` that the baseline has no call of, in words, and how many calls are in any of them.

    No rule can be held against them. A group with a price is compared with calls that have one, too.
    """
    new = {name: _new_values(name, pair) for name in policy.by}
    tags = pair.now.profile.tags
    parts = [(group, part) for group, tiers in pair.now.side.parts.items() for part in tiers.values()]
    calls = sum(
        part.calls
        for group, part in [*parts, *pair.now.side.bare.items()]
        if any(measures.value_of(group, name, tags) in values for name, values in new.items())
    )
    return Tally(calls, [f"{name.removeprefix('tag.')} {value}" for name in new for value in sorted(new[name])])


def _new_values(name: str, pair: Pair) -> set[str]:
    """The values of model, provider or a tag that this run has and the baseline lacks."""
    priced = set(_calls_by(name, pair.base))
    bare = {measures.value_of(group, name, pair.base.profile.tags) for group in pair.base.side.bare}
    now = {measures.value_of(group, name, pair.now.profile.tags) for group in pair.now.side.bare}
    return (set(_calls_by(name, pair.now)) - priced) | {value for value in now - bare - priced if value is not None}


def _calls_by(name: str, sampled: Sampled) -> dict[str, int]:
    """Priced calls by a group's value of model, provider or a tag."""
    counts: dict[str, int] = {}
    for group, tiers in sampled.side.parts.items():
        value = measures.value_of(group, name, sampled.profile.tags)
        if value is not None:
            counts[value] = counts.get(value, 0) + sum(part.calls for part in tiers.values())
    return counts


def _measure(rule: Rule, pair: Pair, tests: int) -> Measured:
    scope = rule.where
    if MEASURES[rule.measure].kind == "quantile":
        return _measure_p95(rule, pair, scope, tests)
    name = cast(RatioName, rule.measure)
    base, now = measures.exact(name, pair.base, scope), measures.exact(name, pair.now, scope)
    before, after = measures.ratio(name, pair.base, scope), measures.ratio(name, pair.now, scope)
    if before is None or after is None:
        return Measured(rule, base, now, None, _nothing_to_measure(before is None))
    evidence = significance.compare(before, after, sign=MEASURES[rule.measure].sign, tests=tests)
    why = None if evidence else "the calls are not told apart, so that chance cannot be told from change"
    return Measured(rule, base, now, evidence, why)


def _measure_p95(rule: Rule, pair: Pair, scope: measures.Scope, tests: int) -> Measured:
    """The 95th percentile; tested by how many calls of each side exceed that of both together (Mood 1950).

    The worst that a run can be is that all its calls do, or that only its calls do where they are more.
    """
    sides = (pair.base, pair.now)
    sketches = [side.sizes(scope) for side in sides]
    base, now = (None if (value := quantile(s, P95)) is None else Fraction(round(value)) for s in sketches)
    if base is None or now is None:
        return Measured(rule, base, now, None, _nothing_to_measure(base is None))
    effects = [measures.design_effect(side, scope) for side in sides]
    counts = [sum(sketch.values()) for sketch in sketches]
    evidence = _tested(_above_both(sketches), counts, effects)
    most = sum(counts) - math.ceil(P95 * sum(counts))
    worst = _tested([max(0, most - counts[1]), min(most, counts[1])], counts, effects)
    if evidence is None or worst is None:
        return Measured(rule, base, now, None)
    return Measured(rule, base, now, Evidence(evidence.p_value, least=min(1.0, worst.p_value * tests)))


def _nothing_to_measure(in_baseline: bool) -> str:
    return f"{'the baseline' if in_baseline else 'this run'} has no call that it could be measured on"


def _above_both(sketches: Sequence[Sketch]) -> list[int]:
    """How many calls of each side are above the 95th percentile of both."""
    both: Sketch = {}
    for sketch in sketches:
        merge(both, sketch)
    edge = bucket(quantile(both, P95) or 0.0)
    return [sum(n for index, n in sketch.items() if index > edge) for sketch in sketches]


def _tested(above: Sequence[int], counts: Sequence[int], effects: Sequence[float]) -> Evidence | None:
    """Whether the second side has a larger part of its calls above a size than the first."""
    pooled = sum(above) / sum(counts)
    before, after = (
        Estimate(over / count, pooled * (1 - pooled) * effect / count, max(1.0, count - 1.0), count)
        for over, count, effect in zip(above, counts, effects, strict=True)
    )
    return significance.compare(before, after, sign=1, tests=1)


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
        blind = evidence is None or evidence.least > significance.LEVEL
        return structs.replace(made, p_value=_rounded(p_value), too_small=blind and result == "pass")
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
    scope = rule.where
    match MEASURES[rule.measure].kind:
        case "count":
            return Fraction(pair.base.side.unpriced_calls), Fraction(pair.now.side.unpriced_calls), None
        case "age":
            return _oldest(pair.ages)
        case "money":
            return _monthly(policy, pair)
        case "quantile":
            values = [quantile(side.sizes(scope), P95) for side in (pair.base, pair.now)]
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
    base, now = (measures.exact("cost_per_1000_calls", side, {}) for side in (pair.base, pair.now))
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
