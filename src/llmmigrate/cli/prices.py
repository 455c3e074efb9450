"""`llmmigrate prices list|show|compare|diff|validate|update`."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.options import OutputOptions, command, instant, new_app, settings
from llmmigrate.cli.price_updates import update, write_files
from llmmigrate.cli.reading import catalog_of, now_ns, own_price_files
from llmmigrate.errors import LlmmigrateError, UnknownNameError, UsageError, unknown_name
from llmmigrate.units import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from llmmigrate.config import Settings
    from llmmigrate.prices import Catalog, Entry
    from llmmigrate.prices.differences import PriceSide

app = new_app()


@app.callback()
def _prices() -> None:
    """The price tables.

    \b
    Examples:
      llmmigrate prices list
      llmmigrate prices list anthropic
      llmmigrate prices show openai/o3 --at 2025-05-01 --explain
      llmmigrate prices compare openai/o3 zai/glm-5 --bench bench.json
      llmmigrate prices diff holysheep openai
      llmmigrate prices validate contract.yaml
      llmmigrate prices update --source genai-prices --dry-run
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled


@dataclass(frozen=True, kw_only=True)
class ListOptions(OutputOptions):
    """The command line of `prices list`."""

    provider: Annotated[
        str | None, typer.Argument(metavar="PROVIDER", show_default=False, help="Show this provider's models.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class ShowOptions(OutputOptions):
    """The command line of `prices show`."""

    model: Annotated[str, typer.Argument(metavar="P/M", show_default=False, help="The model, as provider/model.")]
    at: Annotated[str | None, typer.Option(metavar="TIME", help="The rates of this time; now.")] = None
    explain: Annotated[bool, typer.Option("--explain", help="Say why: source, grade, hash, all periods.")] = False


@dataclass(frozen=True, kw_only=True)
class CompareOptions(OutputOptions):
    """The command line of `prices compare`."""

    models: Annotated[
        list[str], typer.Argument(metavar="P/M...", show_default=False, help="The models, each as provider/model.")
    ]
    bench: Annotated[
        list[str], typer.Option(metavar="FILE", help="Show the speed that `bench` measured, too; repeatable.")
    ] = field(default_factory=list)
    at: Annotated[str | None, typer.Option(metavar="TIME", help="The rates of this time; now.")] = None


@dataclass(frozen=True, kw_only=True)
class DiffOptions(OutputOptions):
    """The command line of `prices diff`."""

    a: Annotated[str, typer.Argument(metavar="A", show_default=False, help="A provider, provider@TIME or a file.")]
    b: Annotated[str, typer.Argument(metavar="B", show_default=False, help="What to hold it against.")]


@dataclass(frozen=True, kw_only=True)
class ValidateOptions(OutputOptions):
    """The command line of `prices validate`."""

    files: Annotated[
        list[str],
        typer.Argument(metavar="FILES", show_default=False, help="Price tables; otherwise all bundled and your own."),
    ] = field(default_factory=list)
    record: Annotated[
        bool, typer.Option("--record", help="Record closed periods, so that a later edit of them is an error.")
    ] = False


@command(app)
def list_tables(options: ListOptions, console: Console) -> int:
    """Which prices are known, and how old they are.

    \b
    Examples:
      llmmigrate prices list
      llmmigrate prices list deepseek
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.cli.output import destinations, write
    from llmmigrate.prices.sheets import price_list
    from llmmigrate.reports.prices import list_report

    to = destinations(options.format, options.output)
    catalog = catalog_of(settings(options))
    if options.provider is not None and options.provider not in catalog.tables:
        raise unknown_name("provider", options.provider, catalog.tables)
    next_step = None if options.provider else "llmmigrate prices show openai/o3 --explain"
    write(list_report(price_list(catalog, now_ns() // NANOSECONDS, options.provider), next_step=next_step), to, console)
    return 0


app.registered_commands[-1].name = "list"  # the function cannot be named so: list is a type


@command(app)
def show(options: ShowOptions, console: Console) -> int:
    """What a model costs at a time, and why.

    \b
    Examples:
      llmmigrate prices show openai/o3
      llmmigrate prices show openai/o3 --at 2025-05-01 --explain
      llmmigrate prices show deepseek/deepseek-v4-pro --at 2026-11-18T02:00Z --format json
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.cli.output import destinations, write
    from llmmigrate.prices.sheets import price_sheet
    from llmmigrate.reports.prices import show_report

    to = destinations(options.format, options.output)
    catalog = catalog_of(settings(options))
    sheet = price_sheet(catalog, _entry(catalog, options.model), _at(options.at))
    write(show_report(sheet, explain=options.explain), to, console)
    return 0 if sheet.period else 1


@command(app)
def compare(options: CompareOptions, console: Console) -> int:
    """Models side by side: price, context window, capabilities, and the speed that was measured.

    \b
    Examples:
      llmmigrate prices compare openai/o3 zai/glm-5
      llmmigrate prices compare openai/o3 zai/glm-5 --bench bench.json
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.cli.output import destinations, write
    from llmmigrate.reports.side_by_side import report
    from llmmigrate.shadow.bench_results import load
    from llmmigrate.shadow.side_by_side import compare as compared

    to = destinations(options.format, options.output, inputs=options.bench)
    catalog = catalog_of(settings(options))
    benches = [(path, load(path)) for path in options.bench]
    measured = {endpoint.name for _, bench in benches for endpoint in bench.endpoints}
    entries = {name: _entry_or_none(catalog, name, measured) for name in dict.fromkeys(options.models)}
    step = None if benches else f"llmmigrate bench {' '.join(entries)} -o bench.json"
    write(report(compared(catalog, entries, benches, _at(options.at)), next_step=step), to, console)
    return 0


@command(app)
def diff(options: DiffOptions, console: Console) -> int:
    """Two price tables side by side: two providers, two dates, or a file and a table.

    \b
    Examples:
      llmmigrate prices diff holysheep openai
      llmmigrate prices diff openai@2025-06-01 openai
      llmmigrate prices diff contract.yaml openai
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.cli.output import destinations, write
    from llmmigrate.prices.differences import differences
    from llmmigrate.reports.price_differences import report

    to = destinations(options.format, options.output)
    catalog = catalog_of(settings(options))
    write(report(differences(_side(catalog, options.a), _side(catalog, options.b))), to, console)
    return 0


@command(app)
def validate(options: ValidateOptions, console: Console) -> int:
    """What is wrong with price tables: schema, overlaps, gaps, names, slips. Exit code 1 with errors.

    \b
    Examples:
      llmmigrate prices validate
      llmmigrate prices validate contract.yaml
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.cli.output import destinations, write
    from llmmigrate.prices.sheets import validation
    from llmmigrate.prices.validation import validate as validated
    from llmmigrate.reports.prices import validation_report

    to = destinations(options.format, options.output)
    named = _named_files(options.files)
    paths = _token_tables(named) if options.files else _all_tables(settings(options))
    today = datetime.fromtimestamp(now_ns() // NANOSECONDS, UTC).date()
    if options.record:
        _record(paths, today, console)
    beside = _all_tables(settings(options)) if options.files else []
    found = validation(len(paths), validated(paths, today=today, beside=beside))
    write(validation_report(found), to, console)
    return 1 if found.errors else 0


command(app)(update)


def _entry_or_none(catalog: "Catalog", name: str, measured: "Collection[str]") -> "Entry | None":
    """The entry of a model; None where no table has it, but a benchmark measured it."""
    from llmmigrate.prices import Unpriced

    unlisted = isinstance(catalog.find(None, name), Unpriced)
    return None if unlisted and name in measured else _entry(catalog, name)


def _entry(catalog: "Catalog", name: str) -> "Entry":
    """The entry of a model. UnknownNameError where no table has it."""
    from llmmigrate.prices import Entry

    found = catalog.find(None, name)
    if isinstance(found, Entry):
        return found
    fix = f"did you mean '{found.nearest[0]}'?" if found.nearest else "llmmigrate prices list shows all providers"
    raise UnknownNameError(f"unknown model '{name}'", why=found.detail, fix=fix)


def _at(text: str | None) -> int:
    at = instant(text, "--at", UTC)
    return int(at.timestamp()) if at else now_ns() // NANOSECONDS


def _named_files(names: list[str]) -> list[Path]:
    """The files that are named; a folder stands for the tables in it. UsageError for a folder without any."""
    from llmmigrate.prices import table_paths

    found = {Path(name): table_paths(Path(name)) if Path(name).is_dir() else [Path(name)] for name in names}
    for name, paths in found.items():
        if not paths:
            raise UsageError(f"there is no price table in {name}", fix="name a folder of .yaml files, or a file")
    return [path for paths in found.values() for path in paths]


def _token_tables(paths: list[Path]) -> list[Path]:
    """Those that price tokens. What lies beside them is checked here by its own rules: ConfigError where it fails."""
    from llmmigrate.prices import explained, self_hosted

    others: dict[str, Callable[[Path], object]] = {
        self_hosted.FILE_NAME: self_hosted.read_self_hosted,
        explained.FILE_NAME: lambda path: explained.read_explanations(path.parent),
    }
    for path in paths:
        if path.name in others:
            others[path.name](path)
    return [path for path in paths if path.name not in others]


def _all_tables(found: "Settings") -> list[Path]:
    from llmmigrate.prices import bundled_directory, table_paths

    return [*table_paths(bundled_directory()), *own_price_files(found)]


def _record(paths: list[Path], today: date, console: Console) -> None:
    from llmmigrate.prices.validation import record_closed

    write_files(record_closed(paths, today=today), console)


def _side(catalog: "Catalog", text: str) -> "PriceSide":
    """One side of `prices diff`: a provider or a file, with @TIME where another time than now is meant."""
    from llmmigrate.prices.differences import side_of_file, side_of_table

    name, sign, time = (text, "", "") if Path(text).is_file() else text.rpartition("@")
    at = instant(time, f"{name}@", UTC) if sign else None
    name, seconds = name or text, int(at.timestamp()) if at else _at(None)
    if name in catalog.tables:
        found = side_of_table(catalog, name, text, seconds)
    elif Path(name).is_file():
        found = side_of_file(Path(name), text, seconds)
    else:
        raise _no_side(name, catalog)
    if not found.models:
        when = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="minutes").removesuffix("+00:00")
        raise UsageError(f"no model of {name} has a price at {when}Z", fix=f"name another time: {name}@2026-11-01")
    return found


def _no_side(name: str, catalog: "Catalog") -> LlmmigrateError:
    if Path(name).is_dir():
        return UsageError(f"{name} is a folder", fix="name one price table in it")
    if "/" in name or name.endswith((".yaml", ".yml", ".json")):
        return UsageError(f"there is no file {name}", fix="name a price table, or a provider such as openai")
    return unknown_name("provider or file", name, catalog.tables)
