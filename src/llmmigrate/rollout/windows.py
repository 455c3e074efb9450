"""When to go back: windows of attempts at the target against the limits of a plan.

A window breaks a limit where so many failures, or so many slow attempts, would come about by chance in at most one of
twenty windows of a target that is just at the limit: an exact binomial test (p ≤ 0.05; 7 of 60 at 5 %). What the
gateway has ejected, and failures without a good attempt between them, count without a minimum of attempts. A window
that says nothing, such as one without attempts, neither counts nor resets. A plan's number of breaking windows in a
row decides.
"""

from typing import Final, Literal

import msgspec

from llmmigrate.rollout import Counts
from llmmigrate.rollout.plan import Rollback
from llmmigrate.statistics.binomial import upper_tail

SIGNIFICANCE: Final = 0.05
SLOW_SHARE: Final = 0.05
"""What a 95th percentile lets be slow."""

Verdict = Literal["good", "breach", "inconclusive"]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What happened between two readings."""

    attempts: int
    errors: int
    timed: int
    slow: int
    ejected: bool


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a window says, and why."""

    verdict: Verdict
    reasons: list[str]


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered from window to window."""

    streak: int = 0
    """Windows in a row that broke a limit."""
    straight: int = 0
    """Failed attempts without a good one between them, as far as windows tell."""


def between(before: Counts, after: Counts, *, carried: bool = False) -> Window | None:
    """The window between two readings; None where the gateway has begun to count anew.

    `carried`: an ejection in force is from before the watch, and only one that begins in the window is its own.
    """
    grown = [now - then for then, now in zip(before[:5], after[:5], strict=True)]
    if min(grown) < 0:
        return None
    attempts, errors, timed, slow, ejections = grown
    return Window(
        attempts=attempts,
        errors=min(errors, attempts),
        timed=timed,
        slow=min(slow, timed),
        ejected=ejections > 0 or (after.ejected is True and not carried),
    )


def still_carried(before: Counts | None, after: Counts) -> bool:
    """Whether an ejection from before a watch may go on at a reading of it.

    No more once the gateway says that the target is in use, or has begun anew to leave it alone.
    """
    return after.ejected is not False and (before is None or after.ejections <= before.ejections)


def judge(window: Window | None, memory: Memory, rules: Rollback) -> tuple[Judgement, Memory]:
    """What a window says, and what to remember of it."""
    if window is None:
        return Judgement(verdict="inconclusive", reasons=["the gateway gave no counts"]), memory
    if not window.attempts and not window.ejected:
        return Judgement(verdict="inconclusive", reasons=[_few(window, rules)]), memory
    straight = memory.straight + window.errors if window.errors == window.attempts else 0
    reasons = _breaches(window, straight, rules)
    if reasons:
        return Judgement(verdict="breach", reasons=reasons), Memory(streak=memory.streak + 1, straight=straight)
    if window.attempts < rules.min_requests:
        few = [_few(window, rules)]
        return Judgement(verdict="inconclusive", reasons=few), Memory(streak=memory.streak, straight=straight)
    return Judgement(verdict="good", reasons=[]), Memory(streak=0, straight=straight)


def decided(memory: Memory, rules: Rollback) -> bool:
    """Whether enough windows in a row have broken a limit."""
    return memory.streak >= rules.windows


def _breaches(window: Window, straight: int, rules: Rollback) -> list[str]:
    found = []
    if window.ejected:
        found.append("the gateway leaves the target alone")
    if straight >= rules.straight_failures:
        found.append(f"{straight} failed attempts without a good one between them")
    if window.attempts >= rules.min_requests and _too_many(window.errors, window.attempts, float(rules.error_rate)):
        found.append(f"{window.errors} of {window.attempts} attempts failed, limit {_percent(rules)}")
    limit = rules.latency_p95
    if limit is not None and window.timed >= rules.min_requests and _too_many(window.slow, window.timed, SLOW_SHARE):
        found.append(f"{window.slow} of {window.timed} attempts took longer than {int(limit * 1000)} ms, limit 5 %")
    return found


def _few(window: Window, rules: Rollback) -> str:
    return f"{window.attempts} attempts, {rules.min_requests} are needed"


def _too_many(count: int, total: int, rate: float) -> bool:
    return count > 0 and upper_tail(count, total, rate) <= SIGNIFICANCE


def _percent(rules: Rollback) -> str:
    return f"{(rules.error_rate * 100).normalize():f} %"
