"""`llmmigrate estimate`."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.measured import load_calibration
from llmmigrate.cli.options import ReportOptions, command, new_app, pairs, settings
from llmmigrate.cli.output import destinations, write
from llmmigrate.cli.prompts import watch
from llmmigrate.cli.reading import (
    cache_of,
    catalog_of,
    command_line,
    group_finder,
    groups_of,
    moment,
    next_command,
    now_ns,
    read_logs,
    share,
    strict_code,
)
from llmmigrate.errors import UsageError, unknown_name
from llmmigrate.units import NANOSECONDS

if TYPE_CHECKING:
    from llmmigrate.costing.mix import Permits
    from llmmigrate.costing.request import Request
    from llmmigrate.costing.results import Estimate
    from llmmigrate.prices import Catalog

app = new_app()


@dataclass(frozen=True, kw_only=True)
class EstimateOptions(ReportOptions):
    """The command line of `estimate`."""

    to: Annotated[
        list[str], typer.Option(metavar="P/M", help="A target, provider/model; repeatable. Without: ranked candidates.")
    ] = field(default_factory=list)
    by: Annotated[
        list[str],
        typer.Option(metavar="KEYS", help="Break the result down by model, provider, day, tag.NAME; with commas."),
    ] = field(default_factory=list)
    map: Annotated[
        list[str], typer.Option(metavar="MODEL=P/M", help="Move this logged model there; =keep stays. Repeatable.")
    ] = field(default_factory=list)
    share: Annotated[str | None, typer.Option(metavar="N%", help="Move this part of the traffic; 100%.")] = None
    cache: Annotated[
        str | None,
        typer.Option(metavar="same|none|measured|N%", help="Cached part of the input at the target; as logged."),
    ] = None
    batch_share: Annotated[
        str | None, typer.Option(metavar="N%", help="Part of the calls that the target serves as batch; 0%.")
    ] = None
    calibration: Annotated[
        list[str],
        typer.Option(metavar="RUN|FILE", help="Measured ratios of a shadow run; gives a 95 % interval. Repeatable."),
    ] = field(default_factory=list)
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME|logged", help="Price both sides with the rates of this time; now.")
    ] = None
    growth: Annotated[
        str | None, typer.Option(metavar="N%", help="Growth of the traffic a month, for the projection.")
    ] = None
    tokenizer: Annotated[
        list[str],
        typer.Option(metavar="NAME=FILE", help="A tokenizer.json; two of them are compared on the log's own text."),
    ] = field(default_factory=list)
    mix: Annotated[
        bool, typer.Option("--mix", help="The cheapest allowed target for each part of the traffic (--by; model).")
    ] = False
    evidence: Annotated[
        list[str],
        typer.Option(metavar="FILE", help="For --mix: audits and shadow runs; also found in .llmmigrate/. Repeatable."),
    ] = field(default_factory=list)
    prefix_cache: Annotated[
        bool, typer.Option("--prefix-cache", help="Say how much a prefix cache could serve; reads the log's prompts.")
    ] = False
    demo: Annotated[bool, typer.Option("--demo", help="Use the samples that come with llmmigrate.")] = False


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

    to = destinations(options.format, options.output, inputs=options.logs)
    catalog = catalog_of(settings(options))
    request = _request(options, catalog)
    watched = watch(
        prefix_cache=options.prefix_cache, tokenizers=_tokenizers(options, catalog), audit=request.permits.audit
    )
    reading = read_logs(
        options, console, by=request.by, demo=options.demo, keep_text=watched.wanted, on_call=watched.sink(),
        catalog=catalog,
    )  # fmt: skip
    result = estimate_traffic(
        reading.profile,
        reading.catalog,
        request.at(reading.now, watched.ratios(console)),
        command=command_line(),
        version=__version__,
        caching=watched.caching(console),
    )
    write(report(result, next_step=_next_step(options, result)), to, console)
    return strict_code(reading.profile, options, console, unpriced=sum(entry.calls for entry in result.unpriced))


def _request(options: EstimateOptions, catalog: "Catalog") -> "Request":
    """What is asked for, as far as the command line and the settings tell it: everything but the present."""
    import msgspec

    from llmmigrate.costing.request import Request

    calibrations = tuple(load_calibration(name) for name in options.calibration)
    cache, measured = cache_of(options.cache, calibrated=bool(calibrations))
    logged = options.as_of == "logged"
    calibrated = [] if options.map else [found.target for found in calibrations]
    request = Request(
        to=tuple(options.to or _configured(options) or calibrated),
        map={**_configured_map(options), **pairs(options.map, "--map")},
        by=tuple(groups_of(options.by, default="model" if options.mix else "")),
        share=share(options.share, "--share") or Decimal(1),
        cache=cache,
        batch_share=share(options.batch_share, "--batch-share") or Decimal(0),
        as_of=0 if logged else moment(options.as_of, "--as-of", options.tz) or 0,
        logged=logged,
        growth=share(options.growth, "--growth"),
        calibrations=calibrations,
        measured_cache=measured,
        mix=options.mix,
    )
    return msgspec.structs.replace(request, permits=_permits(options, request, catalog))


def _tokenizers(options: EstimateOptions, catalog: "Catalog") -> dict[str, str]:
    """Tokenizer name → file; UsageError for one alone, and for a name that no price table uses."""
    files = pairs(options.tokenizer, "--tokenizer")
    if len(files) == 1:
        raise UsageError("one tokenizer compares nothing", fix="give two: that of today, and the target's")
    if files:
        known = {entry.tokenizer for entry in catalog.entries() if entry.tokenizer}
        for name in files.keys() - known:
            raise unknown_name("tokenizer", name, known)
    return files


def _permits(options: EstimateOptions, request: "Request", catalog: "Catalog") -> "Permits":
    """What is known against targets, for a mix: saved results, and an audit of the log that is about to be read."""
    from llmmigrate.costing.audit.parts import PartAudit
    from llmmigrate.costing.candidates import targets_to_audit
    from llmmigrate.costing.evidence import find, objections, read
    from llmmigrate.costing.mix import Permits

    if options.evidence and not options.mix:
        raise UsageError("--evidence is for --mix", fix="add --mix, or see llmmigrate report --help")
    if not options.mix:
        return Permits()
    saved = objections([*find(Path()), *(read(Path(name)) for name in options.evidence)])
    targets = targets_to_audit(request, catalog, now_ns() // NANOSECONDS)
    return Permits(saved, PartAudit(targets, group_finder(options, catalog, request.by)))


def _configured(options: EstimateOptions) -> list[str]:
    """The target of the settings, where the command line names none."""
    side = settings(options).config.to
    if options.map or side is None or side.model is None:
        return []
    return [f"{side.provider}/{side.model}" if side.provider else side.model]


def _configured_map(options: EstimateOptions) -> dict[str, str]:
    return {} if options.to else settings(options).config.map


def _next_step(options: EstimateOptions, result: "Estimate") -> str | None:
    """What to type next: one target's own figures, or the rates behind them."""
    best = next((target for target in result.targets if target.kind == "move"), None)
    if best is None:
        return None
    if options.to:
        return f"llmmigrate prices show {best.to} --explain"
    return next_command("estimate", options, options.demo, "--to", best.to)
