"""The page of `check`: the verdict, the rules, the causes in words, what the figures cover."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from llmmigrate.checks.results import BaselineUsed, CheckResult, PriceChange, PriceCheck, RuleResult
from llmmigrate.costing.difference import DifferenceResult, NamedCause
from llmmigrate.reports import Finding, Report, numbers
from llmmigrate.reports.analysis import lines_words, unpriced_bullets
from llmmigrate.reports.tables import Block, Bullets, Column, Paragraph, Table

NAMES: Final = {
    "cost_per_1000_calls": "Cost per 1,000 calls",
    "output_tokens_per_call": "Output tokens per call",
    "output_tokens_p95": "Output tokens, 95th percentile",
    "cache_hit_share": "Cached share of the input",
    "monthly_delta": "Change per month",
    "unpriced_calls": "Calls without a price",
    "price_table_age": "Age of the price tables",
}
CAUSES: Final = {
    "price": "prices",
    "volume": "number of calls",
    "model_mix": "mix of models",
    "service_tier": "service tier",
    "cache": "cache",
    "input_tokens": "input tokens per call",
    "output_tokens": "output tokens per call",
    "reasoning_tokens": "reasoning tokens per call",
    "pieces": "searches, images, fees",
    "conditions": "hours and size bands",
}
TOLD: Final = ("groups_not_in_baseline", "cut_marks_missing", "mostly_left_out")
"""Warnings of a check's own that no other part of the page tells."""
ORDER: Final = ("fail", "warn", "unknown", "unclear", "pass")
FEW_RULES: Final = 20
LEVELS: Final = {"fail": "error", "warn": "warning", "unclear": "warning", "unknown": "warning", "pass": "pass"}


def report(result: CheckResult) -> Report:
    """The report of a check."""
    return Report(
        document=msgspec.to_builtins(result),
        page=list(_page(result)),
        records=[_record(rule) for rule in result.rules],
        findings=[*map(_finding, result.rules), *_more_findings(result)],
    )


def price_report(result: PriceCheck) -> Report:
    """The report of what price tables do to a baseline."""
    level = {"fail": "error", "undecided": "warning"}.get(result.verdict, "warning" if result.beyond else "pass")
    return Report(
        document=msgspec.to_builtins(result),
        page=list(_price_page(result)),
        records=[msgspec.to_builtins(entry) for entry in result.models],
        findings=[Finding(name="Price tables", level=level, text=_price_headline(result))],
    )


def _page(result: CheckResult) -> Iterator[Block]:
    yield Paragraph(headline(result), strong=True)
    yield _rules(result.rules)
    difference = result.difference
    if difference is not None and difference.largest:
        yield Bullets(_rise_words(difference), [cause_words(cause) for cause in difference.largest])
    if difference is not None:
        yield _causes(difference)
    yield from _doubts(result)
    yield Paragraph(f"{lines_words(result.lines)}. Rates of {result.as_of}.")
    yield Paragraph(baseline_words(result.baseline))


def headline(result: CheckResult) -> str:
    """Line 1: the verdict and, where rules are broken, how many."""
    count = len(result.rules)
    failed = sum(rule.result == "fail" for rule in result.rules)
    if failed:
        return f"FAIL: {failed} of {numbers.counted(count, 'rule')} {'is' if failed == 1 else 'are'} broken."
    if result.verdict == "undecided":
        return f"UNDECIDED: {_undecided(result)}."
    warned = sum(rule.result == "warn" for rule in result.rules)
    unclear = sum(rule.result == "unclear" for rule in result.rules)
    more = f", {numbers.counted(warned, 'warning')}" if warned else ""
    more += f", {unclear} not decided" if unclear else ""
    unknown = sum(rule.result == "unknown" for rule in result.rules)
    more += f", {unknown} not measured" if unknown else ""
    return f"PASS: no rule failed{more}." if more else f"PASS: {numbers.counted(count, 'rule')} kept."


def _undecided(result: CheckResult) -> str:
    rules = [rule for rule in result.rules if rule.level == "fail"]
    unknown = next((rule for rule in rules if rule.result == "unknown"), None)
    if unknown is not None:
        return f"{rule_name(unknown).lower()}: {unknown.why or 'not measured'}"
    if any(entry.code == "mostly_left_out" for entry in result.warnings):
        return "the larger part of this run is in no figure"
    if any(rule.result == "unclear" or rule.too_small for rule in result.rules):
        return "the sample is too small to tell"
    return "a part of the calls could not be compared"


def _rules(rules: Sequence[RuleResult]) -> Table:
    columns = [
        Column("Rule"),
        Column("Base", "right", drop=2),
        Column("Now", "right"),
        Column("Change", "right"),
        Column("Bound", "right", drop=1),
        Column("Limit", "right", drop=3),
        Column("Result"),
    ]
    rows = [
        [
            rule_name(rule),
            _value(rule, rule.base),
            _value(rule, rule.now),
            _change(rule, rule.change),
            _bound(rule),
            rule.limit,
            rule.result,
        ]
        for rule in _ordered(rules)
    ]
    return Table(columns=columns, rows=rows)


def _ordered(rules: Sequence[RuleResult]) -> Sequence[RuleResult]:
    """The rules as the policy has them; where they are many, the broken ones first: a comment shows a part of them."""
    return rules if len(rules) <= FEW_RULES else sorted(rules, key=lambda rule: ORDER.index(rule.result))


def rule_name(rule: RuleResult) -> str:
    """A rule's measure and the calls that it is about."""
    where = ", ".join(f"{name.removeprefix('tag.')} {value}" for name, value in rule.where.items())
    return NAMES[rule.measure] + (f" ({where})" if where else "")


def _value(rule: RuleResult, text: str | None) -> str:
    if text is None:
        return numbers.MISSING
    value = Decimal(text)
    match rule.measure:
        case "cost_per_1000_calls":
            return numbers.money(value, "USD")
        case "monthly_delta":
            return numbers.signed_money(value, "USD")
        case "cache_hit_share":
            return numbers.share(value)
        case "output_tokens_per_call":
            return f"{value:,.1f}"
    return f"{value:,.0f}"


def _change(rule: RuleResult, change: float | None) -> str:
    if change is None:
        return numbers.MISSING
    if rule.measure == "cache_hit_share":
        return f"{change * 100:+.1f} pt"
    return numbers.signed_share(change)


def _bound(rule: RuleResult) -> str:
    """The one-sided 95 % bound of a change: from below where a rise is bad, from above where a fall is."""
    if rule.low is None:
        return numbers.MISSING
    return f"{'≤' if rule.measure == 'cache_hit_share' else '≥'} {_change(rule, rule.low)}"


def _finding(rule: RuleResult) -> Finding:
    path, _, line = (rule.place or "").rpartition(":")
    return Finding(
        name=rule_name(rule),
        level="warning" if rule.result == "pass" and rule.too_small else LEVELS[rule.result],
        text=rule_words(rule),
        path=path or None,
        line=int(line) if path else None,
    )


def _more_findings(result: CheckResult) -> Iterator[Finding]:
    """What is no rule's result, and to be seen where only findings are."""
    for entry in result.warnings:
        if entry.code == "mostly_left_out":
            yield Finding(name="Calls in no figure", level="warning", text=f"{entry.message}; {entry.fix}")
    if result.calls.unpriced:
        text = f"{numbers.counted(result.calls.unpriced, 'call')} without a price, in no figure"
        yield Finding(name="Calls without a price", level="warning", text=text)


def rule_words(rule: RuleResult) -> str:
    """One rule's result as a sentence."""
    name = rule_name(rule)
    if rule.result == "unknown":
        return f"{name}: not measured; {rule.why}"
    change = "" if rule.change is None else f" ({_change(rule, rule.change)})"
    found = f"{name}: {_value(rule, rule.base)} → {_value(rule, rule.now)}{change}, limit {rule.limit}"
    if rule.base is None:
        found = f"{name}: {_value(rule, rule.now)}, limit {rule.limit}"
    if rule.result == "unclear":
        found += f"; {rule.why or 'not more than chance makes'}"
    return f"{found}; {small_words(rule)}" if rule.too_small else found


def small_words(rule: RuleResult) -> str:
    """What a sample can show at all."""
    if rule.detectable is None:
        return "too few calls to tell a change from chance"
    noun = "fall" if rule.measure == "cache_hit_share" else "rise"
    size = f"{rule.detectable * 100:.0f}"
    return f"smallest detectable {noun}: {size} {'pt' if rule.measure == 'cache_hit_share' else '%'}"


def _rise_words(difference: DifferenceResult) -> str:
    a_call = Decimal(difference.difference) - next(
        Decimal(cause.amount) for cause in difference.causes if cause.cause == "volume"
    )
    per_1000 = a_call / difference.calls * 1000
    return f"Where the change of {numbers.signed_money(per_1000, 'USD')} per 1,000 calls comes from:"


def cause_words(cause: NamedCause) -> str:
    """One cause as a line: whose, what, how much of the change."""
    part = f"{numbers.share(cause.share)} of the change"
    return f"{_whose(cause)}{_what(cause)}, {part}"


def _whose(cause: NamedCause) -> str:
    if cause.key is None:
        return ""
    named = [f"{name.removeprefix('tag.')} {value}" for name, value in cause.key.items() if name.startswith("tag.")]
    return (
        ", ".join([*(word for word in named if not word.endswith(" None")), cause.key["model"] or "(no model)"]) + ": "
    )


def _what(cause: NamedCause) -> str:
    name = CAUSES[cause.cause]
    if cause.before is None or cause.after is None:
        return name
    match cause.unit:
        case "tokens_a_call":
            return f"{cause.after - cause.before:+,.0f} {name.replace('per call', 'a call')}"
        case "factor":
            return f"prices × {cause.after:.3g}"
        case "share_of_tier":
            return f"{numbers.share(cause.before)} → {numbers.share(cause.after)} served as {cause.tier}"
        case "share_of_input":
            return f"cached share of the input {numbers.share(cause.before)} → {numbers.share(cause.after)}"
    if cause.key is None:
        return "the calls are spread otherwise over models and tags"
    return f"{numbers.share(cause.before)} → {numbers.share(cause.after)} of the calls"


def _causes(difference: DifferenceResult) -> Block:
    if not any(Decimal(cause.amount) for cause in difference.causes):
        cost = numbers.money(Decimal(difference.cost), difference.currency)
        return Paragraph(f"The cost is the same to the last digit: {cost}.")
    columns = [Column("Cause"), Column(difference.currency, "right"), Column("Of the change a call", "right", drop=1)]
    rows = [
        [CAUSES[cause.cause], numbers.signed_money(Decimal(cause.amount)), numbers.share(cause.share)]
        for cause in difference.causes
        if Decimal(cause.amount)
    ]
    now, base = (numbers.money(Decimal(cost)) for cost in (difference.cost, difference.base_cost))
    footer = [f"{base} → {now}", numbers.signed_money(Decimal(difference.difference)), ""]
    return Table(columns=columns, rows=rows, footer=[footer], title="The whole difference, cause by cause")


def _doubts(result: CheckResult) -> Iterator[Block]:
    small = [f"{rule_name(rule)}: {small_words(rule)}" for rule in result.rules if rule.too_small]
    if small:
        yield Bullets("The sample is too small for small changes:", small)
    open_rules = [rule_words(rule) for rule in result.rules if rule.result in ("unclear", "unknown")]
    if open_rules:
        yield Bullets("Not decided:", open_rules)
    for entry in result.warnings:
        if entry.code in TOLD:
            yield Paragraph(f"{entry.message}; {entry.fix}.", kind="warning")
    left_out = result.calls.usage_missing + result.calls.failed_without_usage
    if left_out:
        words = (
            f"{numbers.counted(left_out, 'call')} failed or came without usage, and {'is' if left_out == 1 else 'are'}"
        )
        yield Paragraph(f"{words} in no figure.", kind="warning")
    if result.unpriced:
        yield unpriced_bullets(result.unpriced)


def baseline_words(used: BaselineUsed) -> str:
    """Where the baseline came from."""
    facts = [used.created[:10]] if used.created else []
    facts += [f"commit {used.commit[:7]}"] if used.commit else []
    about = f" ({', '.join(facts)})" if facts else ""
    return f"Baseline: {used.path}{about}, {numbers.counted(used.calls, 'call')}."


def _record(rule: RuleResult) -> dict[str, Any]:
    where = ", ".join(f"{name}={value}" for name, value in rule.where.items())
    return {**msgspec.to_builtins(rule), "where": where or None}


def _price_page(result: PriceCheck) -> Iterator[Block]:
    yield Paragraph(_price_headline(result), strong=True)
    columns = [
        Column("Model"),
        Column("Tier", drop=1),
        Column("Calls", "right", drop=2),
        Column("Then", "right"),
        Column("Now", "right"),
        Column("Change", "right"),
    ]
    yield Table(columns=columns, rows=[_price_row(entry) for entry in result.models])
    changed = ", ".join(result.tables_changed)
    yield Paragraph(f"Price tables that differ from then: {changed}." if changed else "No price table has changed.")
    for entry in result.warnings:
        if entry.code == "cut_marks_missing":
            yield Paragraph(f"{entry.message}; {entry.fix}.", kind="warning")
    yield Paragraph(f"Then: as priced when the baseline was made. Now: rates of {result.as_of}.")
    yield Paragraph(baseline_words(result.baseline))


def _price_headline(result: PriceCheck) -> str:
    then, now = (numbers.money(Decimal(cost)) for cost in (result.cost_then, result.cost_now))
    change = numbers.signed_share(result.change)
    costs = f"the baseline's calls cost {then} {result.currency} then and {now} now"
    warned = ", which only warns" if result.beyond and result.verdict != "fail" else ""
    limit = f"limit {result.limit}{' is broken' if result.beyond else ''}{warned}"
    return f"{result.verdict.upper()}: {costs} ({change}, {limit})."


def _price_row(entry: PriceChange) -> list[str]:
    costs = [None if cost is None else Decimal(cost) for cost in (entry.cost_then, entry.cost_now)]
    shown = ["unknown" if cost is None else numbers.money(cost) for cost in costs]
    name = entry.model or "(no model)"
    return [name, entry.service_tier, numbers.count(entry.calls), *shown, numbers.signed_share(entry.change)]
