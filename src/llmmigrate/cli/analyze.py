"""`llmmigrate analyze`."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.options import ReportOptions, command, new_app
from llmmigrate.cli.output import destinations, write
from llmmigrate.cli.reading import (
    command_line,
    groups_of,
    inputs_of,
    moment,
    next_command,
    read_logs,
    share,
    strict_code,
)

if TYPE_CHECKING:
    from llmmigrate.costing.invoice_files import Invoice
    from llmmigrate.prices import Catalog

app = new_app()


@dataclass(frozen=True, kw_only=True)
class AnalyzeOptions(ReportOptions):
    """The command line of `analyze`."""

    by: Annotated[
        list[str],
        typer.Option(metavar="KEYS", help="Group by model (default), provider, day, hour, tag.NAME; with commas."),
    ] = field(default_factory=list)
    as_of: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Price what has no rate at its own date with the rates of then; now."),
    ] = None
    growth: Annotated[
        str | None, typer.Option(metavar="N%", help="Growth of the traffic a month, for the projection.")
    ] = None
    invoice: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Hold a vendor's bill against the log: OpenAI costs, Anthropic report, CSV."),
    ] = None
    demo: Annotated[bool, typer.Option("--demo", help="Use the samples that come with llmmigrate.")] = False


@command(app)
def analyze(options: AnalyzeOptions, console: Console) -> int:
    """What do I spend, where, how fast, with which errors.

    \b
    Examples:
      llmmigrate analyze logs.jsonl
      llmmigrate analyze logs/ --by model,day --since 2026-10-01
      llmmigrate analyze logs.jsonl.gz --by tag.team -o spend.json -o spend.md
      llmmigrate analyze --demo
    """  # noqa: D301 - \b is a character here: the paragraph after it is not filled
    from msgspec import structs

    from llmmigrate import __version__
    from llmmigrate.costing.analysis import Terms, analyse
    from llmmigrate.costing.bill import Biller
    from llmmigrate.costing.invoice import compare_invoice
    from llmmigrate.costing.reconciliation import Reconciler
    from llmmigrate.reports.analysis import report

    to = destinations(options.format, options.output, inputs=[*inputs_of(options), *_bill_files(options)])
    bill = _bill(options)
    by = groups_of(options.by, default="model")
    as_of = moment(options.as_of, "--as-of", options.tz)
    reconcilers: list[Reconciler] = []

    def check(catalog: "Catalog", now: int) -> Reconciler:
        reconcilers.append(Reconciler(Biller(catalog, as_of=as_of or now, fall_back=as_of is not None)))
        return reconcilers[0]

    reading = read_logs(options, console, by=by, demo=options.demo, cost_check=check)
    biller = Biller(reading.catalog, as_of=as_of or reading.now, fall_back=as_of is not None)
    terms = Terms(by=tuple(by), now=reading.now, as_of=as_of, growth=share(options.growth, "--growth"))
    analysis = analyse(
        reading.profile, biller, terms, command=command_line(), version=__version__,
        reconciliation=reconcilers[0].result(),
    )  # fmt: skip
    if bill is not None:
        found = compare_invoice(reading.profile, biller, bill, as_of=as_of or reading.now)
        analysis = structs.replace(analysis, invoice=found)
    write(report(analysis, next_step=next_command("estimate", options, options.demo)), to, console)
    return strict_code(reading.profile, options, console, unpriced=analysis.total.unpriced_calls)


def _bill_files(options: AnalyzeOptions) -> list[str]:
    return [options.invoice] if options.invoice else []


def _bill(options: AnalyzeOptions) -> "Invoice | None":
    """The bill to hold against the log, read before the log: a bill that is none should not cost the time."""
    if options.invoice is None:
        return None
    from llmmigrate.costing.invoice_files import read_invoice

    return read_invoice(options.invoice)
