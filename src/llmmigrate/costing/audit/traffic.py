"""The audit of a log: every call against every target, in one pass and in memory that does not grow with the log."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from llmmigrate.costing import results
from llmmigrate.costing.analysis import line_counts, rfc3339
from llmmigrate.costing.audit.findings import VERDICTS, Finding, Ledger, Verdict, gravest, gravest_by_rule
from llmmigrate.costing.audit.requests import Features, dialect_of, features_of
from llmmigrate.costing.audit.results import (
    SCHEMA,
    Audit,
    AuditFinding,
    AuditRule,
    AuditTarget,
    AuditVerdicts,
    Bodies,
    Part,
)
from llmmigrate.costing.audit.rules import check, on_tools
from llmmigrate.costing.audit.targets import Target
from llmmigrate.costing.audit.translate import examine
from llmmigrate.costing.bill import Biller, CellBill, Purse, bill_cards
from llmmigrate.costing.warnings import explain_reading
from llmmigrate.money import plain
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.accounting import Tally
from llmmigrate.usage.call import Call
from llmmigrate.usage.cuts import CutMarks, Cuts
from llmmigrate.usage.profile import Cell, CellKey, Profile, ProfileWriter, disjoint_tokens

MOST_FINDINGS: Final = 300
"""Findings that are told apart; parameters are named by the log, and a log can name any number of them."""
_MESSAGE_KEYS: Final = frozenset({"messages", "input"})
_USAGE: Final = ("known", "estimated")
_NO_COST: Final = Cell()


class Sums:
    """Running sums of some of the calls."""

    __slots__ = ("calls", "places", "priced", "purse")

    def __init__(self) -> None:
        self.calls = 0
        self.priced = 0
        self.purse = Purse()
        self.places = Tally()

    def add(self, call: Call, bill: CellBill, place: str) -> None:
        """Add a call with what it cost."""
        self.calls += call.requests
        self.places.add(place)
        if bill.amount is not None:
            self.priced += call.requests
            self.purse.add(bill)


class Auditor:
    """Takes call after call, as a sink of the reader; `result` tells what was found."""

    def __init__(self, biller: Biller, targets: Sequence[Target], currency: str = "USD") -> None:
        cuts = biller.catalog.marks()
        marks = CutMarks(instants=cuts.instants, clocks=cuts.clocks, prompt=cuts.prompt, output=cuts.output)
        self._biller = biller
        self._currency = currency
        self._writer = ProfileWriter(Profile(marks), Cuts(marks))
        self._cards: dict[CellKey, CellBill] = {}
        self._total = Sums()
        self._bodies = dict.fromkeys(("whole", "messages_only", "parts", "other", "none"), 0)
        self._sheets = [Sheet(target) for target in targets]

    def add(self, call: Call, place: str) -> None:
        """Audit one call; `place` is its `file:line`."""
        bill = self._bill(call)
        self._total.add(call, bill, place)
        asked, kind = looked_at(call)
        self._bodies[kind] += call.requests
        for sheet in self._sheets:
            sheet.add(call, asked, kind, bill, place)

    def _bill(self, call: Call) -> CellBill:
        """What a call cost at its own date."""
        tokens = disjoint_tokens(call)
        key = self._writer.key(call, tokens)
        priced = self._cards.get(key)
        if priced is None:
            priced = self._cards[key] = self._biller.bill(key, _NO_COST)
        if not priced.cards:
            return priced
        return bill_cards(
            priced.cards, tokens, {"request": call.requests, "search": call.searches, "image": call.images}
        )

    def result(self, profile: Profile, *, command: str, version: str) -> Audit:
        """The audit of everything that was added; `profile` is that of the same reading."""
        unread = profile.total_calls() - self._total.calls  # calls of saved profiles, which hold no requests
        self._total.calls += unread
        self._bodies["none"] += unread
        return Audit(
            schema=SCHEMA,
            command=command,
            version=version,
            at=rfc3339(self._biller.as_of * NANOSECONDS),
            sources=[results.SourceFile(path=s.path, bytes=s.bytes, sha256=s.sha256, formats=s.formats)
                     for s in profile.accounting.sources],
            lines=line_counts(profile.accounting),
            total=self._part(self._total),
            unpriced_calls=self._total.calls - self._total.priced,
            currency=self._currency,
            bodies=Bodies(**self._bodies),
            targets=[self._target(sheet, unread) for sheet in self._sheets],
            warnings=explain_reading(profile),
        )  # fmt: skip

    def _target(self, sheet: "Sheet", unread: int) -> AuditTarget:
        sheet.verdicts["not_audited"].calls += unread
        verdicts = {name: self._part(sums) for name, sums in sheet.verdicts.items()}
        found = sorted(sheet.findings.items(), key=_gravest_first)
        return AuditTarget(
            to=sheet.target.name,
            dialect=sheet.target.dialect,
            context_window=sheet.target.context_window,
            max_output=sheet.target.max_output,
            verdicts=AuditVerdicts(**verdicts),
            rules=sorted((self._rule(rule, sums) for rule, sums in sheet.rules.items()), key=_most_refused_first),
            findings=[self._finding(finding, sums) for finding, sums in found],
        )

    def _rule(self, rule: str, by_verdict: Mapping[Verdict, Sums]) -> AuditRule:
        calls = {verdict: by_verdict[verdict].calls if verdict in by_verdict else 0 for verdict in VERDICTS}
        worst = max(by_verdict, key=VERDICTS.index)
        refused = self._part(by_verdict["refused"]).spend_share if "refused" in by_verdict else None
        first = [] if worst == "ok" else by_verdict[worst].places.first
        return AuditRule(rule=rule, refused_spend_share=refused, first=first, **calls)

    def _finding(self, finding: Finding, sums: Sums) -> AuditFinding:
        part = msgspec.structs.asdict(self._part(sums))
        return AuditFinding(
            rule=finding.rule, verdict=finding.verdict, words=finding.words, first=sums.places.first, **part
        )

    def _part(self, sums: Sums) -> Part:
        cost = self._amount(sums) if sums.priced else None
        total = self._amount(self._total)
        share = None if cost is None or not total else round(float(cost / total), 6)
        return Part(calls=sums.calls, cost=None if cost is None else plain(cost), spend_share=share)

    def _amount(self, sums: Sums) -> Decimal:
        return sums.purse.total(self._biller.catalog, self._currency, self._biller.as_of).middle


class Sheet:
    """What was found for one target."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.verdicts = {name: Sums() for name in AuditVerdicts.__struct_fields__}
        self.findings: dict[Finding, Sums] = {}
        self.rules: dict[str, dict[Verdict, Sums]] = {}

    def add(self, call: Call, asked: Features | None, kind: str, bill: CellBill, place: str) -> None:
        """Audit a call against this target."""
        findings = judged(call, asked, kind, self.target)
        for finding in findings:
            self._sums(finding).add(call, bill, place)
        for rule, verdict in gravest_by_rule(findings).items():
            self.rules.setdefault(rule, {}).setdefault(verdict, Sums()).add(call, bill, place)
        self.verdicts[_verdict(findings, kind)].add(call, bill, place)

    def _sums(self, finding: Finding) -> Sums:
        if finding not in self.findings and len(self.findings) >= MOST_FINDINGS:
            finding = Finding(finding.rule, finding.verdict, "and others")
        return self.findings.setdefault(finding, Sums())


def looked_at(call: Call) -> tuple[Features | None, str]:
    """What a call asks for, as far as its log holds that, and how much of its request that is, as in `Bodies`."""
    source = None if call.request is None else dialect_of(call.request)
    asked = None if source is None or call.request is None else features_of(call.request, source)
    return asked, _body_kind(call, asked)


def judged(call: Call, asked: Features | None, kind: str, target: Target) -> tuple[Finding, ...]:
    """Every finding of one call at a target; `asked` and `kind` are of `looked_at`."""
    return (*_of_body(call, asked, kind, target), *_of_answer(call, asked, target))


def _of_body(call: Call, asked: Features | None, kind: str, target: Target) -> tuple[Finding, ...]:
    if asked is None or call.request is None:
        return ()
    if kind == "parts":
        ledger = Ledger()
        check(call.request, asked, target, ledger)
        return ledger.findings
    return examine(call.request, asked, target)[1]


def _body_kind(call: Call, asked: Features | None) -> str:
    """How much of its request a call holds, by the names of `Bodies`."""
    if call.request is None:
        return "none"
    if asked is None:
        return "other"
    if _MESSAGE_KEYS.isdisjoint(asked.parameters) and not asked.stored_history:
        return "parts"
    return "whole" if asked.parameters - _MESSAGE_KEYS else "messages_only"


def _of_answer(call: Call, asked: Features | None, target: Target) -> Iterator[Finding]:
    """What the logged answer and its token counts say of the request."""
    if call.tool_calls and (asked is None or not asked.tools):
        yield on_tools(target)
    if call.usage in _USAGE:
        yield from _of_usage(call, asked, target)


def _of_usage(call: Call, asked: Features | None, target: Target) -> Iterator[Finding]:
    """What the token counts say; they are those of the logged model's tokenizer."""
    window, used = target.context_window, call.input_tokens + call.output_tokens
    longest = call.input_tokens + ((asked.max_output_tokens if asked else None) or 0)
    if window is None:
        yield Finding("context", "unknown", "the target's context window is not known")
    elif used > window:
        yield Finding("context", "refused", f"prompt and answer exceed the context window of {window:,}")
    elif longest > window:
        words = f"prompt and longest answer asked for exceed the context window of {window:,}"
        yield Finding("context", "refused", words)
    else:
        yield Finding("context", "ok", "")
    if target.max_output is not None and call.output_tokens > target.max_output:
        yield Finding("max_output", "refused", f"the logged answer is longer than {target.max_output:,} tokens")


def _verdict(findings: tuple[Finding, ...], kind: str) -> str:
    """Where a call is counted: without a whole request only what is refused is certain."""
    worst = gravest(findings)
    if kind == "whole" or worst == "refused":
        return worst
    return "in_part" if findings else "not_audited"


def _most_refused_first(rule: AuditRule) -> tuple[int, int, int, int, str]:
    return -rule.refused, -rule.unknown, -rule.translated, -rule.ok, rule.rule


def _gravest_first(item: tuple[Finding, Sums]) -> tuple[int, int, str, str]:
    finding, sums = item
    return -VERDICTS.index(finding.verdict), -sums.calls, finding.rule, finding.words
