"""What `estimate` and `report` ask of a log in the same way: the options, and the request that they make."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.measured import load_calibration
from llmmigrate.cli.options import ReportOptions, pairs, settings
from llmmigrate.cli.prompts import Watch, watch
from llmmigrate.cli.reading import (
    Reading,
    cache_of,
    catalog_of,
    group_finder,
    groups_of,
    inputs_of,
    moment,
    now_ns,
    read_logs,
    share,
)
from llmmigrate.errors import UsageError, unknown_name
from llmmigrate.units import NANOSECONDS

if TYPE_CHECKING:
    from llmmigrate.costing.mix import Permits
    from llmmigrate.costing.request import Request
    from llmmigrate.prices import Catalog


@dataclass(frozen=True, kw_only=True)
class WhatIfOptions(ReportOptions):
    """Where the traffic goes, and what is known of its tokens there."""

    to: Annotated[
        list[str], typer.Option(metavar="P/M", help="A target, provider/model; repeatable. Without: ranked candidates.")
    ] = field(default_factory=list)
    map: Annotated[
        list[str], typer.Option(metavar="MODEL=P/M", help="Move this logged model there; =keep stays. Repeatable.")
    ] = field(default_factory=list)
    mix: Annotated[
        bool, typer.Option("--mix", help="The cheapest allowed target for each part of the traffic (--by; model).")
    ] = False
    by: Annotated[
        list[str],
        typer.Option(metavar="KEYS", help="Break the result down, or mix, by model, provider, day, tag.NAME."),
    ] = field(default_factory=list)
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
    tokenizer: Annotated[
        list[str],
        typer.Option(metavar="NAME=FILE", help="A tokenizer.json or .tiktoken file; two are compared on the log."),
    ] = field(default_factory=list)
    evidence: Annotated[
        list[str],
        typer.Option(metavar="FILE", help="Result of an audit, a shadow run or a drill; also found in .llmmigrate/."),
    ] = field(default_factory=list)
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME|logged", help="Price both sides with the rates of this time; now.")
    ] = None
    growth: Annotated[
        str | None, typer.Option(metavar="N%", help="Growth of the traffic a month, for the projection.")
    ] = None
    demo: Annotated[bool, typer.Option("--demo", help="Use the samples that come with llmmigrate.")] = False


def files_of(options: WhatIfOptions) -> list[str]:
    """All files that a command reads, as they are named: no result is written over one of them."""
    counted = [text.partition("=")[2] for text in options.tokenizer]
    return [*inputs_of(options), *options.calibration, *options.evidence, *counted]


class Asked(NamedTuple):
    """A log that was read, and what is asked of it."""

    reading: Reading
    request: "Request"
    watched: Watch


def ask(
    options: WhatIfOptions, console: Console, *, moves: Decimal, growth: Decimal | None, prefix_cache: bool = False
) -> Asked:
    """Read the log and make the request; `moves` is the part of the traffic that moves, `growth` that of a month."""
    catalog = catalog_of(settings(options))
    request = _request(options, catalog, moves, growth)
    watched = watch(prefix_cache=prefix_cache, tokenizers=_tokenizers(options, catalog), audit=request.permits.audit)
    reading = read_logs(
        options, console, by=request.by, demo=options.demo, keep_text=watched.wanted, on_call=watched.sink(),
        catalog=catalog,
    )  # fmt: skip
    return Asked(reading, request.at(reading.now, watched.ratios(console)), watched)


def _request(options: WhatIfOptions, catalog: "Catalog", moves: Decimal, growth: Decimal | None) -> "Request":
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
        share=moves,
        cache=cache,
        batch_share=share(options.batch_share, "--batch-share") or Decimal(0),
        as_of=0 if logged else moment(options.as_of, "--as-of", options.tz) or 0,
        logged=logged,
        growth=growth,
        calibrations=calibrations,
        measured_cache=measured,
        mix=options.mix,
    )
    return msgspec.structs.replace(request, permits=_permits(options, request, catalog)) if options.mix else request


def _tokenizers(options: WhatIfOptions, catalog: "Catalog") -> dict[str, str]:
    """Tokenizer name → file; UsageError for one alone, and for a name that no price table uses."""
    files = pairs(options.tokenizer, "--tokenizer")
    if len(files) == 1:
        raise UsageError("one tokenizer compares nothing", fix="give two: that of today, and the target's")
    if files:
        known = {entry.tokenizer for entry in catalog.entries() if entry.tokenizer}
        for name in files.keys() - known:
            raise unknown_name("tokenizer", name, known)
    return files


def _permits(options: WhatIfOptions, request: "Request", catalog: "Catalog") -> "Permits":
    """What is known against targets, for a mix: saved results, and an audit of the log that is about to be read."""
    from llmmigrate.costing.audit.parts import PartAudit
    from llmmigrate.costing.candidates import targets_to_audit
    from llmmigrate.costing.evidence import find, objections, read
    from llmmigrate.costing.mix import Permits

    saved = objections([*find(Path()), *(read(Path(name)) for name in options.evidence)])
    targets = targets_to_audit(request, catalog, now_ns() // NANOSECONDS)
    return Permits(saved, PartAudit(targets, group_finder(options, catalog, request.by)))


def _configured(options: WhatIfOptions) -> list[str]:
    """The target of the settings, where the command line names none."""
    side = settings(options).config.to
    if options.map or side is None or side.model is None:
        return []
    return [f"{side.provider}/{side.model}" if side.provider else side.model]


def _configured_map(options: WhatIfOptions) -> dict[str, str]:
    return {} if options.to else settings(options).config.map
