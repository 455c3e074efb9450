"""The page of `audit`: which calls the target cannot serve, rule by rule, and what is done about the others."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from llmmigrate.costing.audit.findings import VERDICTS
from llmmigrate.costing.audit.results import Audit, AuditFinding, AuditRule, AuditTarget, Bodies
from llmmigrate.reports import Report, numbers
from llmmigrate.reports.analysis import lines_words
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table

SHOWN: Final = 12
"""Bullets of one kind."""
TITLES: Final = {
    "refused": "Refused:",
    "translated": "Translated:",
    "unknown": "Not known, sent as it is:",
}


def report(audit: Audit, *, next_step: str | None = None) -> Report:
    """The report of an audit."""
    records = [_record(target, finding, audit.currency) for target in audit.targets for finding in target.findings]
    return Report(document=msgspec.to_builtins(audit), page=list(_page(audit, next_step)), records=records)


def _page(audit: Audit, next_step: str | None) -> Iterator[Block]:
    for target in audit.targets:
        yield Paragraph(headline(target, audit), strong=True)
        yield _table(target)
        for verdict in ("refused", "translated", "unknown"):
            items = [_bullet(finding) for finding in target.findings if finding.verdict == verdict]
            if items:
                yield Bullets(TITLES[verdict], _cut(items))
    yield Paragraph(bodies_words(audit.bodies))
    yield Paragraph(f"{lines_words(audit.lines)}. Shares are of the {_spent(audit)}.")
    yield Paragraph("Tokens are counted by the logged model's tokenizer; the target's may count more.", kind="note")
    if next_step:
        yield Command(next_step)


def headline(target: AuditTarget, audit: Audit) -> str:
    """Line 1: how many calls the target refuses, and what becomes of the rest."""
    found = target.verdicts
    calls = audit.total.calls
    if found.refused.calls:
        part = found.refused.spend_share
        share = "" if part is None else f" ({numbers.share(part)} of the spend)"
        first = f"{target.to} cannot serve {found.refused.calls:,} of {numbers.counted(calls, 'call')}{share}"
    else:
        first = f"{target.to} refuses none of {numbers.counted(calls, 'call')} as far as the log shows"
    rest = {
        "as they are": found.ok.calls,
        "translated": found.translated.calls,
        "with something not known": found.unknown.calls,
        "shown only in part": found.in_part.calls,
        "not shown at all": found.not_audited.calls,
    }
    words = [f"{count:,} {what}" for what, count in rest.items() if count]
    return f"{first}. Others: {', '.join(words)}." if words else f"{first}."


def bodies_words(bodies: Bodies) -> str:
    """How much of the requests the log holds, and what follows from that."""
    parts = {
        "the whole request": bodies.whole,
        "the history without parameters": bodies.messages_only,
        "instructions or tools without the history": bodies.parts,
        "a request in no known dialect": bodies.other,
        "no request": bodies.none,
    }
    said = ", ".join(f"{what} of {numbers.counted(count, 'call')}" for what, count in parts.items() if count)
    words = f"The log holds {said}."
    if bodies.none == sum(msgspec.structs.astuple(bodies)):
        return f"{words} Only the context window was audited: log the requests themselves to see the rest."
    if bodies.messages_only or bodies.parts:
        words += " What the parameters that were not logged asked for is not audited."
    return words


def _spent(audit: Audit) -> str:
    if audit.total.cost is None:
        return "spend, which is unknown: no call has a price"
    spent = f"{numbers.money(Decimal(audit.total.cost))} {audit.currency} spent"
    missing = f"; {numbers.counted(audit.unpriced_calls, 'call')} without a price" if audit.unpriced_calls else ""
    return spent + missing


def _table(target: AuditTarget) -> Table:
    columns = [
        Column("Asked for"),
        Column("OK", "right", drop=2),
        Column("Translated", "right", drop=3),
        Column("Unknown", "right", drop=4),
        Column("Refused", "right"),
        Column("of spend", "right", drop=1),
        Column("First", drop=0),
    ]
    return Table(columns=columns, rows=[_row(rule) for rule in target.rules])


def _row(rule: AuditRule) -> list[str]:
    counts = [numbers.count(getattr(rule, verdict)) for verdict in VERDICTS]
    first = rule.first[0] if rule.first else ""
    return [rule.rule.replace("_", " "), *counts, numbers.share(rule.refused_spend_share), first]


def _bullet(finding: AuditFinding) -> str:
    places = ", ".join(finding.first[:3])
    return f"{finding.words} ({numbers.counted(finding.calls, 'call')}: {places})"


def _cut(items: list[str]) -> list[str]:
    more = len(items) - SHOWN
    return [*items[:SHOWN], f"… {more} more in -o audit.json"] if more > 0 else items


def _record(target: AuditTarget, finding: AuditFinding, currency: str) -> dict[str, Any]:
    return {
        "to": target.to, "rule": finding.rule, "verdict": finding.verdict, "words": finding.words,
        "calls": finding.calls, "cost": finding.cost, "currency": currency, "spend_share": finding.spend_share,
        "first": finding.first[0] if finding.first else None,
    }  # fmt: skip
