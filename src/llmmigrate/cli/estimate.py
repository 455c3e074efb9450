"""`llmmigrate estimate`."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.options import ReportOptions, command, new_app
from llmmigrate.cli.output import destinations, write
from llmmigrate.cli.reading import command_line, next_command, share, strict_code
from llmmigrate.cli.whatif import WhatIfOptions, ask, files_of
from llmmigrate.errors import UsageError

if TYPE_CHECKING:
    from llmmigrate.costing.results import Estimate

app = new_app()


@dataclass(frozen=True, kw_only=True)
class PartOptions(ReportOptions):
    """Of what traffic an estimate speaks, beside the filters."""

    share: Annotated[str | None, typer.Option(metavar="N%", help="Move this part of the traffic; 100%.")] = None
    prefix_cache: Annotated[
        bool, typer.Option("--prefix-cache", help="Say how much a prefix cache could serve; reads the log's prompts.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class EstimateOptions(WhatIfOptions, PartOptions):
    """The command line of `estimate`."""


@command(app)
def estimate(options: EstimateOptions, console: Console) -> int:
    """What would the same traffic cost elsewhere, with a range and its assumptions.

    \b
    Examples:
      llmmigrate estimate logs.jsonl
      llmmigrate estimate logs.jsonl --to deepseek/deepseek-v4-flash --to zai/glm-5
      llmmigrate estimate logs.jsonl --to holysheep/o3 --where route=/summarize
      llmmigrate estimate usage.profile.json --to openai/o3 --as-of 2025-05-01 -o estimate.json
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate import __version__
    from llmmigrate.costing.comparing import estimate_traffic
    from llmmigrate.reports.estimate import report

    to = destinations(options.format, options.output, inputs=files_of(options))
    if options.evidence and not options.mix:
        raise UsageError("--evidence is for --mix", fix="add --mix, or see llmmigrate report --help")
    growth = share(options.growth, "--growth")
    asked = ask(options, console, moves=_moves(options), growth=growth, prefix_cache=options.prefix_cache)
    result = estimate_traffic(
        asked.reading.profile,
        asked.reading.catalog,
        asked.request,
        command=command_line(),
        version=__version__,
        caching=asked.watched.caching(console),
    )
    write(report(result, next_step=_next_step(options, result)), to, console)
    unpriced = sum(entry.calls for entry in result.unpriced)
    return strict_code(asked.reading.profile, options, console, unpriced=unpriced)


def _moves(options: EstimateOptions) -> Decimal:
    part = share(options.share, "--share")
    if part == 0:
        raise UsageError("--share 0% moves nothing", fix="leave out --share, or give a part above 0%")
    return Decimal(1) if part is None else part


def _next_step(options: EstimateOptions, result: "Estimate") -> str | None:
    """What to type next: one target's own figures, or the rates behind them."""
    if options.mix:
        return next_command("report", options, options.demo, "--mix", *_words(options))
    best = next((target for target in result.targets if target.kind == "move"), None)
    if best is None:
        return None
    if options.to:
        return f"llmmigrate prices show {best.to} --explain"
    return next_command("estimate", options, options.demo, "--to", best.to)


def _words(options: EstimateOptions) -> list[str]:
    """The targets and parts of a mix, as they were typed."""
    named = (("--to", options.to), ("--map", options.map), ("--by", options.by))
    return [word for option, values in named for value in values for word in (option, value)]
