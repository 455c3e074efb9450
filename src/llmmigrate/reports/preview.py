"""The page of a run that has not started: what it would send, what that costs, and what it can decide."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Literal

import msgspec

from llmmigrate.money import plain
from llmmigrate.reports import Report, numbers
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table
from llmmigrate.shadow.decidability import Outlook
from llmmigrate.shadow.preview import Preview, SidePreview

SCHEMA = "llmmigrate.preview/1"
SHOWN = 6
REASONS = {
    "other_model": "went to another model",
    "no_request_text": "have counts but no messages",
    "not_a_chat_request": "are no chat requests",
    "not_unicode": "hold text that cannot be sent",
    "repeated": "are further attempts of a drawn request",
}
"""Why calls of a log cannot be drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewDocument(Preview):
    """The document of a dry run, `llmmigrate.preview/1`: the preview, its cap, and what it can decide."""

    schema: str = SCHEMA
    currency: Literal["USD"] = "USD"
    max_cost: Decimal
    """USD that the run stops before."""
    canary: Decimal
    """Part of 1."""
    outlook: Outlook


def report(view: Preview, outlook: Outlook, *, cap: Decimal, canary: Decimal, next_step: str | None = None) -> Report:
    """The report of a dry run; `cap` in USD, `canary` a part of 1."""
    told = {field.name: getattr(view, field.name) for field in fields(view)}
    made = PreviewDocument(**told, max_cost=cap, canary=canary, outlook=outlook)
    document = _texts(msgspec.to_builtins(made, builtin_types=(Decimal,)))
    sides = [{"side": side, **document[side]} for side in ("current", "target", "embeddings") if document[side]]
    return Report(document=document, page=list(_page(view, outlook, cap, canary, next_step)), records=sides)


def _page(view: Preview, outlook: Outlook, cap: Decimal, canary: Decimal, next_step: str | None) -> Iterator[Block]:
    yield Paragraph(headline(view, canary), strong=True)
    yield _table(view)
    yield Paragraph(money_words(view, cap))
    yield from _left_out(view)
    if view.incompatible:
        yield Bullets("Cannot be put to a side, and are not sent:", _counted(view.incompatible))
    if view.changed:
        yield Bullets("Translated for the target:", _counted(view.changed))
    yield from _decides(outlook)
    if next_step:
        yield Command(next_step)


def headline(view: Preview, canary: Decimal) -> str:
    """What would be asked, in a sentence."""
    return f"{plan_words(view, canary, 'Would replay')}. Nothing has been sent."


def plan_words(view: Preview, canary: Decimal, verb: str) -> str:
    """What is asked, as a clause that begins with `verb`."""
    part = f"{numbers.counted(view.pairs, 'request')} of {numbers.count(view.population)} ({numbers.share(canary)})"
    where = (
        "on both sides"
        if view.current.requests or not view.target.requests
        else "at the target, and hold its answers against the logged ones"
    )
    words = f"{verb} {part} {where}"
    if view.doubled:
        words += f", {numbers.count(view.doubled)} of them twice on the current side for its own noise"
    if view.cost_requests:
        words += f"; {numbers.counted(view.cost_requests, 'further request')} at the target for its cost"
    return words


def money_words(view: Preview, cap: Decimal) -> str:
    """What it costs, and that the cap holds."""
    if view.expected is None:
        sides = (view.current, view.target, view.embeddings)
        missing = [side.name for side in sides if side is not None and side.expected is None]
        return f"There is no price for {' and '.join(missing)}: the cost is not known."
    expected = f"About {numbers.money(view.expected, 'USD')} at the tokens of the log"
    held = f"the run stops before it spends more than {numbers.money(cap, 'USD')} (--max-cost)"
    return f"{expected}; {held}."


def _table(view: Preview) -> Table:
    columns = [
        Column("Side"),
        Column("Requests", "right"),
        Column("Expected USD", "right"),
        Column("At most USD", "right", drop=2),
        Column("Tokens", "right", drop=1),
        Column("Minutes at its limits", "right", drop=0),
    ]
    rows = [_row("now", view.current), _row("target", view.target)]
    if view.embeddings is not None:
        rows.append(_row("vectors", view.embeddings))
    return Table(columns=columns, rows=rows)


def _row(what: str, side: SidePreview) -> list[str]:
    paid = "free" if side.free else None
    return [
        f"{side.name} ({what})",
        numbers.count(side.requests),
        paid or numbers.money(side.expected),
        paid or numbers.money(side.worst),
        numbers.count(side.tokens),
        numbers.MISSING if side.minutes is None else f"{side.minutes:,.1f}",
    ]


def _left_out(view: Preview) -> Iterator[Block]:
    if view.left_out:
        told = (f"{numbers.count(n)} {REASONS.get(why, why)}" for why, n in sorted(view.left_out.items()))
        yield Paragraph(f"Calls of the log that could not be drawn: {', '.join(told)}.")


def _counted(found: dict[str, int]) -> Sequence[str]:
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"{words}: {numbers.counted(n, 'request')}" for words, n in ranked[:SHOWN]]
    return [*lines, f"and {len(ranked) - SHOWN} more"] if len(ranked) > SHOWN else lines


def _decides(outlook: Outlook) -> Iterator[Block]:
    """Whether a target that is as good as the current side would be passed."""
    noun = "pair" if outlook.unit == "request" else "session"
    if outlook.passes >= 0.5 and outlook.median is not None:
        yield Paragraph(
            f"A target that is as good as the current side passes all gates in {numbers.share(outlook.passes)} of runs "
            f"like this, half of them within {numbers.counted(outlook.median, noun)}."
        )
    else:
        yield Paragraph(
            f"{numbers.counted(outlook.units, noun)} will probably not decide: even a target that is as good as the "
            f"current side passes all gates in only {numbers.share(outlook.passes)} of runs like this.",
            kind="warning",
        )
    columns = [
        Column("Gate"),
        Column("Passes by itself", "right"),
        Column(f"{noun.title()}s at the least", "right", drop=1),
    ]
    rows = [[gate.key, numbers.share(gate.passes), numbers.count(gate.fewest)] for gate in outlook.gates]
    yield Table(columns=columns, rows=rows)


def _texts(value: Any) -> Any:
    """Amounts as text, for JSON."""
    match value:
        case Decimal():
            return plain(value)
        case dict():
            return {key: _texts(item) for key, item in value.items()}
        case list():
            return [_texts(item) for item in value]
    return value
