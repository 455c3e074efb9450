"""The options that commands share, each written once.

A command declares a record of its options (a dataclass of annotated fields, built on `LogOptions` or `ReportOptions`)
and a function of that record and the console; `command` makes the command line of it.
"""

import dataclasses
import inspect
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from llmmigrate.cli.console import Console
from llmmigrate.errors import UsageError, nearest

if TYPE_CHECKING:
    from llmmigrate.config import Flag, Settings

Options = TypeVar("Options")
Run = Callable[[Options, Console], int]
"""A command's work: from its options to its exit code."""


@dataclass(frozen=True, kw_only=True)
class ConfigOptions:
    """Where settings come from."""

    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="Settings file; otherwise the nearest llmmigrate.yaml upwards.")
    ] = None
    show_config: Annotated[
        bool, typer.Option("--show-config", help="Print every setting with where it comes from, and stop.")
    ] = False

    def flags(self) -> "dict[str, Flag]":
        """What of this command line overrides settings, by the settings' keys."""
        return {}


@dataclass(frozen=True, kw_only=True)
class LogOptions(ConfigOptions):
    """Which calls a command reads."""

    logs: Annotated[
        list[str],
        typer.Argument(
            metavar="LOGS",
            show_default=False,
            help="Files, globs, directories or - (stdin), compressed or not; saved profiles too.",
        ),
    ] = field(default_factory=list)
    where: Annotated[
        list[str], typer.Option(metavar="KEY=VALUE", help="Only these calls; repeatable. route=x is tag.route=x.")
    ] = field(default_factory=list)
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only calls that started then or later.")] = None
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only calls that started before.")] = None
    tz: Annotated[str | None, typer.Option(metavar="ZONE", help="Zone of days and of times without one; UTC.")] = None
    provider: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who bills the calls whose log does not say so.")
    ] = None
    alias: Annotated[
        list[str], typer.Option(metavar="LOGGED=P/M", help="What a logged model name means; repeatable.")
    ] = field(default_factory=list)
    log_format: Annotated[
        str | None, typer.Option(metavar="NAME", help="Read every record in this format instead of detecting it.")
    ] = None
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 2 with rejected lines, 3 with missing or unpriced usage.")
    ] = False

    def flags(self) -> "dict[str, Flag]":
        """What of this command line overrides settings, by the settings' keys."""
        from llmmigrate.config import Flag

        flags = {"logs": Flag(tuple(self.logs), "LOGS")} if self.logs else {}
        return flags | ({"aliases": Flag(pairs(self.alias, "--alias"), "--alias")} if self.alias else {})


@dataclass(frozen=True, kw_only=True)
class OutputOptions(ConfigOptions):
    """Where a result goes and how."""

    format: Annotated[
        str | None, typer.Option(metavar="NAME", help="table (default), json, markdown, csv or html.")
    ] = None
    output: Annotated[
        list[str],
        typer.Option("--output", "-o", metavar="FILE", help="Write here, format by suffix; repeatable; - is stdout."),
    ] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ReportOptions(OutputOptions, LogOptions):
    """A result about logs."""


def new_app() -> typer.Typer:
    """A Typer for one command's module, with the house's settings."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def command(app: typer.Typer, name: str | None = None) -> Callable[[Run[Options]], Run[Options]]:
    """Add `run(options, console) -> exit code` to `app`; its first parameter's record is its command line.

    The command is called like the function, or `name`.
    """

    def add(run: Run[Options]) -> Run[Options]:
        record: Any = get_type_hints(run)["options"]

        def call(context: typer.Context, **values: Any) -> int:
            options = record(**values)
            if getattr(options, "show_config", False):
                return show_settings(settings(options), context.obj)
            return run(options, context.obj)

        call.__name__, call.__doc__ = run.__name__, run.__doc__
        signature = _signature(record)
        call.__signature__ = signature  # type: ignore[attr-defined]
        call.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
        app.command(name)(call)
        return run

    return add


def settings(options: ConfigOptions) -> "Settings":
    """The settings in force for a command: its flags over the environment over the file over the defaults."""
    from llmmigrate.config import load

    path = Path(options.config) if options.config else None
    return load(directory=Path.cwd(), path=path, environment=os.environ, flags=options.flags())


def show_settings(found: "Settings", console: Console) -> int:
    """Print every setting with its origin; exit code 0."""
    from llmmigrate.config import listing
    from llmmigrate.reports import Report
    from llmmigrate.reports.formats import table
    from llmmigrate.reports.tables import Column, Table

    rows = Table(columns=[Column("Setting"), Column("Value"), Column("From")], rows=listing(found))
    report = Report(document={}, page=[rows])
    console.result(table.render(report, width=console.width(), color=console.colored(sys.stdout)))
    return 0


def _signature(record: Any) -> inspect.Signature:
    """The parameters that typer reads: the context, then one a field of `record`, its own before the shared ones."""
    hints = get_type_hints(record, include_extras=True)
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    known = {item.name: item for item in dataclasses.fields(record)}
    own_first = dict.fromkeys(name for place in record.__mro__ for name in inspect.get_annotations(place))
    fields = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_default(known[name]), annotation=hints[name])
        for name in own_first
    ]
    return inspect.Signature([context, *fields])


def _default(item: "dataclasses.Field[Any]") -> Any:
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return inspect.Parameter.empty if item.default is dataclasses.MISSING else item.default


def pairs(values: Iterable[str], option: str) -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping; the value may hold further equal signs. UsageError for anything else."""
    result: dict[str, str] = {}
    for text in values:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise UsageError(f"'{text}' is no KEY=VALUE", fix=f"write {option} KEY=VALUE")
        if result.setdefault(key, value) != value:
            raise UsageError(f"{option} gives '{key}' two values: '{result[key]}' and '{value}'")
    return result


def comma_list(text: str) -> list[str]:
    """The names in `model,day`, without empty ones."""
    return [name.strip() for name in text.split(",") if name.strip()]


def zone(name: str | None) -> tzinfo:
    """The time zone of an IANA name, UTC for None."""
    from zoneinfo import ZoneInfo, available_timezones

    if name is None or name == "UTC":
        return UTC
    known = {item.casefold(): item for item in available_timezones()}
    if name.casefold() not in known:
        near = nearest(name, known)
        fix = f"did you mean '{known[near[0]]}'?" if near else "write a name such as Europe/Berlin"
        raise UsageError(f"unknown time zone '{name}'", fix=fix)
    return ZoneInfo(known[name.casefold()])


def instant(text: str | None, option: str, where: tzinfo) -> datetime | None:
    """A date or time of ISO 8601 as an instant in UTC; without a zone of its own it is one of `where`.

    `option` is what stands before it on the command line: an option, or `NAME@`, which no space follows.
    """
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        before = option if option.endswith("@") else f"{option} "
        fix = f"write {before}2026-10-01 or {before}2026-10-01T12:00Z"
        raise UsageError(f"{before}'{text}' is no date or time", fix=fix) from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=where)).astimezone(UTC)
