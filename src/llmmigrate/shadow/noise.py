"""How much two answers of the current side differ by themselves, and whether a measure can tell answers apart at all.

On a part of the pairs the current side is asked twice (C1, C2). Agreement is judged by D = s(C1, C2) − s(T, C1): how
much less the target agrees with the current side than the current side agrees with itself. Where the current side still
answers as logged (L), s(C1, L) − s(T, C1) takes over on the other pairs, with the measured difference allowed for.
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Final, NamedTuple

from llmmigrate.shadow.scoring import Alike
from llmmigrate.statistics.evidence import Evidence
from llmmigrate.statistics.intervals import Moments

PAIRS: Final = 285
"""So many repeated calls exclude a difference of 2.5 points at the usual spread of scores (0.26)."""
_ENOUGH: Final = 0.8
"""A few of the planned repeated calls fail or have no score; this part of them is waited for."""
FEWEST: Final = 30
"""With fewer, nothing is said about the logged answers or about unrelated ones."""
CONFIDENCE: Final = 0.9
"""Two-sided, so 95 % on either side."""


class Drop(NamedTuple):
    """How much less the target agrees than the noise allows, on one pair: taken once for PASS and once for FAIL.

    They differ where the logged answer stands for the second one: each then carries the end of the interval of the
    difference between both that speaks against it. `failing` is None where that end is too uncertain.
    """

    passing: float
    failing: float | None


@dataclass(frozen=True, slots=True)
class _Shift:
    """The interval of s(C1, C2) − s(C1, L): what the logged answers agree less than fresh ones."""

    low: float
    high: float


class Noise:
    """The current side's own noise in one measure, and its two controls.

    `margin` is the part of 1 by which the target may agree less: less than the current side with itself, or, where
    that is not compared, less than wholly. `planned`: how many pairs will have a second answer; once they are there,
    the logged answers are judged, and may stand for second ones from then on. Scores come in the order of evidence.
    """

    def __init__(self, margin: float, *, compared: bool = True, planned: int = PAIRS) -> None:
        self.margin = margin
        self.compared = compared
        self.repeat, self.target, self.logged, self.control = Moments(), Moments(), Moments(), Moments()
        self.drop = Moments()
        """s(C1, C2) − s(T, C1), on the repeated pairs alone."""
        self.shift, self.reach = Moments(), Moments()
        self.bases: Counter[str] = Counter()
        self.with_logged = 0
        """Pairs on which the logged answer stood for the second one."""
        self.drift = Evidence(-margin / 2)
        """That the current side no longer answers as logged."""
        self._needed = max(FEWEST, math.ceil(_ENOUGH * min(planned, PAIRS)))
        self._settled: _Shift | None = None
        self._decided = False

    def add(self, score: Alike) -> Drop | None:
        """Take the scores of a pair; what it says about the target, or None."""
        for moments, value in (
            (self.repeat, score.repeat),
            (self.target, score.target),
            (self.logged, score.logged),
            (self.control, score.control),
        ):
            if value is not None:
                moments.add(value)
        self._add_controls(score)
        drop = self._drop(score)
        if drop is not None:
            self.bases[score.basis] += 1
        return drop

    def _add_controls(self, score: Alike) -> None:
        most = score.repeat if self.compared else 1.0
        if most is not None and score.control is not None:
            self.reach.add(most - score.control)
        if self.compared and score.repeat is not None and score.logged is not None:
            self.shift.add(score.repeat - score.logged)
            self.drift.add(score.logged - score.repeat)

    def _drop(self, score: Alike) -> Drop | None:
        if score.target is None:
            return None
        if not self.compared:
            return Drop(1 - score.target, 1 - score.target)
        if score.repeat is not None:
            drop = score.repeat - score.target
            self.drop.add(drop)
            return Drop(drop, drop)
        shift = self._settle() if score.logged is not None else None
        if shift is None or score.logged is None:
            return None
        self.with_logged += 1
        drop = score.logged - score.target
        return Drop(drop + shift.high, drop + shift.low if shift.low >= -self.margin else None)

    def _settle(self) -> _Shift | None:
        """What is to be allowed for where a logged answer is used; None while or if it must not be. Decided once."""
        if not self._decided and self.shift.count >= self._needed:
            self._decided = True
            found = self.shift.interval(CONFIDENCE)
            if found is not None and found.high <= self.margin / 2:
                self._settled = _Shift(found.low, max(found.high, 0.0))
        return self._settled

    @property
    def logged_refused(self) -> bool:
        """Whether logged answers were looked at and found not to stand for fresh ones."""
        return self._decided and self._settled is None

    def drifted(self, threshold: float) -> bool:
        """Whether there is enough evidence that the current side no longer answers as logged."""
        return self.drift.most >= threshold

    def can_decide(self) -> bool | None:
        """Whether the margin is at most half of what lies between the noise and unrelated answers.

        Answered by the lower end of the interval; None while there are too few unrelated answers.
        """
        found = self.reach.interval(CONFIDENCE) if self.reach.count >= FEWEST else None
        return None if found is None else self.margin <= found.low / 2
