"""One gate under test: takes the pairs' figures one by one and keeps the evidence, not the figures.

Only times are kept, 16 bytes a pair, for the interval of their quantiles.
"""

import math
from array import array
from collections.abc import Mapping
from typing import Literal, NamedTuple

from llmmigrate.shadow.gates import Gate, bad_sides, difference, span
from llmmigrate.shadow.noise import CONFIDENCE, PAIRS, Noise
from llmmigrate.shadow.pairs import Pair
from llmmigrate.shadow.scoring import Alike, Score
from llmmigrate.statistics.evidence import Evidence
from llmmigrate.statistics.intervals import Interval, Moments, mcnemar_exact, newcombe_paired, wilson
from llmmigrate.statistics.quantiles import quantile, quantile_interval, quantile_ratio
from llmmigrate.statistics.series import mean

Kind = Literal["difference", "share", "ratio", "ms"]
"""Of what an estimate is: a difference of two shares or scores, a share or score, a ratio of times, or a time."""
Block = Literal["drift", "cannot_decide", "no_control"]
"""Why a gate does not pass in spite of its evidence."""


class Estimate(NamedTuple):
    """What the pairs say beside the test, as of now. None is not measured."""

    kind: Kind
    limit: float
    """The gate's limit in the same unit."""
    current: float | None
    """The side's rate, score or time."""
    target: float | None
    interval: Interval | None
    p_value: float | None = None
    """Of the exact McNemar test, for pairs that are yes or no."""


class Heading(NamedTuple):
    """The answer that a gate is on its way to, and how many more pairs it may take."""

    answer: Literal["PASS", "FAIL"]
    pairs: int


class Trial:
    """The test of one gate."""

    def __init__(
        self,
        gate: Gate,
        *,
        alpha: float,
        gates: int = 1,
        population: int | None = None,
        repeats: int = PAIRS,
        by_session: bool = False,
    ) -> None:
        """`gates`: how many are tested together. `population`: how many pairs there could be, where that matters.
        `repeats`: in how many pairs the current side is to be asked twice. `by_session`: all pairs of a session give
        one figure, their mean.
        """
        self.gate = gate
        self._session: list[tuple[float, float | None]] | None = [] if by_session else None
        self._sessions = Moments()
        self.needed_pass = math.log(1 / alpha)
        self.needed_fail = math.log(gates / alpha)
        agreement = gate.subject == "agreement"
        self.noise = Noise(gate.bound, compared=gate.comparative, planned=repeats) if agreement else None
        slack = max(gate.bound, 0.0) if agreement and gate.comparative else 0.0
        whole = population if gate.subject == "errors" else None
        self.passing = Evidence(gate.bound, low=gate.lowest - slack, high=1 + slack, population=whole)
        self.failing = Evidence(-gate.bound, low=-1 - slack, high=slack - gate.lowest, population=whole)
        self.pairs = self._seen = 0
        self._sides = _Sides()
        self._pilot = array("d")
        self._reference: float | None = None

    def add(self, pair: Pair, scores: Mapping[str, Score]) -> None:
        """Take a pair, in the order of evidence."""
        self._seen += 1
        if self.noise is not None:
            score = scores.get(self.gate.key)
            drop = self.noise.add(score) if isinstance(score, Alike) else None
            if drop is not None:
                self._take(drop.passing, drop.failing)
            return
        sides = bad_sides(self.gate, pair, scores)
        if sides is None:
            return
        self._sides.add(*sides, keep=self.gate.most is not None)
        if self._in_pilot(sides[0]):
            return
        found = difference(self.gate, *sides, self._reference)
        self._take(found, found)

    def add_open(self, pair: Pair) -> None:
        """Take a pair of which an earlier start broke a side off, in the order of evidence.

        For PASS it counts as the worst that it can have been, for FAIL as the best, so that it helps neither. The
        pairs that fix the current side's quantile may be any, and it is none of them.
        """
        self._seen += 1
        if len(self._pilot) < self.gate.pilot:
            return
        found = span(self.gate, pair, self._reference)
        if found is not None:
            self._enter(*found)

    @property
    def passes(self) -> bool:
        """Whether there has been enough evidence that the gate holds, and nothing stands against its use."""
        return self.passing.most >= self.needed_pass and self.block is None

    @property
    def fails(self) -> bool:
        """Whether there has been enough evidence that the gate does not hold."""
        return self.failing.most >= self.needed_fail

    @property
    def block(self) -> Block | None:
        """What keeps the gate from passing, whatever the evidence."""
        if self.noise is None:
            return None
        if self.noise.drifted(self.needed_pass):
            return "drift"
        found = self.noise.can_decide()
        if found is None:
            return "no_control"
        return None if found else "cannot_decide"

    def heading(self) -> Heading | None:
        """Which answer comes first at what was seen so far, and after how many more pairs; None where none may."""
        evidence: tuple[tuple[Literal["PASS", "FAIL"], int | None], ...] = (
            ("PASS", self.passing.expected(self.needed_pass)),
            ("FAIL", self.failing.expected(self.needed_fail)),
        )
        known = [(count, answer) for answer, count in evidence if count is not None]
        if not known:
            return None
        count, answer = min(known)
        return Heading(answer, math.ceil(count * self._seen / self.passing.count))

    def end_session(self) -> None:
        """Take the pairs since the last call as one figure; does nothing where each pair is one."""
        if self._session:
            passing = mean([one for one, _ in self._session])
            failing = [one for _, one in self._session if one is not None]
            self._test(passing, mean(failing) if failing else None)
            self._sessions.add(passing)
            self._session.clear()

    def estimate(self, seed: int) -> Estimate:
        """What the pairs say beside the test; `seed` is that of the bootstrap."""
        if self.noise is not None:
            found = _agreement(self.gate, self.noise)
        else:
            found = self._sides.times(self.gate, seed) if self.gate.most is not None else self._sides.shares(self.gate)
        return found if self._session is None else self._estimate_by_session(found)

    def _estimate_by_session(self, found: Estimate) -> Estimate:
        """The interval of the sessions' means; none for times, whose pairs are not independent within a session."""
        worse = self._sessions.interval(CONFIDENCE) if self.gate.most is None else None
        if worse is not None and self.gate.subject != "errors":
            worse = _turned(worse) if self.gate.comparative else _good(worse)
        return found._replace(interval=worse, p_value=None)

    def _in_pilot(self, current: float | None) -> bool:
        """Keep a pair of the pilot; the last one fixes the current side's quantile."""
        if len(self._pilot) >= self.gate.pilot or current is None or self.gate.quantile is None:
            return False
        self._pilot.append(current)
        if len(self._pilot) == self.gate.pilot:
            self._reference = quantile(self._pilot, self.gate.quantile)
        return True

    def _take(self, passing: float, failing: float | None) -> None:
        self.pairs += 1
        self._enter(passing, failing)

    def _enter(self, passing: float, failing: float | None) -> None:
        if self._session is None:
            self._test(passing, failing)
        else:
            self._session.append((passing, failing))

    def _test(self, passing: float, failing: float | None) -> None:
        self.passing.add(passing)
        if failing is not None:
            self.failing.add(-failing)


class _Sides:
    """What was seen of both sides: counts of failures, or times."""

    def __init__(self) -> None:
        self._both = {(one, other): 0 for one in (0.0, 1.0) for other in (0.0, 1.0)}
        """Target and current: pairs that are yes or no on both sides."""
        self._target, self._current, self._more = Moments(), Moments(), Moments()
        self._times = (array("d"), array("d"))

    def add(self, current: float | None, target: float, *, keep: bool) -> None:
        """Take a pair: shares that are bad, or times, which are kept."""
        if keep:
            self._times[0].append(math.nan if current is None else current)
            self._times[1].append(target)
            return
        self._target.add(target)
        if current is None:
            return
        self._current.add(current)
        self._more.add(target - current)
        if (target, current) in self._both:
            self._both[target, current] += 1

    def shares(self, gate: Gate) -> Estimate:
        """Shares of what is bad (errors) or good (validity)."""
        good = gate.subject != "errors"
        current, target = (_share(moments, good) for moments in (self._current, self._target))
        if not gate.comparative:
            limit = 1 - gate.bound if good else gate.bound
            return Estimate("share", limit, current, target, self._one_share(good))
        interval, p_value = self._difference()
        limit = -gate.bound if good else gate.bound
        return Estimate("difference", limit, current, target, _turned(interval) if good else interval, p_value)

    def _difference(self) -> tuple[Interval | None, float | None]:
        """How much worse the target is: Newcombe's interval, or Student's where scores lie between yes and no."""
        both = self._both
        if not self._more.count or sum(both.values()) < self._more.count:
            return self._more.interval(CONFIDENCE), None
        found = newcombe_paired(both[1, 1], both[1, 0], both[0, 1], both[0, 0], CONFIDENCE)
        return found, mcnemar_exact(both[1, 0], both[0, 1])

    def _one_share(self, good: bool) -> Interval | None:
        count = self._target.count
        hits = self._target.mean * count
        if not count or abs(hits - round(hits)) > 1e-6:
            found = self._target.interval(CONFIDENCE)
        else:
            found = wilson(round(hits), count, CONFIDENCE)
        return _good(found) if found is not None and good else found

    def times(self, gate: Gate, seed: int) -> Estimate:
        """A quantile of the target, against the current side's or alone."""
        current, target = self._times
        kind: Kind = "ratio" if gate.comparative else "ms"
        limit = gate.most or 0.0
        if not target or gate.quantile is None:
            return Estimate(kind, limit, None, None, None)
        sides = [_finite_quantile(side, gate.quantile) for side in (current, target)]
        if gate.comparative:
            interval = quantile_ratio(target, current, gate.quantile, CONFIDENCE, seed)
        else:
            interval = quantile_interval(target, gate.quantile, CONFIDENCE, seed)
        return Estimate(kind, limit, sides[0], sides[1], _finite(interval))


def _agreement(gate: Gate, noise: Noise) -> Estimate:
    repeat, target = (moments.mean if moments.count else None for moments in (noise.repeat, noise.target))
    if gate.comparative:
        return Estimate("difference", -gate.bound, repeat, target, _turned(noise.drop.interval(CONFIDENCE)))
    return Estimate("share", 1 - gate.bound, repeat, target, noise.target.interval(CONFIDENCE))


def _share(moments: Moments, good: bool) -> float | None:
    if not moments.count:
        return None
    return 1 - moments.mean if good else moments.mean


def _good(bad: Interval) -> Interval:
    return Interval(1 - bad.estimate, 1 - bad.high, 1 - bad.low)


def _turned(interval: Interval | None) -> Interval | None:
    return (
        None if interval is None else Interval(*(0.0 - end for end in (interval.estimate, interval.high, interval.low)))
    )


def _finite_quantile(times: "array[float]", probability: float) -> float | None:
    known = [time for time in times if not math.isnan(time)]
    found = quantile(known, probability) if known else math.inf
    return found if math.isfinite(found) else None


def _finite(interval: Interval | None) -> Interval | None:
    return interval if interval is not None and all(map(math.isfinite, interval)) else None
