"""The page of `prices update`, and what it adds to `CHANGES.md`."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from llmmigrate.prices.update_results import Addition, PriceUpdate, RateChange
from llmmigrate.reports import Report, numbers
from llmmigrate.reports.formats import markdown
from llmmigrate.reports.tables import Block, Bullets, Column, Paragraph, Table

NAMES_SHOWN: Final = 12
_TITLE: Final = """# Changes of price tables

What `llmmigrate prices update` appended, newest first. Rates are USD per 1M tokens.
"""


def report(done: PriceUpdate, *, next_step: str | None = None) -> Report:
    """The report of an update; `next_step`: what is left for the reader to do."""
    return Report(
        document=msgspec.to_builtins(done),
        page=[*_page(done), *([Paragraph(next_step)] if next_step else [])],
        records=[msgspec.to_builtins(each) for each in done.changed],
    )


def with_changes(text: str, done: PriceUpdate) -> str:
    """The text of `CHANGES.md` with this update as its first entry; as it was where the update changed no price."""
    if not done.changed and not done.added and not done.gone:
        return text
    head, _, rest = text.partition("\n## ")
    title = head if head.strip() else _TITLE.rstrip()
    blocks = Report(document={}, page=list(_changes(done, None)))
    entry = f"## {done.observed}: {done.source} {done.version}\n\n{markdown.render(blocks).rstrip()}\n"
    return f"{title.rstrip()}\n\n{entry}" + (f"\n## {rest}" if rest else "")


def _page(done: PriceUpdate) -> Iterator[Block]:
    yield Paragraph(_answer(done), strong=True)
    if done.refused:
        rows = [[each.model, each.why] for each in done.refused]
        yield Table(columns=[Column("Model"), Column("Not believed")], rows=rows, title="Refused")
    yield from _changes(done, NAMES_SHOWN)
    reasons: dict[str, list[str]] = defaultdict(list)
    for left in done.left:
        reasons[left.why].append(left.model)
    if reasons:
        items = [f"{why}: {_named(models)}" for why, models in reasons.items()]
        yield Bullets("Stated otherwise by the source and left alone:", items)


def _answer(done: PriceUpdate) -> str:
    models = numbers.counted(len({each.model for each in done.changed}), "model")
    open_ = done.dry_run or done.refused
    verbs = ("would change", "would be added") if open_ else ("changed", "added")
    words = f"{models} {verbs[0]}, {len(done.added)} {verbs[1]}: {done.source} {done.version} as of {done.observed}"
    return f"{words}; {len(done.refused)} refused." if done.refused else f"{words}."


def _changes(done: PriceUpdate, most: int | None) -> Iterator[Block]:
    if done.changed:
        columns = [
            Column("Model"),
            Column("Rate"),
            Column("From", "right"),
            Column("To", "right"),
            Column("Change", "right", drop=1),
        ]
        yield Table(columns=columns, rows=[_row(each) for each in done.changed], title="USD per 1M tokens")
    if done.added:
        items = [_addition(each) for each in done.added]
        shown = items[: most or len(items)]
        more = len(items) - len(shown)
        yield Bullets("New:", [*shown, f"and {more} more"] if more else shown)
    if done.gone:
        yield Bullets("Dropped by the source, kept here:", [_named(done.gone, most)])


def _addition(each: Addition) -> str:
    return f"{each.model} ({each.input or '–'} in, {each.output or '–'} out, from {each.start})"


def _row(change: RateChange) -> list[str]:
    before, after = (None if rate is None else Decimal(rate) for rate in (change.before, change.after))
    share = (after - before) / before if before and after is not None else None
    texts = ["–" if rate is None else rate for rate in (change.before, change.after)]
    return [change.model, change.rate, *texts, numbers.signed_share(share)]


def _named(names: Sequence[str], most: int | None = NAMES_SHOWN) -> str:
    shown = names if most is None else names[:most]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
