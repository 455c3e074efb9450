"""The command line of `shadow`."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

import typer

from llmmigrate.cli.options import ReportOptions
from llmmigrate.errors import UsageError

if TYPE_CHECKING:
    from llmmigrate.shadow.storing import Store

DEFAULT_SEED: Final = 7
DEFAULT_MAX_COST: Final = Decimal(25)
"""USD; said in every preview, and changed with --max-cost."""
DEFAULT_COST_DRAWS: Final = 300
"""So many draws by tokens give the cost within 3 % where calls are much alike (docs/shadow-statistics.md)."""
STORES: Final = ("redacted", "hashes", "full")
BASELINES: Final = ("fresh", "logged")
UNITS: Final = ("request", "session")


@dataclass(frozen=True, kw_only=True)
class ShadowOptions(ReportOptions):
    """The command line of `shadow`.

    What decides a run's plan has no default here, so that it is known what was typed: `choices` has the defaults.
    """

    from_: Annotated[
        str | None, typer.Option("--from", metavar="P/M", help="Where the traffic is now; else from the settings.")
    ] = None
    to: Annotated[str | None, typer.Option(metavar="P/M", help="Where it might go; else from the settings.")] = None
    canary: Annotated[
        str | None, typer.Option(metavar="N%", help="The part of the requests that is replayed: 10%. Needed.")
    ] = None
    max_cost: Annotated[
        str | None, typer.Option(metavar="USD", help="Spend at most this, never more; 25. Both sides together.")
    ] = None
    max_tokens_total: Annotated[
        str | None, typer.Option(metavar="N", help="Use at most so many tokens, for a model without a price: 2M.")
    ] = None
    max_output_tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Limit replies to N tokens where a request sets no limit.")
    ] = None
    yes: Annotated[bool, typer.Option("--yes", help="Start without asking.")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent and what it can decide.")] = False
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with a run that was interrupted; pays nothing twice.")
    ] = None
    resend: Annotated[
        bool, typer.Option("--resend", help="With --resume: send again what may have been sent and paid.")
    ] = False
    rescore: Annotated[
        str | None, typer.Option(metavar="RUN", help="Judge the stored answers of a run anew; sends nothing.")
    ] = None
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="fresh|logged",
            help="Ask the current model again, or take its logged answers.  [default: fresh]",
        ),
    ] = None
    unit: Annotated[
        str | None,
        typer.Option(
            metavar="request|session",
            help="What is drawn and judged as one: a request, or a session.  [default: request]",
        ),
    ] = None
    measure: Annotated[
        list[str], typer.Option(metavar="M", help="Another measure: a name, module:function, a program. Repeatable.")
    ] = field(default_factory=list)
    embeddings: Annotated[
        str | None, typer.Option(metavar="P/M", help="Compares meanings, by vectors from there: embedding_similarity.")
    ] = None
    gate: Annotated[
        list[str], typer.Option(metavar="KEY=LIMIT", help="A demand, such as errors='<= +1pt' or =off. Repeatable.")
    ] = field(default_factory=list)
    store: Annotated[
        str | None,
        typer.Option(metavar="redacted|hashes|full", help="How texts lie in the run's journal.  [default: redacted]"),
    ] = None
    seed: Annotated[int | None, typer.Option(metavar="N", help="Which requests are drawn; 7.")] = None
    cost_sample: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Further requests at the target, drawn by tokens, for its cost; 0 is none.  "
            f"[default: {DEFAULT_COST_DRAWS}]",
        ),
    ] = None


class Choices(NamedTuple):
    """What was chosen, or is taken where nothing was."""

    baseline: Literal["fresh", "logged"]
    unit: Literal["request", "session"]
    store: "Store"
    cost_draws: int


def choices(options: ShadowOptions) -> Choices:
    """The choices in force. UsageError for one that there is not."""
    draws = DEFAULT_COST_DRAWS if options.cost_sample is None else options.cost_sample
    if draws < 0:
        raise UsageError(f"--cost-sample {draws} is below zero", fix="--cost-sample 0 draws none")
    return Choices(
        baseline=_one_of(BASELINES, "--baseline", options.baseline),
        unit=_one_of(UNITS, "--unit", options.unit),
        store=_one_of(STORES, "--store", options.store),
        cost_draws=draws,
    )


def _one_of(known: tuple[str, ...], option: str, value: str | None) -> Any:
    """The value, or the first one that is known where none was given."""
    if value is None:
        return known[0]
    if value not in known:
        raise UsageError(f"{option} '{value}' is not known", fix=f"choose one of: {', '.join(known)}")
    return value
