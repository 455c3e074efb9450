"""`llmmigrate serve-local`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.launching import prepare, run
from llmmigrate.cli.options import OutputOptions, command, new_app
from llmmigrate.cli.output import destinations, write
from llmmigrate.cli.reading import command_line
from llmmigrate.errors import ServingError, UsageError

if TYPE_CHECKING:
    from llmmigrate.serving.fit import Wish
    from llmmigrate.serving.planning import Decision, Place
    from llmmigrate.serving.pool import Pool
    from llmmigrate.serving.results import Plan

app = new_app()

DEFAULT_MODEL = "glm-5"


@dataclass(frozen=True, kw_only=True)
class ServeLocalOptions(OutputOptions):
    """The command line of `serve-local`."""

    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model of the catalogue, or the folder of a checkpoint.")
    ] = DEFAULT_MODEL
    engine: Annotated[
        str | None, typer.Option(metavar="NAME", help="vllm, sglang, vllm-ascend, llama.cpp, transformers; auto.")
    ] = None
    precision: Annotated[str | None, typer.Option(metavar="NAME", help="fp8, bf16, w4a8 …; the first that fits.")] = (
        None
    )
    on: Annotated[
        str | None, typer.Option(metavar="8xH200", help="Plan for this hardware instead of what is found here.")
    ] = None
    context_: Annotated[
        str | None, typer.Option("--context", metavar="N", help="Tokens of context; as many as fit.")
    ] = None
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1"
    port: Annotated[str, typer.Option(metavar="N", help="Where to listen.")] = "8000"
    force: Annotated[bool, typer.Option("--force", help="Launch although it is refused.")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False


@command(app, "serve-local")
def serve_local(options: ServeLocalOptions, console: Console) -> int:
    """Launch GLM-5 or a sibling on the accelerators found here, or plan it for ones that are named.

    \b
    Examples:
      llmmigrate serve-local --dry-run
      llmmigrate serve-local glm-4.7-flash --context 65536
      llmmigrate serve-local --on 8xH200 --dry-run
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.reports.serving import report

    if options.on is not None and not options.dry_run:
        raise UsageError("--on plans for hardware that is not here", fix="add --dry-run")
    to = destinations(options.format, options.output)
    wish = _wish(options)
    pools, problems = _pools(options)
    plan, decision = _plan(options, wish, pools, problems)
    write(report(plan, next_step=_next_step(options, plan)), to, console)
    check_fits(plan, decision)
    if options.dry_run:
        return 0
    return run(prepare(decision, _place(options), force=options.force), console, next_step=_shadow(decision.name))


def _wish(options: ServeLocalOptions) -> "Wish":
    from llmmigrate import quantities
    from llmmigrate.serving.engines import engine_name
    from llmmigrate.serving.fit import Wish

    try:
        context = quantities.size(options.context_) if options.context_ is not None else None
    except ValueError as error:
        raise UsageError(f"--context: {error}") from None
    engine = None if options.engine in (None, "auto") else engine_name(str(options.engine))
    return Wish(context=context, engine=engine, precision=options.precision, force=options.force)


def _pools(options: ServeLocalOptions) -> "tuple[list[Pool], tuple[str, ...]]":
    """What to plan for, and what could not be asked."""
    from llmmigrate.serving.inventory import take_inventory
    from llmmigrate.serving.pool import found_pools, named_pool

    if options.on is not None:
        return [named_pool(options.on)], ()
    inventory = take_inventory()
    return found_pools(inventory), inventory.problems


def _plan(
    options: ServeLocalOptions, wish: "Wish", pools: "list[Pool]", problems: tuple[str, ...]
) -> "tuple[Plan, Decision]":
    from llmmigrate import __version__
    from llmmigrate.serving.planning import decide, plan

    decision = decide(options.model, pools, wish)
    made = plan(decision, wish, _place(options), command=command_line(), version=__version__, problems=problems)
    return made, decision


def _place(options: ServeLocalOptions) -> "Place":
    from llmmigrate.serving.planning import Place

    text = options.port
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise UsageError(f"--port '{text}' is no port", fix="write a number from 1 to 65535, such as --port 8000")
    return Place(host=options.host, port=int(text))


def check_fits(plan: "Plan", decision: "Decision") -> None:
    """ServingError, with the best way forward, for a plan that cannot be launched."""
    from llmmigrate.reports.serving import headline, obstacle

    if plan.fits:
        return
    first = decision.found[0]
    way = first.refusal.way if first.refusal is not None else None
    sibling = f"llmmigrate serve-local {plan.siblings[0].model}" if plan.siblings else None
    machine = f"--on {plan.machines[0].hardware}" if plan.machines else None
    fixes = [words for words in (sibling, way or machine) if words is not None]
    raise ServingError(
        headline(plan).rstrip("."),
        why=obstacle(plan.choices[0]).rstrip("."),
        fix="; or ".join(fixes) or "see llmmigrate serve-local --help",
        code="does_not_fit",
    )


def _shadow(model: str) -> str:
    """What to do with an endpoint that is ready."""
    return f"llmmigrate serve-local {model} --to-config, then: llmmigrate shadow --to local/{model}"


def _next_step(options: ServeLocalOptions, plan: "Plan") -> str | None:
    if not plan.fits:
        return f"llmmigrate serve-local {plan.siblings[0].model} --dry-run" if plan.siblings else None
    return f"llmmigrate serve-local {options.model}" if options.on is None and options.dry_run else None
