"""`llmmigrate check`."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.options import ReportOptions, command, new_app, pairs, settings
from llmmigrate.cli.output import STDOUT, check_writable, destinations, whole_file, write
from llmmigrate.cli.reading import (
    catalog_of,
    command_line,
    groups_of,
    inputs_of,
    missing_usage,
    moment,
    now_ns,
    read_logs,
    strict_code,
)
from llmmigrate.errors import InputError, UsageError
from llmmigrate.units import NANOSECONDS

if TYPE_CHECKING:
    from llmmigrate.checks.baseline import Baseline
    from llmmigrate.checks.comparing import Request
    from llmmigrate.checks.policy import Policy
    from llmmigrate.cli.output import Destination
    from llmmigrate.reports import Report
    from llmmigrate.usage.profile import Profile

app = new_app()

BASELINE: Final = ".llmmigrate/baseline.profile.json"
CODES: Final = {"pass": 0, "fail": 1, "undecided": 3}


@dataclass(frozen=True, kw_only=True)
class CheckOptions(ReportOptions):
    """The command line of `check`."""

    format: Annotated[
        str | None, typer.Option(metavar="NAME", help="table (default), json, markdown, csv, github or junit.")
    ] = None
    baseline: Annotated[
        str, typer.Option(metavar="FILE|git:REF:PATH", help="The profile to compare with, from a file or from git.")
    ] = BASELINE
    policy: Annotated[
        str | None, typer.Option(metavar="FILE", help="Settings file whose `check:` holds; otherwise llmmigrate.yaml.")
    ] = None
    by: Annotated[
        list[str], typer.Option(metavar="KEYS", help="Tags that a new baseline keeps apart: tag.NAME; with commas.")
    ] = field(default_factory=list)
    as_of: Annotated[
        str | None,
        typer.Option(metavar="TIME|logged", help="Rates of this time on both sides; each call's own date."),
    ] = None
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Make these logs the baseline, and stop.")
    ] = False
    prices_only: Annotated[
        bool, typer.Option("--prices-only", help="What the price tables of now do to the baseline; reads no logs.")
    ] = False
    policy_only: Annotated[
        bool, typer.Option("--policy-only", help="Whether the policy itself makes sense; reads nothing else.")
    ] = False
    summary: Annotated[
        str | None, typer.Option(metavar="FILE", help="Add the result to this file as Markdown, for a job summary.")
    ] = None
    comment: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the result as a comment that can be found and updated.")
    ] = None


@command(app)
def check(options: CheckOptions, console: Console) -> int:
    """Did this change make the calls dearer: a policy held against a baseline.

    \b
    Examples:
      llmmigrate check run.jsonl --update-baseline
      llmmigrate check run.jsonl --baseline .llmmigrate/baseline.profile.json
      llmmigrate check run.jsonl --baseline git:origin/main:.llmmigrate/baseline.profile.json --format github
      llmmigrate check --prices-only
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    _check_mode(options)
    policy = _policy(options)
    if options.policy_only:
        console.say(f"the policy makes sense: {len(policy.rules)} rules")
        return 0
    if options.update_baseline:
        return _update(options, policy, console)
    if options.prices_only:
        return _prices_only(options, policy, console)
    return _compare(options, policy, console)


def _check_mode(options: CheckOptions) -> None:
    """UsageError for two modes at once, and for options that the chosen one has no use for: none is passed over."""
    flags = ("--update-baseline", "--prices-only", "--policy-only")
    modes = [flag for flag in flags if getattr(options, flag.removeprefix("--").replace("-", "_"))]
    if len(modes) > 1:
        raise UsageError(f"{modes[0]} and {modes[1]} do not go together", fix="choose one")
    if not modes:
        return
    given = {"-o": options.output, "--format": options.format, "--summary": options.summary,
             "--comment": options.comment}  # fmt: skip
    why = "it makes no result"
    if modes[0] == "--prices-only":
        given = {"--where": options.where, "--since": options.since, "--until": options.until, "--by": options.by}
        why = "it looks at the whole baseline"
    unused = next((name for name, value in given.items() if value), None)
    if unused is not None:
        raise UsageError(f"{modes[0]} has no use for {unused}", why=why, fix=f"leave out {unused}")


def _policy(options: CheckOptions) -> "Policy":
    """The policy of --policy, else of the settings in force."""
    from llmmigrate.checks.policy import policy_of
    from llmmigrate.config import load

    if options.policy is None:
        return policy_of(settings(options))
    return policy_of(load(directory=Path.cwd(), path=Path(options.policy), environment=os.environ))


def _compare(options: CheckOptions, policy: "Policy", console: Console) -> int:
    from llmmigrate.checks.comparing import check_traffic
    from llmmigrate.reports.check import report

    to = _destinations(options)
    baseline = _baseline(options, policy)
    tags = [f"tag.{name}" for name in baseline.profile.tags]
    reading = read_logs(options, console, by=tags)
    result = check_traffic(baseline, reading.profile, reading.catalog, _request(options, policy, reading.now))
    made = report(result)
    write(made, to, console)
    _write_extras(options, made)
    incomplete = strict_code(reading.profile, options, console, unpriced=result.calls.unpriced)
    return incomplete if incomplete == 2 else CODES[result.verdict] or incomplete


def _prices_only(options: CheckOptions, policy: "Policy", console: Console) -> int:
    from llmmigrate.checks.baseline import read_baseline
    from llmmigrate.checks.comparing import check_prices
    from llmmigrate.reports.check import price_report

    if options.logs:
        raise UsageError("--prices-only looks at the baseline alone", fix="leave out the logs")
    to = _destinations(options)
    catalog = catalog_of(settings(options))
    now = now_ns() // NANOSECONDS
    as_of = None if options.as_of == "logged" else moment(options.as_of, "--as-of", options.tz) or now
    result = check_prices(read_baseline(options.baseline), catalog, _request(options, policy, now, as_of=as_of))
    made = price_report(result)
    write(made, to, console)
    _write_extras(options, made)
    return CODES[result.verdict]


def _update(options: CheckOptions, policy: "Policy", console: Console) -> int:
    """Write the logs as the new baseline. What --strict refuses, or what holds nothing to compare with, is not written.

    UsageError where the baseline is no file of its own, InputError where no call of the logs has a price.
    """
    from llmmigrate.checks.baseline import commit_of, reduced, written
    from llmmigrate.checks.comparing import header_of

    path = _baseline_file(options)
    by = groups_of([*options.by, *(f"tag.{name}" for name in policy.tags())])
    reading = read_logs(options, console, by=by)
    commit = commit_of(Path.cwd(), os.environ)
    header, unpriced = header_of(reading.profile, reading.catalog, now=reading.now, commit=commit)
    refused = strict_code(reading.profile, options, console, unpriced=unpriced)
    if refused:
        console.warn(f"--strict: nothing was written to {path}")
        return refused
    _check_whole(reading.profile, sum(cost.calls for cost in header.costs), unpriced, console)
    with whole_file(path) as stream:
        stream.write(written(reduced(reading.profile, reading.catalog), header))
    console.say(f"wrote {path}: {reading.profile.total_calls():,} calls")
    console.say(f"next: llmmigrate check LOGS --baseline {path}")
    return 0


def _check_whole(profile: "Profile", priced: int, unpriced: int, console: Console) -> None:
    """Say what a new baseline lacks. InputError where that is more than what it has."""
    fix = "see why: llmmigrate analyze LOGS"
    if not priced:
        what = f"no baseline was written: none of {profile.total_calls():,} calls has usage and a price"
        raise InputError(what, fix=fix)
    rejected, missing = profile.accounting.lines.rejected, missing_usage(profile)
    left_out = f"rejected records: {rejected:,}, calls without usage: {missing:,}, without a price: {unpriced:,}"
    if rejected + missing + unpriced > priced:
        raise InputError(f"no baseline was written: only {priced:,} calls could be priced", why=left_out, fix=fix)
    if rejected or missing or unpriced:
        console.warn(f"not in the baseline's costs: {left_out}")


def _baseline_file(options: CheckOptions) -> str:
    """The file that --update-baseline writes. UsageError where it is none, or one that is read."""
    from llmmigrate.checks.baseline import GIT, is_baseline

    path = options.baseline
    if path.startswith(GIT):
        raise UsageError("a baseline is updated in a file, not in git", fix=f"write --baseline {path.split(':')[-1]}")
    if path == STDOUT:
        raise UsageError("a baseline is updated in a file, not on stdout", fix=f"write --baseline {BASELINE}")
    if path == BASELINE:
        Path(path).parent.mkdir(exist_ok=True)
    check_writable([path], inputs=_read(options))
    if Path(path).is_file() and not is_baseline(Path(path)):
        raise UsageError(f"{path} is no saved profile, and would be lost", fix="name another file with --baseline")
    return path


def _baseline(options: CheckOptions, policy: "Policy") -> "Baseline":
    """The baseline. UsageError where it does not keep a tag that the policy asks for."""
    from llmmigrate.checks.baseline import again, read_baseline

    baseline = _filtered(read_baseline(options.baseline), options)
    asked = [*policy.tags(), *(name.removeprefix("tag.") for name in groups_of(options.by))]
    lacking = [name for name in asked if name not in (*baseline.profile.tags, "model", "provider")]
    if lacking:
        raise UsageError(
            f"the baseline {options.baseline} does not keep the tag '{lacking[0]}' apart",
            fix=f"{again(options.baseline)} --by tag.{lacking[0]}",
        )
    return baseline


def _filtered(baseline: "Baseline", options: CheckOptions) -> "Baseline":
    """The baseline with the same --where as the logs; its times are its own."""
    import msgspec

    from llmmigrate.logs.reader import ReadOptions
    from llmmigrate.logs.saved import fitted

    if not options.where:
        return baseline
    profile = baseline.profile
    wanted = ReadOptions(marks=profile.marks, tags=profile.tags, where=pairs(options.where, "--where"))
    kept = fitted(profile, wanted, options.baseline)
    if not kept.cells:
        raise UsageError(f"--where leaves no call of the baseline {options.baseline}")
    return msgspec.structs.replace(baseline, profile=kept)


def _request(options: CheckOptions, policy: "Policy", now: int, as_of: int | None = None) -> "Request":
    from llmmigrate import __version__
    from llmmigrate.checks.comparing import Request

    if as_of is None and options.as_of not in (None, "logged"):
        as_of = moment(options.as_of, "--as-of", options.tz) or now
    return Request(
        policy=policy, now=now, as_of=as_of, strict=options.strict, command=command_line(), version=__version__
    )


def _destinations(options: CheckOptions) -> "list[Destination]":
    """Where the result goes; its files, the summary and the comment are none of what is read."""
    inputs = [*_read(options), options.baseline]
    extras = [path for path in (options.summary, options.comment) if path]
    if STDOUT in extras:
        raise UsageError("the summary and the comment go into files", fix="write -o - --format markdown for stdout")
    return destinations(options.format, options.output, inputs=inputs, beside=extras)


def _read(options: CheckOptions) -> list[str]:
    """The files that are read, the baseline apart."""
    return [*inputs_of(options), *([options.policy] if options.policy else [])]


def _write_extras(options: CheckOptions, made: "Report") -> None:
    """The job summary, which others write to as well, and the comment, which is one file."""
    from llmmigrate.reports.comment import comment, summary

    if options.summary:
        place = Path(options.summary)
        held = place.stat().st_size if place.is_file() else 0
        with place.open("a", encoding="utf-8") as stream:
            stream.write(summary(made, held))
    if options.comment:
        with whole_file(options.comment) as stream:
            stream.write(comment(made).encode())
