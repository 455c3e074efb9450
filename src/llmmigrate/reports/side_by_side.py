"""The page of `prices compare`: price, context, capabilities and measured speed side by side."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from llmmigrate.reports import Report, numbers
from llmmigrate.reports.bench import per_second
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table
from llmmigrate.shadow.side_by_side import RATES, ComparedModel, ComparedModels, MeasuredSpeed


def report(found: ComparedModels, *, next_step: str | None = None) -> Report:
    """The report of models side by side."""
    return Report(
        document=msgspec.to_builtins(found),
        page=list(_page(found, next_step)),
        records=[record for model in found.models for record in _records(model)],
    )


def _page(found: ComparedModels, next_step: str | None) -> Iterator[Block]:
    yield Paragraph(f"Per 1M tokens: {'; '.join(map(_price_words, found.models))}.", strong=True)
    yield _prices(found)
    if any(model.measured for model in found.models):
        yield _speeds(found)
    yield from _capabilities(found)
    varying = [model.name for model in found.models if model.varies]
    if varying:
        yield Paragraph(
            f"{', '.join(varying)}: other rates hold for some calls, such as long prompts; `prices show` lists them.",
            kind="note",
        )
    if next_step:
        yield Command(next_step)


def _price_words(model: ComparedModel) -> str:
    if not model.priced:
        return f"{model.name} has no price"
    return f"{model.name} {_rate(model, 'input')} in, {_rate(model, 'output')} out {model.currency}"


def _rate(model: ComparedModel, name: str) -> str:
    text = model.per_mtok.get(name)
    return numbers.rate(None if text is None else Decimal(text))


def _prices(found: ComparedModels) -> Table:
    columns = [
        Column("Model"),
        Column("Input", "right"),
        Column("Cached", "right", drop=3),
        Column("Output", "right"),
        Column("Currency", drop=4),
        Column("Context", "right", drop=5),
        Column("Longest reply", "right", drop=2),
        Column("Tier", drop=1),
    ]
    rows = [
        [
            model.name,
            *(_rate(model, name) for name in RATES),
            model.currency or numbers.MISSING,
            numbers.count(model.context_window),
            numbers.count(model.max_output),
            model.capability_tier or numbers.MISSING,
        ]
        for model in found.models
    ]
    return Table(columns=columns, rows=rows, title=f"Price per 1M tokens at {found.at}, and size")


def _speeds(found: ComparedModels) -> Table:
    columns = [
        Column("Model"),
        Column("Answers", "right", drop=4),
        Column("Failed", "right"),
        Column("p50", "right"),
        Column("p90", "right", drop=3),
        Column("p99", "right", drop=5),
        Column("TTFT p50", "right"),
        Column("Tokens/s", "right"),
        Column("Answers/s", "right", drop=1),
        Column("Measured", drop=2),
    ]
    rows = [
        [
            model.name,
            numbers.count(speed.answers),
            numbers.count(speed.failed),
            numbers.milliseconds(speed.latency_p50),
            numbers.milliseconds(speed.latency_p90),
            numbers.milliseconds(speed.latency_p99),
            numbers.milliseconds(speed.ttft_p50),
            per_second(speed.output_tokens_per_second),
            per_second(speed.requests_per_second),
            speed.started[:10],
        ]
        for model in found.models
        for speed in model.measured
    ]
    return Table(columns=columns, rows=rows, title="Speed, measured")


def _capabilities(found: ComparedModels) -> Iterator[Block]:
    """Who can what, as far as the tables know; what nobody wrote down is no "cannot"."""
    items = []
    for model in found.models:
        known = ", ".join(model.capabilities) or "nothing is written down"
        retires = f"; no candidate from {model.retires[:10]} on" if model.retires else ""
        items.append(f"{model.name}: {known}{retires}")
    yield Bullets("Capabilities by the price tables:", items)


def _records(model: ComparedModel) -> list[dict[str, Any]]:
    """A row for each benchmark of a model; one where there is none."""
    return [_record(model, speed) for speed in model.measured] or [_record(model, None)]


def _record(model: ComparedModel, speed: MeasuredSpeed | None) -> dict[str, Any]:
    measured = dict.fromkeys(MeasuredSpeed.__struct_fields__) if speed is None else msgspec.structs.asdict(speed)
    return {
        "model": model.name,
        "currency": model.currency,
        **{name: model.per_mtok.get(name) for name in RATES},
        "varies": model.varies,
        "context_window": model.context_window,
        "max_output": model.max_output,
        "capability_tier": model.capability_tier,
        "capabilities": " ".join(model.capabilities),
        **measured,
    }
