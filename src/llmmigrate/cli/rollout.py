"""`llmmigrate rollout lint|emit|drill|stage|status|watch|run`."""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from llmmigrate.cli.changes import change_code, show_change
from llmmigrate.cli.console import Console
from llmmigrate.cli.options import LogOptions, OutputOptions, command, new_app
from llmmigrate.cli.reading import now_ns
from llmmigrate.errors import UsageError
from llmmigrate.units import NANOSECONDS

if TYPE_CHECKING:
    from llmmigrate.rollout.emission import Emission
    from llmmigrate.rollout.plan import Plan
    from llmmigrate.rollout.state import Place

app = new_app()

PlanArgument = Annotated[
    str, typer.Argument(metavar="PLAN", show_default=False, help="The plan; otherwise migration.yaml.")
]


@app.callback()
def _rollout() -> None:
    """From one provider to another in steps, on a gateway that you already run.

    \b
    Examples:
      llmmigrate init --rollout
      llmmigrate rollout lint migration.yaml --logs logs.jsonl
      llmmigrate rollout emit migration.yaml --to envoy --stage canary -o gateway/
      llmmigrate rollout drill migration.yaml --to envoy --quick
      llmmigrate rollout stage migration.yaml canary
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled


@dataclass(frozen=True, kw_only=True)
class LintOptions(OutputOptions):
    """The command line of `rollout lint`."""

    plan: PlanArgument = "migration.yaml"
    logs: Annotated[
        list[str], typer.Option(metavar="LOGS", help="Logs of the traffic that is to move; repeatable.")
    ] = field(default_factory=list)
    shadow: Annotated[
        list[str], typer.Option(metavar="RUN", help="A shadow run beside those of this folder; repeatable.")
    ] = field(default_factory=list)
    audit: Annotated[list[str], typer.Option(metavar="FILE", help="An audit that was saved as JSON; repeatable.")] = (
        field(default_factory=list)
    )


@dataclass(frozen=True, kw_only=True)
class EmitOptions:
    """The command line of `rollout emit`."""

    plan: PlanArgument = "migration.yaml"
    to: Annotated[str | None, typer.Option(metavar="GATEWAY", help="Which gateway; otherwise that of the plan.")] = None
    stage: Annotated[
        str | None, typer.Option(metavar="NAME", help="The stage to put in force; otherwise the one that is.")
    ] = None
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="DIR", help="Where; otherwise the plan's directory.")
    ] = None
    format: Annotated[
        str | None, typer.Option(metavar="NAME", help="table (default), json, markdown, csv or html.")
    ] = None
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing if the gateway cannot do what the plan asks for.")
    ] = False
    force: Annotated[bool, typer.Option("--force", help="Write into a directory that holds other files.")] = False


@dataclass(frozen=True, kw_only=True)
class DrillOptions(OutputOptions):
    """The command line of `rollout drill`."""

    plan: PlanArgument = "migration.yaml"
    to: Annotated[str | None, typer.Option(metavar="GATEWAY", help="Which gateway; otherwise that of the plan.")] = None
    faults: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Only these: 500,refused,hang,slow,429,401,cut,big,burst,flap,dns."),
    ] = None
    quick: Annotated[bool, typer.Option("--quick", help="Five faults in less than a minute.")] = False


@dataclass(frozen=True, kw_only=True)
class StageOptions:
    """The command line of `rollout stage`."""

    plan: PlanArgument = "migration.yaml"
    name: Annotated[
        str | None, typer.Argument(metavar="STAGE", show_default=False, help="The stage to put in force.")
    ] = None
    diff: Annotated[bool, typer.Option("--diff", help="Show what would change, and change nothing.")] = False
    release: Annotated[bool, typer.Option("--release", help="Release the lock that a rollback has left.")] = False


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The command line of `rollout run`."""

    plan: PlanArgument = "migration.yaml"
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the timetable, and change nothing.")] = False
    release: Annotated[bool, typer.Option("--release", help="Release the lock, for another attempt.")] = False


@dataclass(frozen=True, kw_only=True)
class StatusOptions(OutputOptions):
    """The command line of `rollout status`."""

    plan: PlanArgument = "migration.yaml"


@dataclass(frozen=True, kw_only=True)
class WatchOptions:
    """The command line of `rollout watch`."""

    plan: PlanArgument = "migration.yaml"
    apply: Annotated[bool, typer.Option("--apply", help="Go back by itself, and lock the stage.")] = False
    exec: Annotated[
        str | None, typer.Option(metavar="CMD", help="Run this to go back, with the reason in LLMMIGRATE_REASON.")
    ] = None
    serve: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Show /verdict and /metrics here; :9109 is 127.0.0.1:9109.")
    ] = None
    once: Annotated[bool, typer.Option("--once", help="Watch one window; exit code 3 if it was not good.")] = False


@command(app)
def lint(options: LintOptions, console: Console) -> int:
    """Hold a plan against reality. Exit code 1 if it cannot do what it says.

    \b
    Examples:
      llmmigrate rollout lint
      llmmigrate rollout lint migration.yaml --logs logs.jsonl --audit audit.json
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.cli.evidence import gathered
    from llmmigrate.cli.output import destinations, write
    from llmmigrate.cli.reading import read_logs
    from llmmigrate.reports.rollout import lint_report
    from llmmigrate.rollout.lint import lint as linted

    to = destinations(options.format, options.output, inputs=[options.plan, *options.logs, *options.audit])
    plan = _plan(options.plan)
    logs = LogOptions(logs=options.logs, config=options.config)
    profile = read_logs(logs, console).profile if options.logs else None
    evidence = gathered(Path(options.plan), options.shadow, options.audit, console)
    found = linted(plan, profile, evidence)
    next_step = None if found.errors else f"llmmigrate rollout drill {quote(options.plan)}"
    write(lint_report(found, next_step=next_step), to, console)
    return 1 if found.errors else 0


@command(app)
def emit(options: EmitOptions, console: Console) -> int:
    """Write a gateway's files for every stage and the way back, and what it cannot do.

    \b
    Examples:
      llmmigrate rollout emit migration.yaml --to envoy --stage canary -o gateway/
      llmmigrate rollout emit migration.yaml --to nginx -o nginx/ --strict
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.cli.output import destinations, write
    from llmmigrate.reports.rollout import emission_report
    from llmmigrate.rollout.emission import emit as emitted
    from llmmigrate.rollout.emission import gateway_of
    from llmmigrate.rollout.emission_checks import check_emission, is_own, stage_to_emit
    from llmmigrate.rollout.emitted import keep_emitted
    from llmmigrate.rollout.state import Place, instant

    to = destinations(options.format, [])
    plan = _plan(options.plan)
    place = Place(Path(options.plan), plan)
    stage = options.stage or stage_to_emit(plan, place)
    kind = options.to or plan.gateway.kind
    directory = Path(options.output) if options.output else place.gateway_directory(plan)
    own = is_own(plan, place, kind, directory)
    emission = emitted(plan, kind, stage, plan_name=place.plan_path.name, own=own)
    refused = options.strict and bool(emission.unmet)
    if not refused:
        with place.alone(directory=directory):
            check_emission(plan, place, kind, directory, stage)
            _write_files(emission, directory, force=options.force)
            now = datetime.fromtimestamp(now_ns() / NANOSECONDS, UTC)
            if own:
                keep_emitted(place, now)
            place.journal(
                "emitted", at=instant(now), gateway=kind, stage=stage, directory=os.path.relpath(directory, place.root)
            )
    drilled = gateway_of(emission.gateway).PROGRAM is not None and not refused
    next_step = f"llmmigrate rollout drill {quote(options.plan)} --to {emission.gateway}" if drilled else None
    write(emission_report(emission, str(directory), next_step=next_step), to, console)
    if refused:
        console.warn(f"--strict: nothing was written: {', '.join(finding.requirement for finding in emission.unmet)}")
    elif not own:
        acted_on = f"{plan.gateway.kind} in {place.gateway_directory(plan)}"
        console.warn(f"rollback, stage and watch act on {acted_on}, not on these files: see {directory}/ROLLBACK.md")
    return 1 if refused else 0


@command(app)
def drill(options: DrillOptions, console: Console) -> int:
    """Rehearse on the real gateway with providers of ours that fall sick. Exit code 1 if requests are lost.

    \b
    Examples:
      llmmigrate rollout drill migration.yaml --to envoy --quick
      llmmigrate rollout drill migration.yaml --to nginx --faults 500,hang -o drill.json
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.cli.options import comma_list
    from llmmigrate.cli.output import destinations, write
    from llmmigrate.reports.rollout import drill_report
    from llmmigrate.rollout.drill.faults import chosen
    from llmmigrate.rollout.drill.run import Request
    from llmmigrate.rollout.drill.run import drill as drilled
    from llmmigrate.rollout.proof import kept_words
    from llmmigrate.rollout.state import VERIFIED, Place

    to = destinations(options.format, options.output, inputs=[options.plan])
    plan = _plan(options.plan)
    named = comma_list(options.faults or "")
    if options.faults is not None and not named:
        raise UsageError(f"--faults '{options.faults}' names no fault", fix="write --faults 500,hang, or leave it out")
    faults = chosen(named, quick=options.quick)
    request = Request(gateway=options.to or plan.gateway.kind, faults=faults, quick=options.quick)
    found = drilled(plan, request, console.say)
    place = Place(Path(options.plan), plan)
    console.say(kept_words(found, place.directory / VERIFIED, kept=place.keep_verified(found, datetime.now(UTC))))
    next_step = f"llmmigrate rollout stage {quote(options.plan)} {plan.stages[0].name}" if found.passed else None
    write(drill_report(found, next_step=next_step), to, console)
    return 0 if found.passed else 1


@command(app)
def stage(options: StageOptions, console: Console) -> int:
    """Put a stage in force: one file replaced as a whole, and taken up by the gateway. Exit code 3 if it does not.

    \b
    Examples:
      llmmigrate rollout stage migration.yaml canary --diff
      llmmigrate rollout stage migration.yaml canary
      llmmigrate rollout stage migration.yaml canary --release
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.rollout.changing import difference, take_stage
    from llmmigrate.rollout.state import Place

    plan = _plan(options.plan)
    place = Place(Path(options.plan), plan)
    name = options.name
    if name is None:
        known = ", ".join(stage.name for stage in plan.stages)
        raise UsageError("no stage named", fix=f"add one of: {known}")
    if options.diff:
        console.result(difference(plan, place, name) or f"no difference: the file has {name}")
        return 0
    change = take_stage(plan, place, name, release=options.release)
    show_change(change, console)
    _warn_of_edits(plan, place, console)
    console.say(f"→ llmmigrate rollout watch {quote(options.plan)} --apply")
    return change_code(change)


@command(app)
def status(options: StatusOptions, console: Console) -> int:
    """What is in force: stage, lock, what drills have proved, what the watch said last, the last changes.

    \b
    Examples:
      llmmigrate rollout status
      llmmigrate rollout status migration.yaml --format json
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.cli.output import destinations, write
    from llmmigrate.reports.rollout_state import status_report
    from llmmigrate.rollout.state import Place
    from llmmigrate.rollout.status import status_of

    to = destinations(options.format, options.output, inputs=[options.plan])
    plan = _plan(options.plan)
    write(status_report(status_of(plan, Place(Path(options.plan), plan))), to, console)
    return 0


@command(app)
def watch(options: WatchOptions, console: Console) -> int:
    """Watch the target's attempts at the gateway and go back when they are bad. Exit code 1 when that is done or due.

    \b
    Examples:
      llmmigrate rollout watch migration.yaml --apply --serve :9109
      llmmigrate rollout watch migration.yaml --exec 'git revert --no-edit HEAD && git push'
      llmmigrate rollout watch migration.yaml --once
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.rollout.emitted import running_reader
    from llmmigrate.rollout.state import Place
    from llmmigrate.rollout.watch import Options, Watch

    if options.apply and options.exec:
        raise UsageError("--apply and --exec are two ways to go back", fix="choose one")
    plan = _plan(options.plan)
    place = Place(Path(options.plan), plan)
    reader = running_reader(plan, place)
    _warn_of_edits(plan, place, console)
    chosen = Options(apply=options.apply, command=options.exec, once=options.once, address=_address(options.serve))
    running = Watch(plan, place, reader, chosen, console.say)
    if running.run() or running.due is not None:
        return 1
    return 0 if running.latest is not None and running.latest.verdict == "good" else 3


@command(app)
def run(options: RunOptions, console: Console) -> int:
    """Walk through all stages, each for its time, watched; exit code 1 on a rollback. Goes on where it was ended.

    \b
    Examples:
      llmmigrate rollout run migration.yaml --dry-run
      llmmigrate rollout run migration.yaml
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.reports.formats import table
    from llmmigrate.reports.rollout_state import timetable_report
    from llmmigrate.rollout.emitted import running_reader
    from llmmigrate.rollout.state import Place
    from llmmigrate.rollout.walk import timetable, walk

    plan = _plan(options.plan)
    place = Place(Path(options.plan), plan)
    if options.dry_run:
        steps = timetable(plan, datetime.fromtimestamp(now_ns() / NANOSECONDS, UTC))
        console.result(table.render(timetable_report(plan, steps), width=console.width()))
        return 0
    reader = running_reader(plan, place)
    _warn_of_edits(plan, place, console)
    arrived = walk(plan, place, reader, console.say, clock=lambda: datetime.now(UTC), release=options.release)
    console.result("all stages taken" if arrived else "rolled back, locked")
    return 0 if arrived else 1


def _warn_of_edits(plan: "Plan", place: "Place", console: Console) -> None:
    """Say where the plan is not what the gateway's files were made of."""
    from llmmigrate.rollout.emitted import differences, edited

    found = differences(plan, place)
    if found:
        console.warn(f"{edited(found)}: llmmigrate rollout emit {quote(str(place.plan_path))} writes the files anew")


def _address(text: str | None) -> tuple[str, int] | None:
    """Host and port of `:9109` or `0.0.0.0:9109`."""
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"--serve '{text}' is no address", fix="write --serve :9109")
    return host.strip("[]") or "127.0.0.1", int(port)


def _plan(path: str) -> "Plan":
    from llmmigrate.rollout.plan import load

    return load(Path(path))


def _write_files(emission: "Emission", directory: Path, *, force: bool) -> None:
    """Write all files; the executable ones may be run. UsageError for a directory that holds other things."""
    from llmmigrate.rollout.emission import FINDINGS
    from llmmigrate.rollout.staging import replace_file

    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is no directory", fix="name another with -o")
    if directory.is_dir() and any(directory.iterdir()) and not (directory / FINDINGS).exists() and not force:
        raise UsageError(f"{directory} holds other files", fix="name another directory, or write there with --force")
    for name, text in emission.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text, mode=0o755 if name.endswith(".sh") else 0o644)
