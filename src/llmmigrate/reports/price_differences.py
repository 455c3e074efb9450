"""The page of `prices diff`."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from llmmigrate.prices.differences import PriceDifferences, RateDifference
from llmmigrate.reports import Report, numbers
from llmmigrate.reports.tables import Block, Bullets, Column, Paragraph, Table

NAMES_SHOWN = 12


def report(found: PriceDifferences) -> Report:
    """The report of two tables."""
    return Report(
        document=msgspec.to_builtins(found),
        page=list(_page(found)),
        records=[msgspec.to_builtins(line) for line in found.different],
    )


def _page(found: PriceDifferences) -> Iterator[Block]:
    models = len({line.model for line in found.different})
    shared = numbers.counted(models + found.equal, "model")
    verb = "differs" if models == 1 else "differ"
    yield Paragraph(f"{models} of {shared} {verb} between {found.a} and {found.b}.", strong=True)
    if found.different:
        columns = [
            Column("Model"),
            Column("Tokens"),
            Column(found.a, "right"),
            Column(found.b, "right"),
            Column("Change", "right", drop=1),
        ]
        title = f"{found.currency} per 1M tokens, standard tier, lowest band, off-peak"
        yield Table(columns=columns, rows=[_row(line) for line in found.different], title=title)
    lacks = [
        f"only {side}: {', '.join(names[:NAMES_SHOWN])}{_more(names)}"
        for side, names in ((found.a, found.only_a), (found.b, found.only_b))
        if names
    ]
    if lacks:
        yield Bullets("Without a counterpart:", lacks)


def _row(line: RateDifference) -> list[str]:
    a, b = (None if rate is None else Decimal(rate) for rate in (line.a, line.b))
    return [
        line.model,
        line.token_class.replace("_", " "),
        numbers.rate(a),
        numbers.rate(b),
        numbers.signed_share(line.change),
    ]


def _more(names: list[str]) -> str:
    return f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
