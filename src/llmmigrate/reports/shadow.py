"""The page of `shadow`: the verdict in words, the gates, the money, what it rests on, one next step."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from llmmigrate.reports import Report, numbers
from llmmigrate.reports.shadow_figures import change_words, figure_words, gate_name, level, percent, side_name, unbilled
from llmmigrate.reports.shadow_web import web_page
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table
from llmmigrate.shadow.examples import Examples
from llmmigrate.shadow.judgement import FailureCount, GateResult
from llmmigrate.shadow.results import ComparisonResult, MeasureSummary, SideSummary

NO_EXAMPLES: Final = Examples()
LAG_SHOWN: Final = 500.0
"""Milliseconds of waiting for our own schedule (p99) from which on a run says so."""


def report(result: ComparisonResult, examples: Examples = NO_EXAMPLES, *, next_step: str | None = None) -> Report:
    """The report of a comparison; `examples` are shown in a browser only."""
    return Report(
        document=msgspec.to_builtins(result),
        page=list(_page(result, next_step)),
        records=[_record(gate) for gate in result.gates],
        web=web_page(result, examples, evidence_blocks(result), next_step),
    )


def _page(result: ComparisonResult, next_step: str | None) -> Iterator[Block]:
    yield Paragraph(headline(result), strong=True)
    yield Paragraph(basis_words(result))
    if result.exploratory:
        yield Paragraph(EXPLORATORY, kind="warning")
    yield gates_table(result)
    open_gates = [f"{gate_name(gate.key)}: {gate.words}" for gate in result.gates if gate.result != "PASS"]
    if open_gates:
        yield Bullets("Not passed:", open_gates)
    yield from evidence_blocks(result)
    if next_step:
        yield Command(next_step)


EXPLORATORY: Final = (
    "Stored answers were judged again after they had been seen, so the stated risks do not hold: a hint, no verdict."
)


def headline(result: ComparisonResult) -> str:
    """Line 1: the verdict and its reason."""
    hint = " (exploratory)" if result.exploratory else ""
    return f"{result.verdict}{hint}: {result.words}"


def basis_words(result: ComparisonResult) -> str:
    """Line 2: what was compared, and how much of it."""
    drawn = f"{numbers.share(Decimal(result.canary))} of {numbers.counted(result.population, 'call')}"
    baseline = "" if result.baseline == "fresh" else " The current side is not asked again: its logged answers stand."
    return (
        f"{result.current.name} → {result.target.name}: {numbers.counted(result.pairs, 'pair')} judged of"
        f" {numbers.count(result.planned_pairs)} drawn ({drawn}, seed {result.seed}).{baseline}"
    )


def gates_table(result: ComparisonResult) -> Table:
    """Each gate with its estimate, interval, limit, result and pairs."""
    columns = [
        Column("Gate"),
        Column("Limit", "right", drop=4),
        Column("Result"),
        Column("Now", "right", drop=2),
        Column("Target", "right", drop=3),
        Column(f"Estimate ({percent(result.confidence)} interval)", "right", drop=6),
        Column("Pairs", "right", drop=5),
        Column("Evidence", "right", drop=1),
    ]
    return Table(columns=columns, rows=[_gate_row(gate) for gate in result.gates])


def _gate_row(gate: GateResult) -> list[str]:
    return [
        gate_name(gate.key),
        gate.limit,
        gate.result,
        level(gate, gate.current),
        level(gate, gate.target),
        figure_words(gate),
        numbers.count(gate.pairs),
        evidence_words(gate),
    ]


def evidence_words(gate: GateResult) -> str:
    """How much evidence there has been for the gate, and how much is enough."""
    match gate.result:
        case "not comparable":
            return numbers.MISSING
        case "FAIL":
            return f"against: {_wealth(gate.evidence_fail)} of {_wealth(gate.needed_fail)}"
    return f"{_wealth(gate.evidence_pass)} of {_wealth(gate.needed_pass)}"


def _wealth(evidence: float) -> str:
    return ">1,000" if evidence > 1_000 else f"{evidence:,.1f}"


def evidence_blocks(result: ComparisonResult) -> Iterator[Block]:
    """What stands beside the verdict: both sides, money, noise, measures, failures, what was left out."""
    yield _sides_table(result)
    yield Paragraph(cost_words(result))
    yield Paragraph(spend_words(result))
    yield from _noise_blocks(result)
    yield from _measures(result)
    yield from _failure_blocks(result)
    yield from _notes(result)


def _sides_table(result: ComparisonResult) -> Table:
    columns = [
        Column("Side"),
        Column("Answers", "right"),
        Column("Errors", "right"),
        Column("After retries", "right", drop=4),
        Column("p50", "right", drop=6),
        Column("p95", "right"),
        Column("p99", "right", drop=2),
        Column("First token p50", "right", drop=3),
        Column("Output tokens", "right", drop=5),
        Column("Cost USD", "right", drop=7),
    ]
    return Table(columns=columns, rows=[_side_row(side) for side in (result.current, result.target)])


def _side_row(side: SideSummary) -> list[str]:
    latency = side.latency_ms
    times = (None, None, None) if latency is None else (latency.p50, latency.p95, latency.p99)
    return [
        side.name,
        numbers.count(side.answers),
        numbers.share(side.errors),
        numbers.share(side.errors_after_retries),
        *map(numbers.milliseconds, times),
        numbers.milliseconds(None if side.ttft_ms is None else side.ttft_ms.p50),
        numbers.count(side.output_tokens) if side.answers > side.usage_missing else numbers.MISSING,
        _side_cost(side),
    ]


def _side_cost(side: SideSummary) -> str:
    if side.cost is None:
        return numbers.MISSING
    part = f" + {numbers.counted(side.unpriced_answers, 'answer')} unpriced" if side.unpriced_answers else ""
    return numbers.money(Decimal(side.cost)) + part


def cost_words(result: ComparisonResult) -> str:
    """What the same requests cost on both sides."""
    cost = result.cost
    if cost is None:
        return "Cost is not compared: no request was answered by both sides at a known cost."
    requests = "The same request" if cost.pairs == 1 else f"The same {numbers.count(cost.pairs)} requests"
    current, target = (numbers.money(Decimal(amount), cost.currency) for amount in (cost.current, cost.target))
    change = "" if cost.saving_share is None else f" ({numbers.signed_share(-cost.saving_share)})"
    words = f"{requests} cost {current} at {result.current.name} and {target} at {result.target.name}{change}."
    free = unbilled(result)
    return (
        f"{words} Nothing is billed by the token at {free}; what its machines cost is not in this." if free else words
    )


def spend_words(result: ComparisonResult) -> str:
    """What the run itself has cost."""
    spend = result.spend
    cap = f" of at most {numbers.money(Decimal(spend.cap), spend.currency)}" if spend.cap is not None else ""
    maybe = Decimal(spend.possibly_billed)
    more = f"; failures may have been billed, at worst {numbers.money(maybe, spend.currency)} more" if maybe else ""
    tokens = f", {numbers.counted(spend.tokens, 'token')} of at most {numbers.count(spend.tokens_cap)}"
    return (
        f"The run spent {numbers.money(Decimal(spend.total), spend.currency)}{cap}"
        f"{tokens if spend.tokens_cap is not None else ''}{more}."
    )


def _noise_blocks(result: ComparisonResult) -> Iterator[Block]:
    if not result.noise:
        return
    columns = [
        Column("Agreement"),
        Column("Current with itself", "right"),
        Column("Target with current", "right"),
        Column("Unrelated answers", "right", drop=3),
        Column("Current with log", "right", drop=2),
        Column("Asked twice", "right", drop=1),
    ]
    rows = [
        [
            gate_name(noise.gate),
            score(noise.repeat),
            score(noise.target),
            score(noise.unrelated),
            score(noise.logged),
            numbers.count(noise.repeated_pairs),
        ]
        for noise in result.noise
    ]
    yield Table(columns=columns, rows=rows, title="Noise: how alike answers are, 0 to 1")
    words = [f"{gate_name(noise.gate)}: {noise.words}{_bases(noise.bases)}" for noise in result.noise]
    yield Bullets("What it means:", [line[:1].upper() + line[1:] for line in words])


def _bases(bases: Mapping[str, int]) -> str:
    if not bases:
        return ""
    parts = [f"{gate_name(name)} in {numbers.counted(count, 'pair')}" for name, count in bases.items()]
    return f" (decided by {', '.join(parts)})"


def score(value: float | None) -> str:
    """A mean score between 0 and 1."""
    return numbers.MISSING if value is None else f"{value:.3f}"


def _measures(result: ComparisonResult) -> Iterator[Block]:
    """Every measure that applied to something, and the names of the others."""
    applied = [item for item in result.measures if item.pairs or item.not_measured or item.current is not None]
    idle = [gate_name(item.name) for item in result.measures if item not in applied]
    if applied:
        yield _measures_table(applied)
    if idle:
        yield Paragraph(f"Applied to no pair: {', '.join(idle)}.", kind="note")


def _measures_table(measures: list[MeasureSummary]) -> Table:
    columns = [
        Column("Measure"),
        Column("Current", "right"),
        Column("Target", "right"),
        Column("Current with itself", "right", drop=1),
        Column("Pairs", "right"),
        Column("Not measured", drop=0),
    ]
    return Table(columns=columns, rows=[_measure_row(item) for item in measures], title="All measures")


def _measure_row(item: MeasureSummary) -> list[str]:
    failed = "" if not item.not_measured else f"{numbers.counted(item.not_measured, 'pair')}: {item.why or 'no reason'}"
    return [
        gate_name(item.name),
        score(item.current),
        score(item.target),
        score(item.repeat),
        numbers.count(item.pairs),
        failed,
    ]


def _failure_blocks(result: ComparisonResult) -> Iterator[Block]:
    if result.failures:
        yield failures_table(result)
    for item in result.failures:
        if item.parameters:
            told = ", ".join(f"{name} ({numbers.counted(n, 'request')})" for name, n in item.parameters.items())
            who = side_name(result, item.side)
            yield Paragraph(f"{who} does not take {told}: such requests fail every time, not by chance.", kind="note")
    clustered = [item for item in result.clustering if item.clustered]
    if clustered:
        sides = " and ".join(side_name(result, item.side) for item in clustered)
        yield Paragraph(f"Failures of {sides} came in clusters and not by chance.", kind="warning")


def failures_table(result: ComparisonResult) -> Table:
    """Failures by side and kind."""
    columns = [
        Column("Failure"),
        Column("Side"),
        Column("First attempts", "right"),
        Column("After retries", "right"),
    ]
    rows = [
        [
            failure_words(item),
            side_name(result, item.side),
            numbers.count(item.first_attempts),
            numbers.count(item.after_retries),
        ]
        for item in result.failures
    ]
    return Table(columns=columns, rows=rows, title="Failures")


def failure_words(item: FailureCount) -> str:
    """A failure's kind, with the parameters that were refused."""
    kind = item.failure.replace("_", " ")
    return f"{kind}: {', '.join(item.parameters)}" if item.parameters else kind


def _notes(result: ComparisonResult) -> Iterator[Block]:
    if result.excluded:
        reasons = [
            f"{numbers.counted(item.pairs, 'pair')}: {change_words(item.reason)} ({side_name(result, item.side)})"
            for item in result.excluded
        ]
        yield Bullets("Not measured:", reasons)
    for title, counts in (
        ("Cannot be put to a side:", result.incompatible),
        ("Translated for the target:", result.changed),
        ("Calls that could not be drawn:", result.left_out),
    ):
        if counts:
            yield Bullets(title, [f"{numbers.count(count)}: {change_words(words)}" for words, count in counts.items()])
    yield from (Paragraph(words, kind="note") for words in _doubts(result))


def _doubts(result: ComparisonResult) -> Iterator[str]:
    for side in (result.current, result.target):
        if side.usage_missing:
            answers = numbers.counted(side.usage_missing, "answer")
            yield f"{side.name} sent no usage with {answers}; their tokens are in no sum, their cost is an estimate."
        if len(side.served_models) > 1:
            models = ", ".join(f"{name} ({numbers.count(count)})" for name, count in side.served_models.items())
            yield f"More than one model answered for {side.name}: {models}."
    if result.not_sent_again:
        requests = numbers.counted(result.not_sent_again, "request")
        yield f"{requests} of an earlier start may have been sent; charged at the worst case, not sent again."
    if result.lag_ms_p99 is not None and result.lag_ms_p99 > LAG_SHOWN:
        lag = numbers.milliseconds(result.lag_ms_p99)
        yield f"Requests waited up to {lag} (p99) for our own limits; latencies do not contain that."


def _record(gate: GateResult) -> dict[str, Any]:
    return {
        "gate": gate.key, "limit": gate.limit, "result": gate.result, "kind": gate.kind, "estimate": gate.estimate,
        "low": gate.low, "high": gate.high, "limit_value": gate.limit_value, "current": gate.current,
        "target": gate.target, "pairs": gate.pairs, "pilot_pairs": gate.pilot_pairs,
        "evidence_pass": gate.evidence_pass, "evidence_fail": gate.evidence_fail, "needed_pass": gate.needed_pass,
        "needed_fail": gate.needed_fail, "p_value": gate.p_value, "expected_pairs": gate.expected_pairs,
        "words": gate.words,
    }  # fmt: skip
