"""The page of `bench`: who answers how fast, side by side."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from llmmigrate.reports import Report, numbers
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table
from llmmigrate.shadow.bench_results import Bench, BenchEndpoint, BenchLoad, Spread

LATE_MS: Final = 500.0
"""Milliseconds: a schedule that is missed by more at the 99th percentile measures us as well."""
STOPPED: Final = {
    "budget": "the cap was reached",
    "breaker": "it failed again and again",
    "auth": "it refused the key",
    "quota": "the account has no quota left",
    "not_found": "it does not know the model or the address",
    "interrupted": "interrupted",
}


def report(found: Bench, *, next_step: str | None = None) -> Report:
    """The report of a benchmark."""
    return Report(
        document=msgspec.to_builtins(found),
        page=list(_page(found, next_step)),
        records=[_record(item, found.currency) for item in found.endpoints],
    )


def _page(found: Bench, next_step: str | None) -> Iterator[Block]:
    yield Paragraph(headline(found), strong=True)
    yield Paragraph(load_words(found.load))
    yield _speeds(found)
    if any(item.answers for item in found.endpoints):
        yield _spreads(found)
    failed = list(_failures(found))
    if failed:
        yield Bullets("Not answered:", failed)
    yield from (Paragraph(words, kind="warning") for words in _warnings(found))
    yield Paragraph(
        "A percentile p is shown from 1 / (1 - p) answers on. Time to first token counts reasoning that is streamed.",
        kind="note",
    )
    if next_step:
        yield Command(next_step)


def headline(found: Bench) -> str:
    """Line 1: the median answer of each endpoint, fastest first, and what was spent."""
    answered = [item for item in found.endpoints if item.latency_ms.p50 is not None]
    answered.sort(key=lambda item: item.latency_ms.p50 or 0.0)
    speeds = ", ".join(f"{item.name} {numbers.milliseconds(item.latency_ms.p50)}" for item in answered)
    first = f"Median answer: {speeds}" if answered else "No endpoint answered"
    return f"{first}; {spent_words(found)}."


def spent_words(found: Bench) -> str:
    """What it has cost, as far as that is known."""
    known = sum((Decimal(item.cost) for item in found.endpoints if item.cost is not None), Decimal(0))
    words = f"{numbers.money(known, found.currency)} spent"
    unknown = sum(item.unknown_costs for item in found.endpoints)
    if not unknown:
        return words
    most = numbers.money(Decimal(found.spent), found.currency)
    return f"{words} and {numbers.counted(unknown, 'request')} of unknown cost, {most} at most"


def load_words(load: BenchLoad) -> str:
    """What was sent."""
    extent = f"{load.seconds:g} s" if load.seconds is not None else numbers.counted(load.requests or 0, "request")
    pace = f"{load.concurrency:,} at one time" if load.rate is None else f"{load.rate:g} a second"
    order = "one endpoint after another" if load.in_turn else "all endpoints at the same time"
    prompts = "bundled prompts" if load.prompts == "bundled" else f"prompts of {load.prompts}"
    return (
        f"Each was asked for {extent}, {pace}, {order}: {load.prompt_count:,} {prompts}, "
        f"replies of at most {load.max_output_tokens:,} tokens."
    )


def _speeds(found: Bench) -> Table:
    columns = [
        Column("Endpoint"),
        Column("Answers", "right"),
        Column("Failed", "right"),
        Column("p50", "right"),
        Column("TTFT p50", "right"),
        Column("Token gap", "right", drop=1),
        Column("Tokens/s", "right", drop=4),
        Column("Answers/s", "right", drop=2),
        Column("Cost", "right", drop=3),
    ]
    rows = [
        [
            item.name,
            numbers.count(item.answers),
            numbers.count(failed(item)),
            numbers.milliseconds(item.latency_ms.p50),
            numbers.milliseconds(item.ttft_ms.p50),
            numbers.milliseconds(item.inter_token_ms.p50),
            per_second(item.output_tokens_per_second),
            per_second(item.requests_per_second),
            numbers.money(None if item.cost is None else Decimal(item.cost)),
        ]
        for item in found.endpoints
    ]
    return Table(columns=columns, rows=rows, title=f"Side by side (cost in {found.currency})")


def _spreads(found: Bench) -> Table:
    columns = [
        Column("Endpoint"),
        Column("Time"),
        Column("Mean", "right"),
        Column("SD", "right", drop=1),
        Column("p50", "right"),
        Column("p90", "right"),
        Column("p99", "right"),
    ]
    rows = [
        [item.name, name, *(numbers.milliseconds(value) for value in _values(spread))]
        for item in found.endpoints
        for name, spread in (
            ("latency", item.latency_ms),
            ("first token", item.ttft_ms),
            ("token gap", item.inter_token_ms),
        )
        if spread.count
    ]
    return Table(columns=columns, rows=rows, title="How the times are spread")


def _values(spread: Spread) -> tuple[float | None, ...]:
    return spread.mean, spread.sd, spread.p50, spread.p90, spread.p99


def _failures(found: Bench) -> Iterator[str]:
    for item in found.endpoints:
        for failure, count in item.failures.items():
            said = f": {item.details[failure]}" if item.details.get(failure) else ""
            yield f"{item.name}: {count:,} × {failure.replace('_', ' ')}{said}"
        if item.stopped:
            said = "" if item.stopped in item.failures else item.details.get(item.stopped, "")
            words = STOPPED.get(item.stopped, item.stopped)
            yield f"{item.name} was not asked to the end: {words}" + (f" ({said})" if said else "")


def _warnings(found: Bench) -> Iterator[str]:
    for item in found.endpoints:
        if item.answers and item.tokens.answers < item.answers:
            yield f"{item.name} told no usage in {item.answers - item.tokens.answers:,} of {item.answers:,} answers"
        if item.tokens.cached_input:
            share = Decimal(item.tokens.cached_input) / max(1, item.tokens.input)
            yield f"{item.name} read {numbers.share(share)} of the prompts from a cache"
        if item.lag_ms_p99 is not None and item.lag_ms_p99 > LATE_MS:
            yield (
                f"requests to {item.name} left up to {numbers.milliseconds(item.lag_ms_p99)} late (p99): "
                f"limits, or this machine, held them back"
            )
        if "empty" in item.failures:
            yield f"{item.name} gave empty answers: reasoning may have used up --max-output-tokens"


def failed(item: BenchEndpoint) -> int:
    """Requests that the endpoint did not answer; our own faults are none of them."""
    return sum(count for failure, count in item.failures.items() if failure != "ours")


def per_second(rate: float | None) -> str:
    """`3.21`, `187`."""
    return numbers.MISSING if rate is None else f"{rate:,.2f}" if rate < 10 else f"{rate:,.0f}"


def _record(item: BenchEndpoint, currency: str) -> dict[str, Any]:
    spreads = {"latency": item.latency_ms, "ttft": item.ttft_ms, "inter_token": item.inter_token_ms}
    return {
        "endpoint": item.name,
        "answers": item.answers,
        "failed": failed(item),
        "stopped": item.stopped,
        **{
            f"{name}_ms_{figure}": getattr(spread, figure)
            for name, spread in spreads.items()
            for figure in ("mean", "sd", "p50", "p90", "p99")
        },
        "output_tokens_per_second": item.output_tokens_per_second,
        "requests_per_second": item.requests_per_second,
        "input_tokens": item.tokens.input,
        "output_tokens": item.tokens.output,
        "cost": item.cost,
        "currency": currency,
    }
