"""The page of a comparison for a browser: verdict, gates as a forest plot and money first, then the pairs behind it."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final

from llmmigrate.reports import numbers
from llmmigrate.reports.html.blocks import Card, Cards, Compared, Forest, Interval, Page, Section, Tone, WebBlock
from llmmigrate.reports.html.forest import placed
from llmmigrate.reports.shadow_figures import (
    Gate,
    change_words,
    figure_words,
    gate_name,
    level,
    percent,
    side_name,
    unbilled,
)
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table
from llmmigrate.shadow.examples import Example, Examples, FailureExample
from llmmigrate.shadow.results import ComparisonResult, SideSummary

_TONES: Final[Mapping[str, Tone]] = {"PASS": "good", "FAIL": "bad"}
"""Everything else is unsure: what is not measured or not decided is never green."""
NOT_MEASURED: Final = "not measured"


def web_page(result: ComparisonResult, examples: Examples, evidence: Iterable[Block], next_step: str | None) -> Page:
    """The page; `evidence` is what the other formats show beside the gates."""
    sections = [
        Section(title=None, blocks=list(_first_screen(result, next_step))),
        Section(title="The gates", blocks=[_forest(result)]),
        Section(title="What it rests on", blocks=list(evidence)),
        *_example_sections(result, examples),
        Section(title="How this was computed", blocks=list(_method(result))),
    ]
    return Page(
        title=f"{result.current.name} → {result.target.name}",
        subtitle=f"{result.ended[:10]}, {numbers.counted(result.pairs, 'pair')}, llmmigrate {result.version}",
        badge="EXPLORATORY" if result.exploratory else result.verdict,
        tone=_tone(result),
        sections=sections,
    )


def _tone(result: ComparisonResult) -> Tone:
    return "unsure" if result.exploratory else _TONES.get(result.verdict, "unsure")


def _first_screen(result: ComparisonResult, next_step: str | None) -> Iterator[WebBlock]:
    yield Paragraph(result.words, strong=True)
    if result.exploratory:
        yield Paragraph(
            "Answers were judged again after they had been seen: the stated risks do not hold.", kind="warning"
        )
    yield Cards([_cost_card(result), _errors_card(result), _latency_card(result), _agreement_card(result)])
    if next_step:
        yield Command(next_step)


def _cost_card(result: ComparisonResult) -> Card:
    cost = result.cost
    if cost is None:
        return Card("Cost", NOT_MEASURED, "no request was answered by both sides at a known cost", "unsure")
    current, target = (numbers.money(Decimal(amount)) for amount in (cost.current, cost.target))
    change = "" if cost.saving_share is None else f", {numbers.signed_share(-cost.saving_share)}"
    free = unbilled(result)
    machines = f"; without the machines of {free}" if free else ""
    note = f"{cost.currency}{change}; {numbers.counted(cost.pairs, 'pair')}{machines}"
    return Card("Cost of the same requests", f"{current} → {target}", note)


def _errors_card(result: ComparisonResult) -> Card:
    current, target = result.current.errors, result.target.errors
    if target is None:
        return Card("Errors", NOT_MEASURED, "", "unsure")
    values = f"{_known(numbers.share(current), current)} → {numbers.share(target)}"
    return _gated(result, "errors", "Errors at first attempts", values)


def _latency_card(result: ComparisonResult) -> Card:
    if result.target.latency_ms is None:
        return Card("Latency p95", NOT_MEASURED, "", "unsure")
    return _gated(result, "latency_p95", "Latency p95", f"{_p95(result.current)} → {_p95(result.target)}")


def _p95(side: SideSummary) -> str:
    return NOT_MEASURED if side.latency_ms is None else numbers.milliseconds(side.latency_ms.p95)


def _agreement_card(result: ComparisonResult) -> Card:
    noise = next((item for item in result.noise if item.gate == "agreement"), None)
    if noise is None or noise.target is None:
        return Card("Agreement", NOT_MEASURED, "", "unsure")
    values = f"{_known(f'{noise.repeat or 0:.2f}', noise.repeat)} → {noise.target:.2f}"
    return _gated(result, "agreement", "Agreement with itself → target", values)


def _known(text: str, value: float | None) -> str:
    return NOT_MEASURED if value is None else text


def _gated(result: ComparisonResult, key: str, label: str, value: str) -> Card:
    """A card in the tone of its gate; without a gate its figure is only shown."""
    gate = next((item for item in result.gates if item.key == key), None)
    if gate is None:
        return Card(label, value, "no gate")
    tone: Tone = "unsure" if result.exploratory else _TONES.get(gate.result, "unsure")
    return Card(label, value, f"{gate.result}: limit {gate.limit}", tone)


def _forest(result: ComparisonResult) -> Forest:
    legend = (
        "Each row has a scale of its own. Solid line: the limit, worse lies to its right. Dashed line: where things"
        f" stand now. Bar: {percent(result.confidence)} interval, an estimate; the result is the test's beside it."
    )
    return Forest(rows=[interval(gate, result.exploratory) for gate in result.gates], legend=legend)


def interval(gate: Gate, exploratory: bool) -> Interval:
    """A gate as a row of a forest plot."""
    rising = not gate.limit.startswith(">")
    now = _now(gate, rising)

    def place(value: float | None) -> float | None:
        return placed(value, limit=gate.limit_value, now=now, rising=rising)

    ends = sorted(end for end in (place(gate.low), place(gate.high)) if end is not None)
    low, high = ends if len(ends) == 2 else (None, None)
    return Interval(
        name=gate_name(gate.key),
        limit=gate.limit,
        result=gate.result,
        tone="unsure" if exploratory else _TONES.get(gate.result, "unsure"),
        now=place(now),
        low=low,
        place=place(gate.estimate),
        high=high,
        figure=NOT_MEASURED if gate.estimate is None else figure_words(gate),
        note=_gate_note(gate),
    )


def _now(gate: Gate, rising: bool) -> float:
    """Where the current side stands, in the unit of the gate's estimate."""
    match gate.kind:
        case "difference":
            return 0.0
        case "ratio":
            return 1.0
        case "share":
            return gate.current if gate.current is not None else float(not rising)
        case "ms":
            return gate.current if gate.current is not None else 0.0


def _gate_note(gate: Gate) -> str:
    sides = f"now {level(gate, gate.current)}, target {level(gate, gate.target)}; {numbers.counted(gate.pairs, 'pair')}"
    return sides if gate.result == "PASS" else f"{gate.words}; {sides}"


def _example_sections(result: ComparisonResult, examples: Examples) -> Iterator[Section]:
    if examples.worst:
        shown = [_compared(result, number, item) for number, item in enumerate(examples.worst, 1)]
        intro = Paragraph(f"The {numbers.counted(len(shown), 'pair')} that speak most against the target, worst first.")
        yield Section(title="The worst pairs", blocks=[intro, *shown])
    elif result.store == "hashes":
        yield Section(title="The worst pairs", blocks=[Paragraph("No texts were kept (--store hashes).")])
    if examples.failures:
        yield Section(title="One failure of each kind", blocks=[_failures(result, examples.failures)])


def _compared(result: ComparisonResult, number: int, item: Example) -> Compared:
    turns = f", after {numbers.counted(item.earlier_turns, 'earlier turn')}" if item.earlier_turns else ""
    scores = ", ".join(f"{gate_name(name)} {score:.2f}" for name, score in item.scores)
    return Compared(
        title=f"{number}. {item.key}",
        note=f"{item.place}{turns}. {scores}",
        question=item.prompt or "(no text)",
        sides=[
            (f"Current: {result.current.name}", item.current or "(empty)"),
            (f"Target: {result.target.name}", item.target or "(empty)"),
        ],
    )


def _failures(result: ComparisonResult, failures: Iterable[FailureExample]) -> Table:
    columns = [Column("Failure"), Column("Side"), Column("Where"), Column("What was said")]
    rows = [
        [change_words(item.failure), side_name(result, item.side), item.place, item.detail or numbers.MISSING]
        for item in failures
    ]
    return Table(columns=columns, rows=rows)


def _method(result: ComparisonResult) -> Iterator[Block]:
    alpha = percent(result.alpha)
    yield Paragraph(
        f"Each gate is one test that may be looked at after every pair. A wrong PASS has a risk of at most {alpha}, a"
        f" wrong FAIL at most {alpha}; both speak of independent {result.unit}s of this log during this run."
    )
    yield Bullets(
        "To repeat it:",
        [
            f"command: {result.command}",
            f"seed {result.seed}, sample SHA-256 {result.hashes.sample or numbers.MISSING}",
            *(f"log {path}: SHA-256 {digest}" for path, digest in result.hashes.logs.items()),
            *(f"prices of {name}: SHA-256 {digest}" for name, digest in result.hashes.prices.items()),
            f"from {result.started} to {result.ended}; texts stored: {result.store}",
        ],
    )
