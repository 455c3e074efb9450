"""`llmmigrate audit`."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.options import ReportOptions, command, new_app, settings
from llmmigrate.cli.output import destinations, write
from llmmigrate.cli.reading import catalog_of, command_line, inputs_of, next_command, now_ns, read_logs, strict_code
from llmmigrate.errors import UsageError
from llmmigrate.units import NANOSECONDS

if TYPE_CHECKING:
    from llmmigrate.config import Settings
    from llmmigrate.costing.audit.results import Audit
    from llmmigrate.costing.audit.targets import Target
    from llmmigrate.prices import Catalog

REFUSED: Final = 1
COULD_NOT_ANSWER: Final = 2

app = new_app()


@dataclass(frozen=True, kw_only=True)
class AuditOptions(ReportOptions):
    """The command line of `audit`."""

    to: Annotated[list[str], typer.Option(metavar="P/M", help="A target, provider/model; repeatable.")] = field(
        default_factory=list
    )
    demo: Annotated[bool, typer.Option("--demo", help="Use the samples that come with llmmigrate.")] = False


@command(app)
def audit(options: AuditOptions, console: Console) -> int:
    """Which calls the target cannot serve, how many they are, and where they stand. Exit 1 if there are any.

    \b
    Examples:
      llmmigrate audit logs.jsonl --to zai/glm-5
      llmmigrate audit logs.jsonl --to zai/glm-5 --to openai/gpt-5.4 -o audit.json -o audit.md
      llmmigrate audit logs.jsonl --to zai/glm-5 --where route=/extract
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from llmmigrate import __version__
    from llmmigrate.costing.audit.traffic import Auditor
    from llmmigrate.costing.bill import Biller
    from llmmigrate.reports.audit import report

    to = destinations(options.format, options.output, inputs=inputs_of(options))
    found = settings(options)
    catalog = catalog_of(found)
    targets = [_target(name, found, catalog) for name in _names(options, found)]
    biller = Biller(catalog, as_of=now_ns() // NANOSECONDS)
    auditor = Auditor(biller, targets)
    reading = read_logs(options, console, demo=options.demo, keep_text=True, on_call=auditor.add, catalog=catalog)
    result = auditor.result(reading.profile, command=command_line(), version=__version__)
    write(report(result, next_step=_next_step(options, result)), to, console)
    incomplete = strict_code(reading.profile, options, console, unpriced=result.unpriced_calls)
    refused = any(target.verdicts.refused.calls for target in result.targets)
    return REFUSED if refused and incomplete != COULD_NOT_ANSWER else incomplete


def _names(options: AuditOptions, found: "Settings") -> list[str]:
    """The targets of the command line, else that of the settings."""
    side = found.config.to
    written = f"{side.provider}/{side.model}" if side is not None and side.provider and side.model else None
    names = options.to or ([written] if written else [])
    if not names:
        raise UsageError("no target named", fix="add --to PROVIDER/MODEL, such as --to zai/glm-5")
    return list(dict.fromkeys(names))


def _target(name: str, found: "Settings", catalog: "Catalog") -> "Target":
    """A target of the price tables, or one of a provider of the settings, of which only its dialect is known."""
    from llmmigrate.costing.audit.targets import find_target, target_of

    provider, sign, model = name.partition("/")
    own = found.config.providers.get(provider)
    if sign and own is not None and model:
        return find_target(catalog, provider, model, own.dialect)
    entry = catalog.named(name)
    return target_of(entry, catalog.tables[entry.provider])


def _next_step(options: AuditOptions, result: "Audit") -> str | None:
    if len(result.targets) > 1:
        return None
    return next_command("estimate", options, options.demo, "--to", result.targets[0].to)
