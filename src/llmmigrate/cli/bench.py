"""`llmmigrate bench`."""

import asyncio
import dataclasses
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final

import typer

from llmmigrate.cli.caps import dollars, no_price, token_count, too_dear
from llmmigrate.cli.comparison import side_at
from llmmigrate.cli.console import Console
from llmmigrate.cli.endpoints import Served, served
from llmmigrate.cli.options import OutputOptions, command, new_app, settings
from llmmigrate.cli.output import destinations, write
from llmmigrate.cli.reading import catalog_of, command_line, now_ns
from llmmigrate.errors import LlmmigrateError, UsageError
from llmmigrate.units import NANOSECONDS

if TYPE_CHECKING:
    from llmmigrate.prices import Catalog
    from llmmigrate.shadow.bench import Load, Progress
    from llmmigrate.shadow.bench_results import Bench, BenchEndpoint
    from llmmigrate.shadow.budget import Budget
    from llmmigrate.shadow.sides import Side

app = new_app()

DEFAULT_SECONDS: Final = 30.0
DEFAULT_CONCURRENCY: Final = 8
DEFAULT_MOST: Final = 256
"""Requests at one time in an open loop: a schedule that nobody keeps up with must not fill the memory."""
DEFAULT_MAX_COST: Final = Decimal(1)
INCOMPLETE: Final = 3


@dataclass(frozen=True, kw_only=True)
class BenchOptions(OutputOptions):
    """The command line of `bench`."""

    endpoints: Annotated[
        list[str], typer.Argument(metavar="P/M...", show_default=False, help="Who is asked, each as provider/model.")
    ]
    duration: Annotated[str | None, typer.Option(metavar="TIME", help="Ask for so long, such as 30s or 2min; 30s.")] = (
        None
    )
    requests: Annotated[int | None, typer.Option(metavar="N", help="Ask each so many times instead of for a time.")] = (
        None
    )
    concurrency: Annotated[
        int | None, typer.Option(metavar="N", help="Requests at one time at each endpoint; 8, or 256 with --rate.")
    ] = None
    rate: Annotated[
        float | None, typer.Option(metavar="N", help="Start so many requests a second, however long answers take.")
    ] = None
    in_turn: Annotated[
        bool, typer.Option("--in-turn", help="One endpoint after another, for those that share a machine.")
    ] = False
    prompts: Annotated[
        str | None, typer.Option(metavar="FILE", help="Text, a prompt a line, or .jsonl with messages; else our own.")
    ] = None
    max_output_tokens: Annotated[
        int, typer.Option(metavar="N", show_default=False, help="The longest reply, where a prompt sets none; 1024.")
    ] = 1024
    max_cost: Annotated[str | None, typer.Option(metavar="USD", help="Spend at most this, all together; 1.")] = None
    max_tokens_total: Annotated[
        str | None, typer.Option(metavar="N", help="Use at most so many tokens, for a model without a price: 200k.")
    ] = None


@command(app)
def bench(options: BenchOptions, console: Console) -> int:
    """How fast do endpoints answer: latency, time to first token, tokens and requests a second, side by side.

    \b
    Examples:
      llmmigrate bench openai/o3 zai/glm-5 --duration 30s --concurrency 8 -o bench.json
      llmmigrate bench local/glm-5 --rate 2 --duration 2min --prompts prompts.txt
      llmmigrate bench local/glm-5 local/glm-5-air --in-turn --requests 50
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.reports.bench import report

    to = destinations(options.format, options.output, inputs=[options.prompts] if options.prompts else [])
    found = settings(options)
    catalog = catalog_of(found)
    load = _load(options)
    sides = [
        _side(served(name, None, found, catalog, option="P/M"), catalog, load) for name in _distinct(options.endpoints)
    ]
    budget = _budget(options, sides, load)
    result = _measure(sides, load, budget, console)
    write(report(result, next_step=_next_step(options)), to, console)
    if not any(item.answers for item in result.endpoints):
        raise _nothing_answered(result.endpoints)
    return INCOMPLETE if any(item.stopped for item in result.endpoints) else 0


def _distinct(names: list[str]) -> list[str]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice", fix="name each endpoint once")
    return names


def _load(options: BenchOptions) -> "Load":
    from llmmigrate import quantities
    from llmmigrate.shadow.bench import Load
    from llmmigrate.shadow.prompts import bundled, read_prompts

    if options.duration is not None and options.requests is not None:
        raise UsageError("--duration and --requests exclude each other", fix="leave out one of them")
    for name in ("requests", "concurrency", "rate", "max_output_tokens"):
        value = getattr(options, name)
        if value is not None and not 0 < value < 1_000_000:
            raise UsageError(f"--{name.replace('_', '-')} {value:g} is no such number", fix="write one above 0")
    try:
        seconds = DEFAULT_SECONDS if options.duration is None else quantities.seconds(options.duration)
    except ValueError as error:
        raise UsageError(f"--duration: {error}") from None
    return Load(
        prompts=bundled() if options.prompts is None else read_prompts(options.prompts),
        run=f"{now_ns() // NANOSECONDS:x}",
        concurrency=options.concurrency or (DEFAULT_CONCURRENCY if options.rate is None else DEFAULT_MOST),
        rate=options.rate,
        seconds=seconds if options.requests is None else None,
        requests=options.requests,
        in_turn=options.in_turn,
        max_output_tokens=options.max_output_tokens,
    )


def _side(at: Served, catalog: "Catalog", load: "Load") -> "Side":
    """An endpoint as the engine takes it, at the concurrency that was asked for."""
    endpoint = dataclasses.replace(at.endpoint, concurrency=load.concurrency)
    return side_at("target", at._replace(endpoint=endpoint), catalog, now_ns() // NANOSECONDS, None)


def _budget(options: BenchOptions, sides: "list[Side]", load: "Load") -> "Budget":
    """The cap. UsageError for prompts that a side cannot be asked, or whose cost no cap could hold."""
    from llmmigrate.shadow.bench import request_for
    from llmmigrate.shadow.budget import Budget

    cap = DEFAULT_MAX_COST if options.max_cost is None else dollars(options.max_cost)
    tokens = token_count(options.max_tokens_total)
    for side in sides:
        for number in range(len(load.prompts.bodies)):
            worst = side.worst(request_for(side, load, number))
            if worst.cost is None and tokens is None:
                raise no_price(side)
            if worst.cost is not None and worst.cost > cap:
                raise too_dear(f"one request at {side.endpoint.name}", worst.cost, cap)
    return Budget(cap=cap, token_cap=tokens)


def _measure(sides: "list[Side]", load: "Load", budget: "Budget", console: Console) -> "Bench":
    from llmmigrate import __version__
    from llmmigrate.logs.writing import timestamp
    from llmmigrate.money import plain
    from llmmigrate.shadow.bench import bench as measure
    from llmmigrate.shadow.bench_results import SCHEMA, Bench

    started = now_ns()

    async def whole() -> "list[BenchEndpoint]":
        stop = asyncio.Event()
        with _stopped_by_interrupt(stop, console), _progress(load, len(sides), console) as advance:
            return await measure(sides, load, budget, stop, advance)

    endpoints = asyncio.run(whole())
    return Bench(
        schema=SCHEMA,
        command=command_line(),
        version=__version__,
        started=timestamp(started),
        ended=timestamp(now_ns()),
        load=load.record(),
        endpoints=endpoints,
        spent=plain(budget.spent),
        cap=None if budget.cap is None else plain(budget.cap),
        currency="USD",
    )


@contextmanager
def _progress(load: "Load", endpoints: int, console: Console) -> "Iterator[Callable[[Progress], None]]":
    turns = endpoints if load.in_turn else 1
    if load.requests is not None:
        with console.counting("requests", load.requests * endpoints) as count:
            yield lambda progress: count(progress.requests, "")
    else:
        with console.counting("seconds", round((load.seconds or 0) * turns)) as count:
            yield lambda progress: count(round(progress.seconds), f"{progress.requests:,} requests")


@contextmanager
def _stopped_by_interrupt(stop: asyncio.Event, console: Console) -> Iterator[None]:
    """The first Ctrl-C lets what runs finish and shows what was measured; the second breaks off."""
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        stop.set()
        console.say("stopping: requests under way are finished; Ctrl-C again breaks off")

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _nothing_answered(found: "list[BenchEndpoint]") -> LlmmigrateError:
    """What went wrong first, for each endpoint."""
    first = [(item, next((name for name in item.details if name != "breaker"), None)) for item in found]
    reasons = [f"{item.name}: {name.replace('_', ' ')}, {item.details[name]}" for item, name in first if name]
    fix = "docs/failures.md says what each failure means and what helps"
    return LlmmigrateError("no endpoint answered", why="; ".join(reasons) or None, fix=fix)


def _next_step(options: BenchOptions) -> str | None:
    saved = next((path for path in options.output if path.endswith(".json")), None)
    return f"llmmigrate prices compare {' '.join(options.endpoints)} --bench {saved}" if saved else None
