"""The one way in and the one way out: arguments to a command, an outcome to an exit code.

    0    yes, done
    1    the answer is no
    2    could not answer: usage, configuration, input, network, or a defect of ours
    3    undecided or incomplete
    130  interrupted
    141  the reader of our output went away

`--exit-zero` turns 1 and 3 into 0, never 2.
"""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command as build_command

from llmmigrate import __version__
from llmmigrate.cli.console import COLOR_CHOICES, Console, abandon_streams, prepare_streams
from llmmigrate.errors import LlmmigrateError, Location, UsageError, nearest, unknown_name

COMMANDS: Final = {
    "init": "Write a commented llmmigrate.yaml.",
    "ingest": "Turn any log into a small profile, or into one plain record a call.",
    "analyze": "What do I spend, where, how fast, with which errors.",
    "estimate": "What would the same traffic cost elsewhere.",
    "report": "What a move is worth, and what is not known yet.",
    "audit": "Which calls a target cannot serve, and where they stand.",
    "shadow": "Is the target good enough: replays logged requests on both sides and judges.",
    "bench": "How fast do endpoints answer, side by side.",
    "batch": "Run a file of requests through one endpoint, within limits and a cap.",
    "check": "Did this change make the calls dearer: for continuous integration.",
    "record": "Get logs where there are none: records what a command calls.",
    "prices": "The price tables: list, show, compare, diff, validate, update.",
    "serve-local": "Launch GLM-5 or a sibling on the accelerators found, or plan it.",
    "accelerators": "What accelerators this machine has.",
    "rollout": "Get there in steps: lint, emit, drill, stage, run, status, watch.",
    "rollback": "Go back now, in one step.",
}
"""Every command and its line in `--help`, in the order a newcomer needs them."""

COULD_NOT_ANSWER: Final = 2
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141

_SHOWN_COLUMNS: Final = 100


class CommandGroup(TyperGroup):
    """The commands of `COMMANDS`; a command's module is imported when the command is called, not to list it."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, without an import."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of one module, with the global options added."""
        if cmd_name not in COMMANDS:
            raise unknown_name("command", cmd_name, COMMANDS)
        module = import_module(f"llmmigrate.cli.{cmd_name.replace('-', '_')}")
        command = build_command(module.app)
        _adopt(command, [param for param in self.params if param.name != "version"])
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list in `--help`, from `COMMANDS` alone."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


class _AsWritten:
    """Takes texts as they are. Typer would import pydantic to do the same, for more CPU than all else at start-up."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        return () if value is None and (param.multiple or param.nargs == -1) else value


def _adopt(command: Any, params: list[Any]) -> None:
    """Let the global options stand after a command's name, too, at any depth, and take texts as written."""
    command.params.extend(params)
    command.add_help_option = False  # the one of `_root` serves all
    for param in command.params:
        if param.type_descriptor.annotation in (str, list[str], bool):
            param._runtime_param = _AsWritten()
    for child in getattr(command, "commands", {}).values():
        _adopt(child, params)


def _global(*names: str, help: str, metavar: str | None = None) -> Any:
    """An option that sets the attribute of its name on the console, wherever on the line it stands."""
    attribute = names[0].removeprefix("--").replace("-", "_")

    def keep(context: typer.Context, value: Any) -> None:
        console = context.find_object(Console)
        if attribute == "color" and value not in (None, *COLOR_CHOICES):
            raise UsageError(f"--color '{value}' is not known", fix=f"choose one of: {', '.join(COLOR_CHOICES)}")
        if value and console is not None:
            setattr(console, attribute, value)

    return typer.Option(*names, callback=keep, expose_value=False, is_eager=True, metavar=metavar, help=help)


def _print_version(value: bool) -> None:
    if value:
        print(f"llmmigrate {__version__}")
        raise typer.Exit


def _print_help(context: typer.Context, value: bool) -> None:
    if value:
        print(context.get_help())
        raise typer.Exit


app = typer.Typer(cls=CommandGroup, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    color: Annotated[
        str | None,
        _global("--color", metavar="auto|always|never", help="Colours; auto: on a terminal."),
    ] = None,
    quiet: Annotated[bool, _global("--quiet", "-q", help="Nothing on stderr but errors.")] = False,
    debug: Annotated[bool, _global("--debug", help="Show tracebacks.")] = False,
    exit_zero: Annotated[bool, _global("--exit-zero", help="Exit with 0 instead of 1 or 3, not of 2.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
    help: Annotated[
        bool,
        typer.Option("--help", callback=_print_help, expose_value=False, is_eager=True, help="Show this text."),
    ] = False,
) -> None:
    """What LLM traffic costs, what it would cost elsewhere, and how to get there and back.

    \b
    Examples:
      llmmigrate analyze logs.jsonl
      llmmigrate estimate logs.jsonl --to zai/glm-5
      llmmigrate prices show openai/o3 --explain
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    prepare_streams()
    console = Console()
    given = sys.argv[1:] if arguments is None else list(arguments)
    code = _answer(lambda: _flushed(_dispatch(given, console)), console)
    sys.exit(0 if console.exit_zero and code in (1, 3) else code)


def _dispatch(arguments: list[str], console: Console) -> int:
    """Run the command that the arguments name; its exit code."""
    command = build_command(app)
    _adopt(command, [])
    try:
        with command.make_context("llmmigrate", arguments, obj=console) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.TyperException as error:
        raise _usage_error(error) from error


def _flushed(code: int) -> int:
    """`code`, once everything written has really gone out: a closed pipe shows only now."""
    sys.stdout.flush()
    return code


def _answer(job: Callable[[], int], console: Console) -> int:
    """The exit code of `job`, whatever happens in it. The only place that catches every exception."""
    try:
        return job()
    except BrokenPipeError:
        abandon_streams()
        return BROKEN_PIPE
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if console.debug:
            sys.excepthook(type(error), error, error.__traceback__)
        failure = as_failure(error)
        print(describe(failure, console), file=sys.stderr)
        return failure.exit_code


def as_failure(error: Exception) -> LlmmigrateError:
    """Any exception as one that people can read; what is not expected is a defect of ours and says so."""
    if isinstance(error, LlmmigrateError):
        return error
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return LlmmigrateError(f"{place}{error.strerror}", code="os")
    words = f"{type(error).__name__}: {error}"[:_SHOWN_COLUMNS]
    fix = "this is a defect of llmmigrate: please report it with the output of the same command with --debug"
    return LlmmigrateError(f"unexpected {words}", code="internal", fix=fix)


def describe(failure: LlmmigrateError, console: Console) -> str:
    """The words for a failure: what, where with the line and a caret, why, how to fix."""
    from llmmigrate.reports.escape import visible

    code = f"[{failure.code}]" if failure.code else ""
    lines = [f"{console.paint('error', f'error{code}:', sys.stderr)} {visible(failure.what)}"]
    if failure.where is not None:
        lines.append(f"  --> {visible(str(failure.where))}")
        lines.extend(_excerpt(failure.where))
    if failure.why:
        lines.append(f"  why: {visible(failure.why)}")
    if failure.fix:
        lines.append(f"  {console.paint('fix', 'fix:', sys.stderr)} {visible(failure.fix)}")
    return "\n".join(lines)


def _excerpt(where: Location) -> list[str]:
    """The line that an error is about, cut around the column, and a caret under it."""
    if where.text is None or where.line is None:
        return []
    from llmmigrate.reports.escape import visible

    column = where.column or 1
    start = max(0, column - _SHOWN_COLUMNS // 2)
    shown = visible(where.text[start : start + _SHOWN_COLUMNS].rstrip())
    lead = ("… " if start else "") + visible(where.text[start : column - 1])
    gutter = f"    {where.line} │ "
    lines = [gutter + ("… " if start else "") + shown]
    return [*lines, " " * (len(gutter) + len(lead)) + "^"] if where.column else lines


def _usage_error(error: typer.TyperException) -> UsageError:
    """A usage error of the parser in our words: what, and the nearest option or where to look."""
    what, _, hint = error.format_message().partition(" Did you mean ")
    what = (what[:1].lower() + what[1:]).replace("Value error, ", "").rstrip(".")
    context = getattr(error, "ctx", None)
    option = getattr(error, "option_name", None)
    if option is not None and hasattr(error, "possibilities") and context is not None:
        what, near = f"no such option '{option}'", nearest(option, _option_names(context.command))
        hint = f"'{near[0]}'?" if near else ""
    path = context.command_path if context is not None else "llmmigrate"
    return UsageError(what, fix=f"did you mean {hint}" if hint else f"see {path} --help")


def _option_names(command: Any) -> list[str]:
    return [name for param in command.params for name in param.opts if name.startswith("--")]
