"""What was found out about the target before: verdicts of shadow runs and audits, as far as they speak of the plan.

A result speaks of a plan when its target's model is one that the plan's target serves under that name, and, where both
say an address, its host is the plan's. The newest of each kind counts for a model, and no other.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import msgspec

from llmmigrate.rollout.plan import Plan
from llmmigrate.rollout.remarks import Remark, remark


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a shadow run said of a target, named `provider/model`."""

    source: str
    target: str
    url: str | None
    at: str
    verdict: Literal["PASS", "FAIL", "INCONCLUSIVE"]
    words: str
    exploratory: bool
    """Stored answers were judged again, so the stated risks do not hold."""


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls of a log a target, named `provider/model`, refuses, and by which rules."""

    source: str
    target: str
    at: str
    calls: int
    refused: int
    rules: list[str]


Found = TypeVar("Found", Verdict, Audited)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is at hand, in any order, of whatever target."""

    verdicts: Sequence[Verdict] = ()
    audits: Sequence[Audited] = ()


def about_evidence(plan: Plan, evidence: Evidence) -> Iterator[Remark]:
    """What results of the past mean for a plan; nothing where none is at hand."""
    named = _models(plan)
    if evidence.verdicts:
        yield from _about_verdicts(plan, named, evidence.verdicts)
    if evidence.audits:
        yield from _about_audits(plan, named, evidence.audits)


def used(plan: Plan, evidence: Evidence) -> Evidence:
    """The part of it that speaks of the plan: the newest of each kind for each model."""
    named = _models(plan)
    verdicts = [each for each in evidence.verdicts if _same_place(plan, each.url)]
    return Evidence(
        verdicts=[each for model in named for each in [_newest(verdicts, model)] if each is not None],
        audits=[each for model in named for each in [_newest(evidence.audits, model)] if each is not None],
    )


def _about_verdicts(plan: Plan, named: Sequence[str], verdicts: Sequence[Verdict]) -> Iterator[Remark]:
    here = [each for each in verdicts if _same_place(plan, each.url)]
    fix = "llmmigrate shadow LOGS --to PROVIDER/MODEL --canary 10%"
    if not named:
        yield remark("note", "models_unknown", "the plan renames no model: no shadow run can be held against it", fix)
    for model in named:
        found = _newest(here, model)
        if found is None:
            others = ", ".join(sorted({each.target for each in verdicts}))
            what = (
                f"no shadow run speaks of {model} at {plan.providers.target.endpoint.host}; there are some of {others}"
            )
            yield remark("warning", "no_verdict", what, fix)
        elif found.verdict == "FAIL":
            yield remark("error", "shadow_fail", f"{_when(found)} says FAIL: {found.words}", "find the cause first")
        elif found.verdict == "INCONCLUSIVE":
            what = f"{_when(found)} is INCONCLUSIVE: {found.words}"
            yield remark("warning", "no_pass", what, "go on with llmmigrate shadow --resume")
        elif found.exploratory:
            what = f"{_when(found)} says PASS of answers that were judged again"
            yield remark("warning", "no_pass", what, fix)


def _about_audits(plan: Plan, named: Sequence[str], audits: Sequence[Audited]) -> Iterator[Remark]:
    changes = plan.providers.target.drop_params or plan.providers.target.map_params
    for model in named:
        audited = _newest(audits, model)
        if audited is None:
            others = ", ".join(sorted({each.target for each in audits}))
            what = f"no audit speaks of {model}; there are some of {others}"
            yield remark("warning", "no_audit", what, f"llmmigrate audit LOGS --to …/{model} -o audit.json")
        elif audited.refused:
            by = ", ".join(audited.rules)
            calls = f"{audited.refused:,} of {audited.calls:,} calls"
            what = f"{calls} are refused by {audited.target} ({by}): {audited.source}"
            perhaps = " unless drop_params or map_params changes them" if changes else ""
            level: Literal["warning", "error"] = "warning" if changes else "error"
            yield remark(level, "audit_refused", what + perhaps, "keep these calls at current, or change them")


def _models(plan: Plan) -> list[str]:
    """What the target is asked for, as far as the plan says it."""
    return list(dict.fromkeys(plan.providers.target.models.values()))


def _same_place(plan: Plan, url: str | None) -> bool:
    return url is None or urlsplit(url).hostname == plan.providers.target.endpoint.host


def _newest(found: Sequence[Found], model: str) -> Found | None:
    """The newest result of a model; providers write it with or without their own prefix."""
    same = [each for each in found if model in (each.target, each.target.partition("/")[2])]
    return max(same, key=lambda each: each.at, default=None)


def _when(found: Verdict) -> str:
    return f"the shadow run of {found.target} at {found.at} ({found.source})"
