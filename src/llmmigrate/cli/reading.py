"""From a command line to a profile and a catalog: what every command that reads logs does first."""

import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmmigrate.cli.console import Console
from llmmigrate.cli.options import LogOptions, instant, pairs, zone
from llmmigrate.cli.options import settings as settings_in_force
from llmmigrate.errors import UsageError, nearest
from llmmigrate.units import NANOSECONDS

if TYPE_CHECKING:
    from llmmigrate.config import Settings
    from llmmigrate.costing.analysis import GroupKey
    from llmmigrate.logs.reader import CallSink, CostCheck, ReadOptions, RejectSink
    from llmmigrate.prices import Catalog
    from llmmigrate.usage.call import Call
    from llmmigrate.usage.profile import Profile

TIMED: tuple[str, ...] = ("day", "hour")


def catalog_of(settings: "Settings") -> "Catalog":
    """All price tables with the user's own files, discounts and aliases."""
    from llmmigrate.prices import load_catalog

    config = settings.config
    return load_catalog(extra=own_price_files(settings), aliases=config.aliases, discounts=config.discounts)


def own_price_files(settings: "Settings") -> list[Path]:
    """The user's own price tables; a folder stands for all tables in it."""
    from llmmigrate.prices import table_paths

    named = [settings.resolve(path) for path in settings.config.prices]
    return [path for name in named for path in (table_paths(name) if name.is_dir() else [name])]


def logs_of(options: LogOptions, settings: "Settings", *, demo: bool = False) -> list[str]:
    """The paths to read: those named, else the demo's samples, else those of the settings."""
    if options.logs and demo:
        raise UsageError("--demo reads the samples and takes no logs", fix="leave out --demo or the logs")
    if demo:
        return [str(samples_directory() / "logs.jsonl")]
    if options.logs:
        return list(options.logs)
    if not settings.config.logs:
        demo_words = ", or --demo" if hasattr(options, "demo") else ""
        raise UsageError("no logs named", fix=f"add the path of a log, such as logs.jsonl{demo_words}")
    return [str(settings.resolve(path)) for path in settings.config.logs]


def inputs_of(options: LogOptions) -> list[str]:
    """The files that a command reads, as they are named: no result is written over one of them.

    They are the logs, the settings file in force, and the price tables that it names.
    """
    settings = settings_in_force(options)
    logs = options.logs or [str(settings.resolve(path)) for path in settings.config.logs]
    own = [*([settings.path] if settings.path else []), *own_price_files(settings)]
    return [*logs, *map(str, own)]


def samples_directory() -> Path:
    """Where the samples lie: inside an installed package, or at the top of a checkout."""
    import llmmigrate

    package = Path(llmmigrate.__file__).parent
    installed = package / "samples"
    return installed if installed.is_dir() else package.parents[1] / "samples"


def now_ns() -> int:
    """The present in nanoseconds: the clock, or SOURCE_DATE_EPOCH (seconds) where a result has to be reproducible."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    if fixed is None:
        return time.time_ns()
    if not fixed.isdecimal():
        raise UsageError(f"SOURCE_DATE_EPOCH is '{fixed}'", fix="set it to whole seconds since 1970, or unset it")
    return int(fixed) * NANOSECONDS


class Reading(NamedTuple):
    """What a command has read."""

    profile: "Profile"
    catalog: "Catalog"
    now: int
    """Epoch seconds."""


def read_logs(
    options: LogOptions,
    console: Console,
    *,
    by: Sequence[str] = (),
    demo: bool = False,
    keep_text: bool = False,
    on_call: "CallSink | None" = None,
    on_reject: "RejectSink | None" = None,
    cost_check: "Callable[[Catalog, int], CostCheck] | None" = None,
    catalog: "Catalog | None" = None,
) -> Reading:
    """Read the logs that a command line names, cut for all price tables and for the groups in `by`.

    `catalog`: the price tables, where the command has loaded them already.
    """
    import msgspec

    from llmmigrate.logs.reader import read

    settings = settings_in_force(options)
    catalog = catalog or catalog_of(settings)
    now = now_ns()
    read_options = _read_options(options, catalog, by, keep_text=keep_text, now_ns=now)
    if cost_check is not None:
        read_options = msgspec.structs.replace(read_options, cost_check=cost_check(catalog, now // NANOSECONDS))
    paths = logs_of(options, settings, demo=demo)
    with console.progress("reading", _size(paths)) as advance:
        profile = read(paths, read_options, on_call=on_call, on_reject=on_reject, progress=advance)
    check_something_left(profile)
    check_tags(profile)
    return Reading(profile, catalog, now // NANOSECONDS)


def group_finder(options: LogOptions, catalog: "Catalog", by: Sequence[str]) -> "Callable[[Call], GroupKey]":
    """The group of `by` that a call belongs to, as in a profile that is read with the same options."""
    from llmmigrate.costing.analysis import group_key
    from llmmigrate.usage.cuts import Cuts
    from llmmigrate.usage.profile import Profile, ProfileWriter, disjoint_tokens

    read_options = _read_options(options, catalog, by, keep_text=True, now_ns=0)
    writer = ProfileWriter(Profile(read_options.marks, read_options.tags), Cuts(read_options.marks))
    key_of = group_key(by, writer.profile)

    def group(call: "Call") -> "GroupKey":
        key = writer.key(call, disjoint_tokens(call))
        return key_of(key, key.start)

    return group


def check_something_left(profile: "Profile") -> None:
    """UsageError when the filters left no call."""
    filtered = profile.accounting.lines.filtered
    if filtered and not profile.cells:
        raise UsageError(
            f"no call is left: --where, --since or --until leave out all {filtered:,}",
            fix="check the filter; values are compared as they stand in the log",
        )


def check_tags(profile: "Profile") -> None:
    """UsageError for a tag of --by that no call has: more likely a slip than a wish for one group."""
    for place, name in enumerate(profile.tags):
        if all(key.tags[place] is None for key in profile.cells):
            near = nearest(name, plain_groupings(), limit=1)
            fix = f"did you mean --by {near[0]}?" if near else f"group by {', '.join(plain_groupings())} or another tag"
            raise UsageError(f"no call has the tag '{name}'", fix=fix)


def _read_options(
    options: LogOptions, catalog: "Catalog", by: Sequence[str], *, keep_text: bool, now_ns: int
) -> "ReadOptions":
    from llmmigrate.logs.reader import ReadOptions
    from llmmigrate.usage.cuts import CutMarks

    place = zone(options.tz)
    marks = catalog.marks()
    return ReadOptions(
        marks=CutMarks(
            instants=marks.instants,
            clocks=marks.clocks,
            prompt=marks.prompt,
            output=marks.output,
            zone=str(place) if place is not UTC else "UTC",
            unit="hour" if "hour" in by else "day",
        ),
        tags=tuple(dict.fromkeys(name.removeprefix("tag.") for name in by if name not in plain_groupings())),
        where=pairs(options.where, "--where"),
        since_ns=_ns(instant(options.since, "--since", place)),
        until_ns=_ns(instant(options.until, "--until", place)),
        provider=options.provider,
        log_format=options.log_format,
        keep_text=keep_text,
        now_ns=now_ns,
        timed_sketches=any(name in TIMED for name in by),
    )


def plain_groupings() -> tuple[str, ...]:
    """Names of --by that are no tags."""
    from llmmigrate.costing.analysis import GROUPINGS

    return GROUPINGS


def groups_of(by: Sequence[str], default: str = "") -> list[str]:
    """The names given with --by, with commas or repeated."""
    names = (name.strip() for text in by or [default] for name in text.split(","))
    return list(dict.fromkeys(name for name in names if name))


def _ns(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp()) * NANOSECONDS + moment.microsecond * 1000


def _size(paths: Sequence[str]) -> int | None:
    try:
        return sum(os.path.getsize(path) for path in paths if path != "-")
    except OSError:
        return None


def strict_code(profile: "Profile", options: LogOptions, console: Console, *, unpriced: int) -> int:
    """The exit code that --strict asks for: 2 with rejected lines, 3 with missing or unpriced usage, else 0.

    What is wrong is said on stderr.
    """
    if not options.strict:
        return 0
    accounting = profile.accounting
    cut = [code for code in accounting.warnings if code.startswith("truncated")]
    if accounting.lines.rejected or cut:
        console.warn(f"--strict: rejected records: {accounting.lines.rejected:,}{', a cut-off file' if cut else ''}")
        return 2
    missing = missing_usage(profile)
    if missing or unpriced:
        console.warn(f"--strict: calls without usage: {missing:,}, without a price: {unpriced:,}")
        return 3
    return 0


def missing_usage(profile: "Profile") -> int:
    """Calls that were answered and came without usage."""
    return sum(cell.calls for key, cell in profile.cells.items() if key.usage == "missing" and key.billing != "failed")


def moment(text: str | None, option: str, tz: str | None) -> int | None:
    """A date or time given with an option, in epoch seconds; `now` and None are None."""
    found = None if text == "now" else instant(text, option, zone(tz))
    return None if found is None else int(found.timestamp())


def share(text: str | None, option: str) -> Decimal | None:
    """A part of a whole given with an option, such as 50%."""
    from llmmigrate import quantities

    try:
        return None if text is None else quantities.percent(text) if option == "--growth" else quantities.share(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def cache_of(text: str | None, *, calibrated: bool) -> tuple[Decimal | None, bool]:
    """The cached share that --cache sets (None keeps that of the log), and whether the measured one is wanted."""
    if text == "measured" and not calibrated:
        raise UsageError("--cache measured needs a measurement", fix="add --calibration RUN")
    if text in (None, "same", "measured"):
        return None, text == "measured"
    return (Decimal(0) if text == "none" else share(text, "--cache")), False


def next_command(name: str, options: LogOptions, demo: bool, *more: str) -> str:
    """A command to paste, on the same logs."""
    words = ["llmmigrate", name, *(["--demo"] if demo else options.logs), *more]
    return shlex.join(words)


def command_line() -> str:
    """The command line as it was typed, for the record in a result."""
    return shlex.join(["llmmigrate", *sys.argv[1:]])
