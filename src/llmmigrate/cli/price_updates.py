"""`llmmigrate prices update`."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.options import OutputOptions, settings
from llmmigrate.cli.reading import now_ns
from llmmigrate.errors import PriceTableError, UsageError, unknown_name
from llmmigrate.units import NANOSECONDS

if TYPE_CHECKING:
    from llmmigrate.config import Settings
    from llmmigrate.prices import Catalog
    from llmmigrate.prices.appending import Origin
    from llmmigrate.prices.packages import Prices
    from llmmigrate.prices.update_results import PriceUpdate
    from llmmigrate.prices.updates import PriceSource, Snapshot
    from llmmigrate.prices.updating import Plan

TABLES = "pricing"
"""The folder that is updated where none is named: beside llmmigrate.yaml, or here."""
CHANGES = "CHANGES.md"


@dataclass(frozen=True, kw_only=True)
class UpdateOptions(OutputOptions):
    """The command line of `prices update`."""

    source: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            show_default=False,
            help="genai-prices or litellm, whose newest pip fetches; or a file of theirs.",
        ),
    ]
    from_: Annotated[
        str | None,
        typer.Option("--from", "--from-wheel", metavar="FILE", help="Read this wheel or JSON file; fetch nothing."),
    ] = None
    tables: Annotated[
        str | None, typer.Option(metavar="DIR", help="The tables to update; otherwise pricing beside llmmigrate.yaml.")
    ] = None
    provider: Annotated[list[str], typer.Option(metavar="NAME", help="Only this provider; repeatable.")] = field(
        default_factory=list
    )
    observed: Annotated[
        str | None, typer.Option(metavar="DAY", help="The day from which changed rates hold; today (UTC).")
    ] = None
    accept: Annotated[
        list[str],
        typer.Option(metavar="P/M", help="Believe what is refused of this model; repeatable, may hold *."),
    ] = field(default_factory=list)
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")] = False


def update(options: UpdateOptions, console: Console) -> int:
    """New prices from a price library: each change is a new period, nothing is edited. Exit code 2 if refused.

    \b
    Examples:
      llmmigrate prices update --source genai-prices --dry-run
      llmmigrate prices update --source litellm --from litellm-1.109.1.whl --provider openai
      llmmigrate prices update --source genai_prices-0.0.40-py3-none-any.whl --accept 'x-ai/*'
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate.cli.output import destinations, write
    from llmmigrate.prices.appending import Origin, contents
    from llmmigrate.reports.price_update import report

    observed = _day(options.observed)
    (source, file, held), found = _source(options, observed), settings(options)
    to = destinations(options.format, options.output, inputs=[file] if file else [])
    directory = _directory(options, found)
    catalog = _catalog(directory)
    _check_providers(options.provider, source)
    _, package, snapshot = held or _read(source, file, observed, console)
    origin = Origin(source.PACKAGE, package.version, source.URL, package.licence, observed)
    _check_age(catalog, origin)
    plan = _planned(catalog, snapshot, origin, directory, options)
    files = {} if plan.refused else contents(directory, plan.edits, origin)
    told = _told(plan, origin, directory, sorted(files), dry_run=options.dry_run)
    if files and not options.dry_run:
        _write(directory, files, told, console)
    write(report(told, next_step=_next_step(directory, found, told)), to, console)
    if plan.refused:
        raise _refused(plan)
    return 0


def write_files(files: Mapping[Path, bytes], console: Console) -> None:
    """Write files, each whole or not at all, and say so."""
    from llmmigrate.cli.output import whole_file

    for path, content in files.items():
        with whole_file(str(path)) as stream:
            stream.write(content)
        console.say(f"wrote {path}")


def _source(options: UpdateOptions, observed: date) -> "tuple[PriceSource, str | None, Prices | None]":
    """The source, the file that was named, None where pip fetches it, and what was read of it where that was needed."""
    from llmmigrate.prices.packages import identified
    from llmmigrate.prices.updates import source_named, source_names

    is_file = options.source not in source_names() and (
        Path(options.source).is_file() or options.source.endswith((".whl", ".json"))
    )
    if not is_file:
        return source_named(options.source), options.from_, None
    if options.from_ is not None:
        raise UsageError("--source and --from both name a file", fix="name one of them")
    held = identified(Path(options.source), observed)
    return held.source, options.source, held


def _directory(options: UpdateOptions, found: "Settings") -> Path:
    """The folder of tables. UsageError where it cannot be written, which is known before anything is fetched."""
    directory = Path(options.tables) if options.tables else found.resolve(TABLES)
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is no folder", fix="name the folder of price tables with --tables")
    held = directory if directory.is_dir() else directory.parent
    if not held.is_dir():
        raise UsageError(f"there is no folder {held}", fix=f"mkdir -p {held}")
    if not options.dry_run and not os.access(held, os.W_OK):
        raise UsageError(f"cannot write {directory}: permission denied", fix="name another folder with --tables")
    return directory


def _day(text: str | None) -> date:
    today = datetime.fromtimestamp(now_ns() // NANOSECONDS, UTC).date()
    try:
        day = date.fromisoformat(text) if text else today
    except ValueError:
        raise UsageError(f"--observed '{text}' is no day", fix=f"write --observed {today}") from None
    if day > today:
        raise UsageError(f"--observed {day} is in the future", fix=f"write {today} or an earlier day")
    return day


def _catalog(directory: Path) -> "Catalog":
    """What is known before the update: the folder if it is a whole set of tables, else the bundled ones and it."""
    from llmmigrate.prices import load_catalog, table_paths
    from llmmigrate.prices.appending import is_whole_set

    if is_whole_set(directory):
        return load_catalog(directory=directory)
    return load_catalog(extra=table_paths(directory))


def _check_providers(names: list[str], source: "PriceSource") -> None:
    for name in names:
        if name not in source.PROVIDERS.values():
            raise unknown_name(f"provider of {source.PACKAGE}", name, set(source.PROVIDERS.values()))


def _read(source: "PriceSource", file: str | None, observed: date, console: Console) -> "Prices":
    """The prices of the source, from the file that was named or from the package index."""
    from llmmigrate.prices.packages import Prices, fetch, read_package, snapshot_of

    with tempfile.TemporaryDirectory() as folder:
        if file is None:
            console.say(f"pip downloads {source.PACKAGE}")
        path = Path(file) if file else fetch(source.PACKAGE, Path(folder))
        try:
            package = read_package(source, path)
            return Prices(source, package, snapshot_of(source, path, package, observed))
        except PriceTableError as error:
            if file:
                raise
            what = f"{error.what}: {path.name}, as pip fetched it"  # the file itself is gone by now
            raise PriceTableError(what, why=error.why, fix=error.fix) from None


def _check_age(catalog: "Catalog", origin: "Origin") -> None:
    """PriceTableError for a version that is older than one that tables were updated from."""
    from llmmigrate.prices.updating import newer_version

    newer = newer_version(catalog, origin.package, origin.version)
    if newer:
        what = f"{origin.package} {origin.version} is older than {newer}, from which tables were updated"
        raise PriceTableError(what, fix=f"take {newer} or a later version")


def _planned(
    catalog: "Catalog", snapshot: "Snapshot", origin: "Origin", directory: Path, options: UpdateOptions
) -> "Plan":
    from llmmigrate.prices import bundled_directory
    from llmmigrate.prices.explained import read_explanations
    from llmmigrate.prices.unusable import usable
    from llmmigrate.prices.updating import Question, plan

    explanations = read_explanations(bundled_directory())
    question = Question(origin.package, origin.version, origin.observed, options.accept, explanations.why)
    return usable(plan(catalog, snapshot, question, options.provider), directory, origin, options.accept)


def _told(plan: "Plan", origin: "Origin", directory: Path, files: list[Path], *, dry_run: bool) -> "PriceUpdate":
    from llmmigrate.prices.update_results import PriceUpdate

    return PriceUpdate(
        source=origin.package,
        version=origin.version,
        observed=origin.observed.isoformat(),
        directory=str(directory),
        dry_run=dry_run,
        changed=list(plan.changed),
        added=list(plan.added),
        gone=list(plan.gone),
        left=list(plan.left),
        refused=list(plan.refused),
        files=[str(path) for path in files],
    )


def _write(directory: Path, files: Mapping[Path, bytes], told: "PriceUpdate", console: Console) -> None:
    """The tables, what has become of them in words, and the record of the periods that have ended by it."""
    from llmmigrate.prices.validation import record_closed
    from llmmigrate.reports.price_update import with_changes

    directory.mkdir(exist_ok=True)
    changes = directory / CHANGES
    before = changes.read_text(encoding="utf-8") if changes.is_file() else ""
    write_files(files, console)
    after = with_changes(before, told)
    if after != before:
        write_files({changes: after.encode()}, console)
    records = record_closed(sorted(files), today=_day(None))
    write_files({path: content for path, content in records.items() if path.is_file() or b":" in content}, console)


def _next_step(directory: Path, found: "Settings", told: "PriceUpdate") -> str | None:
    """What makes the program use the tables, where it does not yet."""
    from llmmigrate.prices import bundled_directory

    used = [bundled_directory(), *(found.resolve(path) for path in found.config.prices)]
    if told.dry_run or not told.files or any(path.resolve() == directory.resolve() for path in used):
        return None
    return f"add to llmmigrate.yaml, so that they are used: prices: [{directory}]"


def _refused(plan: "Plan") -> PriceTableError:
    models = sorted({each.model for each in plan.refused})
    what = f"update refused: {len(plan.refused)} changes of {len(models)} models are not believed; nothing was written"
    return PriceTableError(what, fix=f"look at the provider's own page; then --accept {models[0]} (* stands for many)")
