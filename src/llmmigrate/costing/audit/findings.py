"""What an audit finds in one request, and what a translation did to it."""

from dataclasses import dataclass
from typing import Any, Final, Literal

Verdict = Literal["ok", "translated", "unknown", "refused"]
VERDICTS: Final[tuple[Verdict, ...]] = ("ok", "translated", "unknown", "refused")
"""From the mildest to the gravest. `unknown`: nobody has written down whether the target takes it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a request asks for, and what becomes of it at the target."""

    rule: str
    """One of `rules.RULES`."""
    verdict: Verdict
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A request as the target takes it."""

    body: dict[str, Any] | None
    """The body to send; None where a part of the request cannot be put to the target at all."""
    changes: tuple[Finding, ...]
    doubts: tuple[Finding, ...]
    """What is sent without knowing whether the target takes it."""
    refused: tuple[Finding, ...]
    """What cannot be translated; empty where `body` is there."""


class Ledger:
    """The findings of one request, in the order in which they were made, each once."""

    def __init__(self) -> None:
        self._findings: dict[Finding, None] = {}

    def note(self, rule: str, verdict: Verdict, words: str) -> None:
        """Keep a finding."""
        self._findings[Finding(rule, verdict, words)] = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings so far."""
        return tuple(self._findings)


def gravest_by_rule(findings: tuple[Finding, ...]) -> dict[str, Verdict]:
    """The gravest verdict of each rule."""
    found: dict[str, Verdict] = {}
    for finding in findings:
        found[finding.rule] = max(found.get(finding.rule, "ok"), finding.verdict, key=VERDICTS.index)
    return found


def gravest(findings: tuple[Finding, ...]) -> Verdict:
    """The verdict on a whole request: the gravest of its parts', `ok` without any."""
    return max((finding.verdict for finding in findings), key=VERDICTS.index, default="ok")
