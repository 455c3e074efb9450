"""`llmmigrate batch`."""

import asyncio
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmmigrate.cli.caps import dollars, no_limit, no_price, token_count, too_dear
from llmmigrate.cli.comparison import side_at
from llmmigrate.cli.console import Console
from llmmigrate.cli.endpoints import served
from llmmigrate.cli.interrupts import stopped_by_interrupt
from llmmigrate.cli.next_steps import NO_MORE, given, larger_caps, told
from llmmigrate.cli.options import ConfigOptions, command, new_app, settings
from llmmigrate.cli.output import check_writable, destinations, write
from llmmigrate.cli.reading import catalog_of, command_line, now_ns
from llmmigrate.cli.shadow_options import DEFAULT_MAX_COST
from llmmigrate.errors import EndpointError, UsageError
from llmmigrate.units import NANOSECONDS

if TYPE_CHECKING:
    from llmmigrate.shadow.batch import Batch, BatchResult, Line
    from llmmigrate.shadow.sides import Side

app = new_app()


@dataclass(frozen=True, kw_only=True)
class BatchOptions(ConfigOptions):
    """The command line of `batch`."""

    requests: Annotated[
        str, typer.Argument(metavar="REQUESTS", show_default=False, help="Lines of OpenAI's Batch input.")
    ]
    to: Annotated[str | None, typer.Option(metavar="P/M", help="Who answers; else `to` of the settings.")] = None
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Where answers go, a line each. Needed.")
    ] = None
    max_cost: Annotated[str | None, typer.Option(metavar="USD", help="Spend at most this, never more; 25.")] = None
    max_tokens_total: Annotated[
        str | None, typer.Option(metavar="N", help="Use at most so many tokens, for a model without a price.")
    ] = None
    max_output_tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Limit replies to N tokens where a request sets no limit.")
    ] = None
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an output file that is there; pays nothing twice.")
    ] = False
    resend: Annotated[
        bool, typer.Option("--resend", help="With --resume: send again what may have been sent and paid.")
    ] = False
    format: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the summary: table (default), json, markdown or csv.")
    ] = None


@command(app)
def batch(options: BatchOptions, console: Console) -> int:
    """Run a file of requests through one endpoint, within its limits and a cap in dollars.

    \b
    Examples:
      llmmigrate batch requests.jsonl --to zai/glm-5 -o answers.jsonl --max-cost 5
      llmmigrate batch requests.jsonl --to zai/glm-5 -o answers.jsonl --resume
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate import __version__
    from llmmigrate.reports.batch import report

    if options.resend and not options.resume:
        raise UsageError("--resend is about an earlier start", fix="write --resume --resend")
    to = destinations(options.format, [])
    output = _output(options)
    job = _job(options, output)
    with console.counting("answers", len(job.lines)) as advance:

        async def whole() -> "BatchResult":
            stop = asyncio.Event()
            with stopped_by_interrupt(stop, _again(options, output), console):
                halt, budget, sender = await job.run(stop, lambda done, budget: advance(done, ""))
            return job.result(halt, budget, sender, command=command_line(), version=__version__)

        try:
            result = asyncio.run(whole())
        except EndpointError as error:
            raise told(error, _again(options, output)) from None
    more = _larger_caps(result, job) if result.stopped == "budget" else NO_MORE
    step = _again(options, output, more) if result.left or result.failed else None
    write(report(result, output=str(output), next_step=step), to, console)
    return _code(result)


def _again(options: BatchOptions, output: Path, more: Mapping[str, str] = NO_MORE) -> str:
    """The command that goes on with this batch; `more`: caps in place of those it had."""
    words = ["llmmigrate", "batch", options.requests, *given("--to", options.to), "-o", str(output), "--resume"]
    caps = {"--max-cost": options.max_cost, "--max-tokens-total": options.max_tokens_total, **more}
    limits = [word for option, value in caps.items() for word in given(option, value)]
    last = [*given("--max-output-tokens", options.max_output_tokens), *given("--format", options.format)]
    return shlex.join([*words, *limits, *last, *given("--config", options.config)])


def _larger_caps(result: "BatchResult", job: "Batch") -> dict[str, str]:
    """Caps that leave room: in dollars only where the next request might not have fitted in."""
    from llmmigrate.shadow.batch import asked_of

    bodies = (job.side.translate(asked_of(line)).body for line in job.lines)
    largest = max((job.side.worst(body).cost or Decimal(0) for body in bodies if body is not None), default=Decimal(0))
    cap = DEFAULT_MAX_COST if job.max_cost is None else job.max_cost
    return larger_caps(cap, job.token_cap, cost_is_short=Decimal(result.counted) + largest > cap)


def _output(options: BatchOptions) -> Path:
    """Where answers go. UsageError where a file lies that this is not to continue."""
    if options.output is None:
        raise UsageError("where do the answers go?", fix="add -o answers.jsonl")
    check_writable([options.output], inputs=[options.requests])
    path = Path(options.output)
    if path.exists() and path.stat().st_size and not options.resume:
        raise UsageError(f"{path} has answers already", fix="go on with it: --resume, or name another file")
    return path


def _job(options: BatchOptions, output: Path) -> "Batch":
    """Everything checked that can be checked before money is spent."""
    from llmmigrate.shadow.batch import Batch, read_requests

    found = settings(options)
    catalog = catalog_of(found)
    lines = read_requests(Path(options.requests))
    at = served(options.to, found.config.to, found, catalog, option="--to")
    side = side_at("target", at, catalog, now_ns() // NANOSECONDS, options.max_output_tokens)
    cap = DEFAULT_MAX_COST if options.max_cost is None else dollars(options.max_cost)
    tokens = token_count(options.max_tokens_total)
    for line in lines:
        _check_affordable(line, side, cap, tokens)
    return Batch(side=side, lines=lines, output=output, max_cost=Decimal(cap), token_cap=tokens, resend=options.resend)


def _check_affordable(line: "Line", side: "Side", cap: Decimal, tokens: int | None) -> None:
    """UsageError for a request that could never be sent: no price, no limit for its reply, or a cap below its cost."""
    from llmmigrate.shadow.batch import asked_of

    body = side.translate(asked_of(line)).body
    if body is None:
        return
    worst = side.worst(body).cost
    if worst is None and tokens is None:
        raise no_price(side)
    if not side.limits_reply(body) and (tokens is not None or not side.till.free):
        raise no_limit(side.endpoint.name)
    if worst is not None and worst > cap:
        raise too_dear(f"request '{line.custom_id}'", worst, cap)


def _code(result: "BatchResult") -> int:
    """0 when every request has an answer, 3 when some were left, 1 when some failed."""
    if result.stopped != "finished" or result.left:
        return 3
    return 1 if result.failed else 0
