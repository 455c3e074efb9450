"""`llmmigrate report`."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.options import ReportOptions, command, new_app, settings
from llmmigrate.cli.output import destinations, write
from llmmigrate.cli.reading import catalog_of, command_line, now_ns, strict_code
from llmmigrate.cli.whatif import WhatIfOptions, ask, files_of
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
    "map", "mix", "by", "calibration", "tokenizer", "growth", "stay", "cache", "batch_share", "as_of", "where", "since",
    "until", "provider", "alias", "log_format", "demo",
)  # fmt: skip
UNDECIDED: Final = 3


@dataclass(frozen=True, kw_only=True)
class MoneyOptions(ReportOptions):
    """What the move costs, and how far to look."""

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
    stay: Annotated[
        str | None, typer.Option(metavar="N%", help="Part of the calls that must stay where it is; 0%.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class RoiOptions(WhatIfOptions, MoneyOptions):
    """The command line of `report`."""


@command(app)
def report(options: RoiOptions, console: Console) -> int:
    """What a move is worth: saving, payback, present value, risks and what is not known yet.

    \b
    Examples:
      llmmigrate report logs.jsonl --to zai/glm-5 --one-off-cost 8000 -o roi.html -o roi.json
      llmmigrate report logs.jsonl --to zai/glm-5 --calibration 2026-11-20T10-00Z --horizon 36mo --discount 10%
      llmmigrate report logs.jsonl --mix --by tag.route --one-off-cost 8000 -o roi.html
      llmmigrate report estimate.json --to zai/glm-5 --monthly-cost 200
      llmmigrate report --demo --to deepseek/deepseek-v4-flash
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate import __version__
    from llmmigrate.costing.roi import Basis, decide
    from llmmigrate.costing.terms import given_terms, in_currency
    from llmmigrate.reports.roi import report as roi_report

    to = destinations(options.format, options.output, inputs=files_of(options))
    found = settings(options)
    terms = given_terms(_terms(options), found.config.report)
    work = _from_estimate(options, found) or _from_logs(options, console, terms)
    if work.parts.target.machines is not None and terms.growth:
        why = "growing traffic needs more machines over time, which is not counted yet"
        raise UsageError("--growth cannot be used with a machine", why=why, fix="leave out --growth")
    used = in_currency(terms, work.catalog, work.parts.target.currency, work.as_of)
    basis = Basis(work.parts, *used, _evidence(options, work), work.targets, _logs(options, work.parts))
    result = decide(basis, command=command_line(), version=__version__)
    write(roi_report(result), to, console)
    unpriced = sum(entry.calls for entry in result.unpriced)
    code = strict_code(work.profile, options, console, unpriced=unpriced) if work.profile else 0
    return code or (UNDECIDED if options.strict and result.why_not else 0)


class Work(NamedTuple):
    """What there is to report about; a profile where it was read from logs."""

    parts: "Parts"
    targets: list[str]
    """Where something moves, `provider/model`."""
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


def _from_logs(options: RoiOptions, console: Console, terms: "Given") -> Work:
    """The estimates of a log."""
    from llmmigrate import __version__
    from llmmigrate.costing.roi_parts import parts_of, targets_of

    if options.by and not options.mix:
        raise UsageError("--by is for --mix", fix="add --mix; a report is always broken down by model and day")
    if len(options.to) + bool(options.map) > 1 and not options.mix:
        fix = "name one target, or add --mix to take the cheapest allowed of them for each part"
        raise UsageError("a report is about one move", fix=fix)
    asked = ask(options, console, moves=1 - terms.stay, growth=terms.growth or None)
    profile, catalog, _ = asked.reading
    parts = parts_of(profile, catalog, asked.request, command=command_line(), version=__version__)
    return Work(parts, targets_of(parts.target, asked.request, catalog), catalog, asked.request.as_of, profile)


def _from_estimate(options: RoiOptions, found: "Settings") -> Work | None:
    """A saved estimate, where the one input is one; None where it is a log."""
    from llmmigrate.costing.roi_parts import Parts, best_of, saved_estimate

    if len(options.logs) != 1 or (saved := saved_estimate(Path(options.logs[0]))) is None:
        return None
    for name in NEED_THE_LOG:
        if getattr(options, name):
            option = "--" + name.replace("_", "-")
            raise UsageError(f"{option} needs the log, not an estimate", fix=f"give {option} to the estimate")
    best = best_of(saved, next(iter(options.to), None))
    models = best.groups if best.groups and list(best.groups[0].key) == ["model"] else []
    targets = [best.to] if best.kind == "move" else []
    return Work(Parts(saved, best, models), targets, catalog_of(found), now_ns() // NANOSECONDS, None)


def _evidence(options: RoiOptions, work: Work) -> "Evidence":
    """What is known of the one target; of several only what this log's own audit says, for a mix."""
    from llmmigrate.costing.evidence import Evidence, about, find, read
    from llmmigrate.costing.mix import audited

    target = work.parts.target
    if len(work.targets) == 1 and target.kind != "mix":
        given = [read(Path(name)) for name in options.evidence]
        return about(work.targets[0], target.sources, given, find(Path()))
    if target.kind == "mix":
        return Evidence(audit=("the requests of the log", audited(target)))
    if options.evidence:
        raise UsageError("--evidence is about one target, and this report about several", fix="map to one target")
    return Evidence()


def _logs(options: RoiOptions, parts: "Parts") -> str:
    """The logs as a command takes them: those of a saved estimate are the ones that it was made from."""
    if options.demo:
        return "--demo"
    named = options.logs if parts.days else [source.path for source in parts.estimate.sources]
    return shlex.join(named)
