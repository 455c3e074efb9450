"""`llmmigrate serve-local`."""

import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.deploying import (
    PLAYBOOK,
    check_export,
    show_playbook,
    with_endpoint,
    write_files,
    write_settings,
)
from llmmigrate.cli.launching import Prepared, prepare, run
from llmmigrate.cli.options import command, new_app
from llmmigrate.cli.output import Destination, destinations, write
from llmmigrate.cli.plans import Planned, PlanOptions, plan_for
from llmmigrate.cli.reading import command_line
from llmmigrate.errors import ServingError, UsageError, unknown_name

if TYPE_CHECKING:
    from llmmigrate.serving.cost import Rate
    from llmmigrate.serving.results import Plan

app = new_app()


@dataclass(frozen=True, kw_only=True)
class ServeLocalOptions(PlanOptions):
    """The command line of `serve-local`."""

    measure: Annotated[bool, typer.Option("--measure", help="Measure tokens a second once it is ready.")] = False
    export: Annotated[
        str | None, typer.Option(metavar="compose|systemd", help="Write files to deploy it instead, into -o DIR.")
    ] = None
    to_config: Annotated[
        bool, typer.Option("--to-config", help="Add it to llmmigrate.yaml as provider local once it is ready.")
    ] = False
    profile: Annotated[
        str | None, typer.Option(metavar="playbook", help="Show the GPU table of the migration playbook instead.")
    ] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False


@command(app, "serve-local")
def serve_local(options: ServeLocalOptions, console: Console) -> int:
    """Launch GLM-5 or a sibling on the accelerators found here, or plan it for ones that are named.

    \b
    Examples:
      llmmigrate serve-local --dry-run
      llmmigrate serve-local glm-4.7-flash --context 65536 --measure
      llmmigrate serve-local --on 8xH200 --dry-run --logs logs.jsonl
      llmmigrate serve-local --on 8xH200 --export compose -o deploy
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    _check(options)
    if options.profile is not None:
        return show_playbook(options, console)
    to = destinations(options.format, [] if options.export else options.output, inputs=options.logs)
    planned = plan_for(options, console)
    plan = planned.plan()
    if options.dry_run or not plan.fits or not options.measure:
        _show(plan, options, to, console)
    check_fits(plan, planned, options)
    if options.export is not None:
        write_files(planned, options.export, options.output, console)
    return 0 if options.dry_run or options.export else _launch(options, planned, to, console)


def _check(options: ServeLocalOptions) -> None:
    if options.profile not in (None, PLAYBOOK):
        raise unknown_name("profile", str(options.profile), [PLAYBOOK])
    if options.on is not None and not options.dry_run and options.export is None:
        raise UsageError("--on plans for hardware that is not here", fix="add --dry-run or --export")
    if options.export is not None:
        check_export(options.export, options.output)
    if options.measure and options.dry_run:
        raise UsageError("--measure needs a running engine", fix="leave out --dry-run or --measure")


def _show(plan: "Plan", options: ServeLocalOptions, to: list[Destination], console: Console) -> None:
    from llmmigrate.reports.serving import report

    write(report(plan, next_step=_next_step(options, plan)), to, console)
    sys.stdout.flush()


def _launch(options: ServeLocalOptions, planned: Planned, to: list[Destination], console: Console) -> int:
    settings = with_endpoint(planned, options) if options.to_config else None
    prepared = prepare(planned.decision, planned.place, force=options.force)

    def first() -> None:
        if settings is not None:
            write_settings(settings, console)
        if options.measure:
            _show(planned.plan(_measured(prepared, planned, console)), options, to, console)

    step = f"llmmigrate shadow --to local/{prepared.job.served_model}" if settings is not None else None
    return run(prepared, console, first=first, next_step=step)


def _measured(prepared: Prepared, planned: Planned, console: Console) -> "Rate":
    from llmmigrate.serving.measure import measure

    job, load = prepared.job, planned.load()
    words = f"{load.input_words} words in and {load.output_tokens} tokens out"
    console.say(f"measuring with {load.concurrency} requests at a time, {words}")
    return measure(job.root_url, job.served_model, load, key=job.key)


def check_fits(plan: "Plan", planned: Planned, options: PlanOptions) -> None:
    """ServingError, with the best way forward, for a plan that cannot be launched."""
    from llmmigrate.reports.serving import headline, obstacle

    if plan.fits:
        return
    first = planned.decision.found[0]
    way = first.refusal.way if first.refusal is not None else None
    shorter = f"--context {first.longest_context}" if first.verdict == "context" and first.longest_context else None
    sibling = _sibling(plan, options) if plan.siblings else None
    machine = f"--on {plan.machines[0].hardware}" if plan.machines else None
    fixes = [words for words in (shorter or sibling, way or machine) if words is not None]
    raise ServingError(
        headline(plan).rstrip("."),
        why=obstacle(plan.choices[0]).rstrip("."),
        fix="; or ".join(fixes) or "see llmmigrate serve-local --help",
        code="does_not_fit",
    )


def _next_step(options: ServeLocalOptions, plan: "Plan") -> str | None:
    if not plan.fits:
        return f"{_sibling(plan, options)} --dry-run" if plan.siblings else None
    if options.on is not None or not options.dry_run:
        return None
    return shlex.join(word for word in shlex.split(command_line()) if word != "--dry-run")


def _sibling(plan: "Plan", options: PlanOptions) -> str:
    """The command line for the best other model on the same hardware."""
    words = ["llmmigrate", "serve-local", plan.siblings[0].model]
    return shlex.join(words if options.on is None else [*words, "--on", options.on])
