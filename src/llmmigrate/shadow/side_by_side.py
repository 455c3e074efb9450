"""Models side by side: what they cost and can do by the price tables, and how fast they were in benchmarks."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec

from llmmigrate.costing.results import Record
from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.entries import Entry
from llmmigrate.prices.sheets import PriceSheet, SheetRow, price_sheet
from llmmigrate.shadow.bench_results import Bench, BenchEndpoint, Milliseconds

SCHEMA: Final = "llmmigrate.prices-compare/1"
RATES: Final = ("input", "cache_read", "output")

Rate = Annotated[str, msgspec.Meta(description="an exact decimal amount per 1M tokens")]


class MeasuredSpeed(Record, frozen=True, kw_only=True):
    """What a benchmark measured of a model; null where it could not tell."""

    bench: str
    """The file."""
    started: str
    answers: int
    failed: int
    """Requests without an answer that were no fault of our own."""
    latency_p50: Milliseconds | None
    latency_p90: Milliseconds | None
    latency_p99: Milliseconds | None
    ttft_p50: Milliseconds | None
    inter_token_p50: Milliseconds | None
    output_tokens_per_second: float | None
    requests_per_second: float | None


class ComparedModel(Record, frozen=True, kw_only=True):
    """One model."""

    name: str
    priced: bool
    currency: str | None
    per_mtok: dict[str, Rate]
    """Standard rates in force for a small call: input, cache_read and output where they have a rate."""
    varies: bool
    """Other rates hold for some calls, such as long prompts, or at other hours: `prices show` lists them."""
    since: str | None
    context_window: int | None
    max_output: int | None
    capability_tier: str | None
    capabilities: list[str]
    retires: str | None
    measured: list[MeasuredSpeed]


class ComparedModels(Record, frozen=True, kw_only=True):
    """Models side by side (llmmigrate.prices-compare/1)."""

    schema: str
    at: str
    models: list[ComparedModel]


def compare(
    catalog: Catalog, entries: Mapping[str, Entry | None], benches: Sequence[tuple[str, Bench]], at: int
) -> ComparedModels:
    """The models at `at` (epoch seconds), by the name that was asked for; an entry that is None has no price table.

    Benchmarks are taken by that name, and by the provider and id of the entry.
    """
    sheets = {name: None if entry is None else price_sheet(catalog, entry, at) for name, entry in entries.items()}
    return ComparedModels(
        schema=SCHEMA,
        at=_instant(at),
        models=[_model(name, sheet, _measured(name, sheet, benches)) for name, sheet in sheets.items()],
    )


def _model(name: str, sheet: PriceSheet | None, measured: list[MeasuredSpeed]) -> ComparedModel:
    row = None if sheet is None else _standard(sheet)
    standard = [] if sheet is None else [item for item in sheet.rows if item.tier == "standard"]
    return ComparedModel(
        name=name,
        priced=row is not None,
        currency=sheet.currency if sheet is not None and row is not None else None,
        per_mtok={} if row is None else {key: row.per_mtok[key] for key in RATES if key in row.per_mtok},
        varies=len({tuple(item.per_mtok.items()) for item in standard}) > 1,
        since=sheet.period.start if sheet is not None and sheet.period else None,
        context_window=sheet.context_window if sheet else None,
        max_output=sheet.max_output if sheet else None,
        capability_tier=sheet.capability_tier if sheet else None,
        capabilities=list(sheet.capabilities) if sheet else [],
        retires=sheet.retires if sheet else None,
        measured=measured,
    )


def _standard(sheet: PriceSheet) -> SheetRow | None:
    """The standard rates of a small call: those that hold now, else those that hold when nothing else does."""
    standard = [row for row in sheet.rows if row.tier == "standard" and row.in_force is not False]
    if not standard:
        return None
    return standard[0] if standard[0].in_force else standard[-1]


def _measured(name: str, sheet: PriceSheet | None, benches: Sequence[tuple[str, Bench]]) -> list[MeasuredSpeed]:
    names = {name} if sheet is None else {name, f"{sheet.provider}/{sheet.model}"}
    return [
        _speed(path, bench, endpoint)
        for path, bench in benches
        for endpoint in bench.endpoints
        if endpoint.name in names
    ]


def _speed(path: str, bench: Bench, found: BenchEndpoint) -> MeasuredSpeed:
    return MeasuredSpeed(
        bench=path,
        started=bench.started,
        answers=found.answers,
        failed=sum(count for failure, count in found.failures.items() if failure != "ours"),
        latency_p50=found.latency_ms.p50,
        latency_p90=found.latency_ms.p90,
        latency_p99=found.latency_ms.p99,
        ttft_p50=found.ttft_ms.p50,
        inter_token_p50=found.inter_token_ms.p50,
        output_tokens_per_second=found.output_tokens_per_second,
        requests_per_second=found.requests_per_second,
    )


def _instant(epoch: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(epoch, UTC).isoformat().replace("+00:00", "Z")
