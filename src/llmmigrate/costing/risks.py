"""The risk register of a move: what is known about each risk, and the rule that makes one word of it.

The risks, their likelihood and their impact are those of a published migration playbook, with two that it lacks: that
the answers are worse, and that there is no way back. A likelihood from a playbook is a claim and shown as one; a status
comes from a measurement or is "not measured".
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal

import msgspec

from llmmigrate.costing.evidence import AuditedTarget, Drill, Evidence, Flip, Gate, Verdict
from llmmigrate.costing.results import Record

Status = Literal["ok", "caution", "failed", "not_measured", "not_applicable"]
Level = Literal["low", "medium", "high", "not_measured"]
NOT_MEASURED: Final = "not measured"
PRICE_MARGIN: Final = Decimal("0.20")
"""A price rise that should not turn the saving into a loss."""
_WORDS: Final[dict[Status, Level]] = {"failed": "high", "not_measured": "not_measured", "caution": "medium"}
"""The gravest first: a register's word is that of its gravest status."""
TIMES: Final = ("latency", "ttft")
"""How the keys of gates begin that speak of time."""


class Risk(Record, frozen=True, kw_only=True):
    """One risk. `likelihood` is a playbook's claim, null where it makes none; `source` the file of the evidence."""

    risk: str
    status: Status
    words: str
    likelihood: str | None
    impact: str
    mitigation: str
    source: str | None


class RiskLevel(Record, frozen=True, kw_only=True):
    """One word for the register, and why: failed → high; else not measured; else caution → medium; else low.

    `open` counts the risks that failed, were not measured or call for caution.
    """

    level: Level
    why: str
    open: int


class Situation(msgspec.Struct, frozen=True):
    """What the risks are judged by, beside the evidence."""

    sources: Sequence[str]
    """The models that move, as the price tables name them."""
    price_rise: Decimal | None
    """By how much the target's prices may rise until the saving is gone, as a share; None where not known."""
    own_machines: bool = False


def register(evidence: Evidence, situation: Situation) -> list[Risk]:
    """All risks, in the order in which they stop a move."""
    return [
        _quality(evidence, situation),
        _compatibility(evidence),
        _speed(evidence, situation),
        _machines(situation),
        _prices(situation),
        _way_back(evidence),
    ]


def level(risks: Sequence[Risk]) -> RiskLevel:
    """The word for the whole register."""
    still_open = sum(risk.status in _WORDS for risk in risks)
    for status, word in _WORDS.items():
        names = [risk.risk for risk in risks if risk.status == status]
        if names:
            return RiskLevel(level=word, why="; ".join(names), open=still_open)
    return RiskLevel(level="low", why="every risk was looked at, and none was found", open=0)


def _quality(evidence: Evidence, situation: Situation) -> Risk:
    about = ("answers are not as good as today", None, "high", "a shadow run before any user sees the target")
    if evidence.verdict is None:
        return _risk(*about, "not_measured", NOT_MEASURED, None)
    path, verdict = evidence.verdict
    gates = [gate for gate in verdict.gates if not gate.key.startswith(TIMES)]
    return _risk(*about, *_judged(verdict, gates, situation), path)


def _speed(evidence: Evidence, situation: Situation) -> Risk:
    about = ("answers come later than today", "5 %", "medium", "a caching layer in front; streaming; a faster target")
    gates = [gate for gate in evidence.verdict[1].gates if gate.key.startswith(TIMES)] if evidence.verdict else []
    if evidence.verdict is None or not gates:
        return _risk(*about, "not_measured", NOT_MEASURED, None)
    path, verdict = evidence.verdict
    return _risk(*about, *_judged(verdict, gates, situation), path)


def _judged(verdict: Verdict, gates: Sequence[Gate], situation: Situation) -> tuple[Status, str]:
    """What the gates say; a run on a part of the models, or judged a second time, is not the whole answer."""
    failed = [gate.key for gate in gates if gate.result == "FAIL"]
    if failed:
        return "failed", f"shadow run {verdict.verdict}: {', '.join(failed)} outside the limit"
    open_gates = [gate.key for gate in gates if gate.result != "PASS"]
    pairs = f"{verdict.pairs:,} pairs"
    if open_gates or not gates:
        return (
            "caution",
            f"shadow run {verdict.verdict}: not decided after {pairs}: {', '.join(open_gates) or 'no gate'}",
        )
    if verdict.exploratory:
        return "caution", "stored answers were judged again: the stated risks of error do not hold"
    rest = sorted(set(situation.sources) - {verdict.current.name})
    if rest:
        return "caution", f"held for {verdict.current.name} on {pairs}; not measured for {', '.join(rest)}"
    return "ok", f"every limit held on {pairs}"


def _compatibility(evidence: Evidence) -> Risk:
    about = ("particular features of the API are missing", "15 %", "high", "staged rollout with feature flags")
    if evidence.audit is None:
        return _risk(*about, "not_measured", NOT_MEASURED, None)
    path, audited = evidence.audit
    return _risk(*about, *_audited(audited), path)


def _audited(audited: AuditedTarget) -> tuple[Status, str]:
    found = audited.verdicts
    if found.refused.calls:
        return "failed", f"{found.refused.calls:,} calls cannot be put to the target{_spend(found.refused.spend_share)}"
    doubts = [
        f"{part.calls:,} {words}"
        for part, words in (
            (found.unknown, "calls of which nobody has written down whether they are taken"),
            (found.in_part, "calls without their requests in the log"),
            (found.not_audited, "calls that could not be audited"),
        )
        if part.calls
    ]
    if doubts:
        return "caution", "; ".join(doubts)
    translated = f", {found.translated.calls:,} of them translated" if found.translated.calls else ""
    return "ok", f"every call can be put to the target{translated}"


def _spend(share: float | None) -> str:
    return "" if share is None else f" ({share:.1%} of what was spent)".replace("%", " %")


def _machines(situation: Situation) -> Risk:
    about = ("a misconfigured GPU set-up", "20 %", "high", "automated health checks; a measured plan before buying")
    if not situation.own_machines:
        return _risk(*about, "not_applicable", "the target is a service", None)
    return _risk(*about, "not_measured", NOT_MEASURED, None)


def _prices(situation: Situation) -> Risk:
    about = ("the target becomes dearer", "8 %", "medium", "long-term contracts, several providers")
    rise = situation.price_rise
    if rise is None:
        return _risk(*about, "not_measured", NOT_MEASURED, None)
    if rise <= 0:
        return _risk(*about, "failed", "there is no saving at today's prices", None)
    words = f"the saving is gone when the target's prices rise by {rise:.1%}".replace("%", " %")
    return _risk(*about, "caution" if rise < PRICE_MARGIN else "ok", words, None)


def _way_back(evidence: Evidence) -> Risk:
    about = ("no quick way back", None, "high", "a rollback that was rehearsed on the real gateway")
    if evidence.drill is None:
        return _risk(*about, "not_measured", NOT_MEASURED, None)
    path, drill = evidence.drill
    return _risk(*about, *_drilled(drill), path)


def _drilled(drill: Drill) -> tuple[Status, str]:
    """Failed is what a drill calls failed, but for a fault that was not tried: it has shown nothing yet."""
    told = _counts(_undeclared(drill))
    if told:
        return "failed", f"{drill.gateway}: {told}"
    if drill.flip is None:
        return "caution", f"{drill.gateway}: taking all traffic back was not rehearsed"
    untried = [fault.fault for fault in drill.faults if fault.target_hits == 0]
    if untried:
        return "caution", f"{drill.gateway}: the sick target was not tried in {', '.join(untried)}"
    lost = {f"lost in {fault.fault}": fault.lost for fault in drill.faults if fault.fault != "cut"}
    declared = _counts({**lost, "with a model name that it does not change": drill.wrong_model})
    if declared:
        return "caution", f"{drill.gateway}: as its findings say, {declared}"
    sent = sum(fault.sent for fault in drill.faults)
    return "ok", f"{drill.gateway}: nothing was lost of {sent:,} requests in {len(drill.faults)} faults"


def _undeclared(drill: Drill) -> dict[str, int]:
    """What went wrong, by what it was, but for cut streams and for what the gateway's findings had said."""
    flip = drill.flip or Flip(0, 0)
    return {
        **{f"lost in {f.fault}": f.lost for f in drill.faults if f.fault != "cut" and not f.declared},
        "lost when all traffic was taken back": flip.lost,
        "streams broken by that": flip.broken,
        "with a wrong model name": 0 if drill.wrong_model_declared else drill.wrong_model,
        "with a wrong key": drill.wrong_key,
    }


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {words}" for words, count in counts.items() if count)


def _risk(
    risk: str, likelihood: str | None, impact: str, mitigation: str, status: Status, words: str, source: str | None
) -> Risk:
    return Risk(
        risk=risk,
        status=status,
        words=words,
        likelihood=likelihood,
        impact=impact,
        mitigation=mitigation,
        source=source,
    )
