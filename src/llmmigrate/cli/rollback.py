"""`llmmigrate rollback`."""

from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from llmmigrate.cli.changes import change_code, show_change
from llmmigrate.cli.console import Console
from llmmigrate.cli.options import command
from llmmigrate.cli.rollout import PlanArgument, drill, emit
from llmmigrate.errors import UsageError


class BackGroup(TyperGroup):
    """`rollback migration.yaml` is `rollback now migration.yaml`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command's name in where it was left out."""
        named = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if named else ["now", *args])


app = typer.Typer(cls=BackGroup, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def _rollback() -> None:
    """Send everything back to the current provider, in one step, and lock the stage.

    \b
    Examples:
      llmmigrate rollback migration.yaml --reason "answers are cut off"
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled


@dataclass(frozen=True, kw_only=True)
class BackOptions:
    """The command line of `rollback`."""

    plan: PlanArgument = "migration.yaml"
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; kept in the journal and the lock.")] = None


@command(app)
def now(options: BackOptions, console: Console) -> int:
    """Go back now. The stage stays locked until a person releases it. Exit code 3 if the gateway does not take it up.

    \b
    Examples:
      llmmigrate rollback migration.yaml --reason "answers are cut off"
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.rollout.changing import roll_back
    from llmmigrate.rollout.emission_checks import emitted_elsewhere
    from llmmigrate.rollout.emitted import as_emitted, differences, edited, emitted_damage, way_back
    from llmmigrate.rollout.records import one_line

    if not one_line(options.reason or ""):
        raise UsageError("no reason given", fix='add --reason "what is wrong"')
    written, place, remark = way_back(Path(options.plan))
    plan = as_emitted(written, place)
    change = roll_back(plan, place, options.reason or "")
    show_change(change, console, ", locked")
    if (damage := emitted_damage(place)) is not None:
        console.warn(damage)
    if remark is not None:
        console.warn(remark)
    elif changed := differences(written, place):
        console.warn(f"{edited(changed)}: went back by what was emitted")
    for other in emitted_elsewhere(plan, place):
        console.warn(f"{other} is as it was: this acts on {plan.gateway.kind} in {place.gateway_directory(plan)} alone")
    console.say(f"→ llmmigrate rollout status {quote(options.plan)}")
    return change_code(change)


command(app, "emit")(emit)
command(app, "verify")(drill)
