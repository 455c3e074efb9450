"""`llmmigrate report`."""

import shlex
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.measured import load_calibration
from llmmigrate.cli.options import ReportOptions, command, new_app, settings
from llmmigrate.cli.output import destinations, write
from llmmigrate.cli.reading import cache_of, catalog_of, command_line, moment, now_ns, read_logs, share, strict_code
from llmmigrate.errors import UsageError
from llmmigrate.units import NANOSECONDS

if TYPE_CHECKING:
    from llmmigrate.config import Settings
    from llmmigrate.costing.evidence import Evidence
    from llmmigrate.costing.roi_parts import Parts
    from llmmigrate.costing.terms import Given
    from llmmigrate.prices import Catalog
    from llmmigrate.usage.profile import Profile

app = new_app()

NEED_THE_LOG: Final = (
    "calibration", "growth", "stay", "cache", "batch_share", "as_of", "where", "since", "until", "provider", "alias",
    "log_format", "demo",
)  # fmt: skip
UNDECIDED: Final = 3


@dataclass(frozen=True, kw_only=True)
class RoiOptions(ReportOptions):
    """The command line of `report`."""

    to: Annotated[
        str | None, typer.Option(metavar="P/M", help="The target, provider/model. Without: the cheapest candidate.")
    ] = None
    calibration: Annotated[
        list[str],
        typer.Option(metavar="RUN|FILE", help="Measured ratios of a shadow run; gives a 95 % interval. Repeatable."),
    ] = field(default_factory=list)
    evidence: Annotated[
        list[str],
        typer.Option(metavar="FILE", help="Result of an audit, a shadow run or a drill; also found in .llmmigrate/."),
    ] = field(default_factory=list)
    one_off_cost: Annotated[
        str | None,
        typer.Option(metavar="MONEY", help="What the migration itself costs: 8000, or '8000 EUR'; 0."),
    ] = None
    monthly_cost: Annotated[
        str | None,
        typer.Option(metavar="MONEY", help="What runs on each month after it, such as a gateway; 0."),
    ] = None
    horizon: Annotated[str | None, typer.Option(metavar="MONTHS", help="How far to look, such as 24mo; 24mo.")] = None
    discount: Annotated[str | None, typer.Option(metavar="N%", help="Discount rate a year; 8%.")] = None
    growth: Annotated[str | None, typer.Option(metavar="N%", help="Growth of the traffic a month; 0%.")] = None
    stay: Annotated[
        str | None, typer.Option(metavar="N%", help="Part of the calls that must stay where it is; 0%.")
    ] = None
    cache: Annotated[
        str | None,
        typer.Option(metavar="same|none|measured|N%", help="Cached part of the input at the target; as logged."),
    ] = None
    batch_share: Annotated[
        str | None, typer.Option(metavar="N%", help="Part of the calls that the target serves as batch; 0%.")
    ] = None
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME|logged", help="Price both sides with the rates of this time; now.")
    ] = None
    demo: Annotated[bool, typer.Option("--demo", help="Use the samples that come with llmmigrate.")] = False


@command(app)
def report(options: RoiOptions, console: Console) -> int:
    """What a move is worth: saving, payback, present value, risks and what is not known yet.

    \b
    Examples:
      llmmigrate report logs.jsonl --to zai/glm-5 --one-off-cost 8000 -o roi.html -o roi.json
      llmmigrate report logs.jsonl --to zai/glm-5 --calibration 2026-11-20T10-00Z --horizon 36mo --discount 10%
      llmmigrate report estimate.json --to zai/glm-5 --monthly-cost 200
      llmmigrate report --demo --to deepseek/deepseek-v4-flash
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate import __version__
    from llmmigrate.costing.roi import Basis, decide
    from llmmigrate.costing.terms import given_terms, in_currency
    from llmmigrate.reports.roi import report as roi_report

    to = destinations(options.format, options.output, inputs=options.logs)
    found = settings(options)
    terms = given_terms(_terms(options), found.config.report)
    work = _from_estimate(options, found) or _from_logs(options, console, found, terms)
    if work.parts.target.machines is not None and terms.growth:
        why = "growing traffic needs more machines over time, which is not counted yet"
        raise UsageError("--growth cannot be used with a machine", why=why, fix="leave out --growth")
    used = in_currency(terms, work.catalog, work.parts.target.currency, work.as_of)
    basis = Basis(work.parts, *used, _evidence(options, work.parts), logs=shlex.join(options.logs) or "LOGS")
    result = decide(basis, command=command_line(), version=__version__)
    write(roi_report(result), to, console)
    unpriced = sum(entry.calls for entry in result.unpriced)
    code = strict_code(work.profile, options, console, unpriced=unpriced) if work.profile else 0
    return code or (UNDECIDED if options.strict and result.why_not else 0)


class Work(NamedTuple):
    """What there is to report about; a profile where it was read from logs."""

    parts: "Parts"
    catalog: "Catalog"
    as_of: int
    profile: "Profile | None"


def _terms(options: RoiOptions) -> dict[str, str | None]:
    return {
        "one_off": options.one_off_cost,
        "running": options.monthly_cost,
        "horizon": options.horizon,
        "discount": options.discount,
        "growth": options.growth,
        "stay": options.stay,
    }


def _from_logs(options: RoiOptions, console: Console, found: "Settings", terms: "Given") -> Work:
    """The estimates of a log."""
    from llmmigrate import __version__
    from llmmigrate.costing.request import Request
    from llmmigrate.costing.roi_parts import parts_of

    calibrations = tuple(load_calibration(name) for name in options.calibration)
    cache, measured = cache_of(options.cache, calibrated=bool(calibrations))
    logged = options.as_of == "logged"
    as_of = None if logged else moment(options.as_of, "--as-of", options.tz)
    batch = share(options.batch_share, "--batch-share") or Decimal(0)
    target = options.to or _configured(found) or next((item.target for item in calibrations), None)
    reading = read_logs(options, console, by=(), demo=options.demo)
    request = Request(
        to=() if target is None else (target,), share=1 - terms.stay, cache=cache, batch_share=batch,
        as_of=as_of or reading.now, logged=logged, now=reading.now, growth=terms.growth or None,
        calibrations=calibrations, measured_cache=measured,
    )  # fmt: skip
    parts = parts_of(reading.profile, reading.catalog, request, command=command_line(), version=__version__)
    return Work(parts, reading.catalog, request.as_of, reading.profile)


def _configured(found: "Settings") -> str | None:
    """The target of the settings."""
    side = found.config.to
    if side is None or side.model is None:
        return None
    return f"{side.provider}/{side.model}" if side.provider else side.model


def _from_estimate(options: RoiOptions, found: "Settings") -> Work | None:
    """A saved estimate, where the one input is one; None where it is a log."""
    from llmmigrate.costing.roi_parts import Parts, best_of, saved_estimate

    if len(options.logs) != 1 or (saved := saved_estimate(Path(options.logs[0]))) is None:
        return None
    for name in NEED_THE_LOG:
        if getattr(options, name):
            option = "--" + name.replace("_", "-")
            raise UsageError(f"{option} needs the log, not an estimate", fix=f"give {option} to the estimate")
    best = best_of(saved, options.to)
    models = best.groups if best.groups and list(best.groups[0].key) == ["model"] else []
    return Work(Parts(saved, best, models), catalog_of(found), now_ns() // NANOSECONDS, None)


def _evidence(options: RoiOptions, parts: "Parts") -> "Evidence":
    from llmmigrate.costing.evidence import about, find, read

    given = [read(Path(name)) for name in options.evidence]
    return about(parts.target.to, parts.target.sources, given, find(Path()))
