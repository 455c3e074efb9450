"""What is counted of all pairs beside the gates: failures, exclusions, clusters, money."""

from collections import Counter
from decimal import Decimal
from typing import Final

from llmmigrate.endpoints.failures import OUTAGE
from llmmigrate.money import plain
from llmmigrate.shadow.gates import left_out
from llmmigrate.shadow.judgement import Clustering, Exclusion, FailureCount, Side
from llmmigrate.shadow.pairs import Arm, Pair
from llmmigrate.statistics.runs import Runs

RUNS_LEVEL: Final = 0.005
"""Of the runs test, for each side."""

_MONEY_DIGITS: Final = Decimal("0.000001")
_JAMS: Final = frozenset({*OUTAGE, "rate_limit", "breaker"})
"""Failures that come from the endpoint's state and not from the request: those that may come in clusters."""


class Tally:
    """Takes pairs in the order in which the gates do."""

    def __init__(self, *, by_session: bool) -> None:
        self._by_session = by_session
        self._jammed: dict[Side, bool] = {}
        """Of the sides in the session that goes on: whether one of its pairs was jammed."""
        self.broken: Side | None = None
        self.jammed_until: dict[Side, int] = {"current": 0, "target": 0}
        """When the last jam had ended; with the next one, nanoseconds since the Unix epoch."""
        self._answered: dict[Side, int | None] = {"current": 0, "target": 0}
        """When the last answered request was sent; None once that is not known of one."""
        self._excluded: Counter[tuple[Side, str]] = Counter()
        self._first: Counter[tuple[Side, str]] = Counter()
        self._last: Counter[tuple[Side, str]] = Counter()
        self._parameters: dict[Side, Counter[str]] = {"current": Counter(), "target": Counter()}
        self._runs: dict[Side, Runs] = {"current": Runs(), "target": Runs()}
        self._spending = _Spending()

    def add(self, pair: Pair) -> None:
        """Count a pair."""
        self._spending.add(pair)
        out = left_out(pair)
        if out is not None:
            self._excluded[out] += 1
            return
        self._add_arm("current", pair.current)
        self._add_arm("target", pair.target)

    def _add_arm(self, side: Side, arm: Arm) -> None:
        jammed = arm.first_failure in _JAMS
        if self._by_session:
            self._jammed[side] = self._jammed.get(side, False) or jammed
        else:
            self._runs[side].add(jammed)
        if jammed:
            self.jammed_until[side] = max(self.jammed_until[side], arm.failed_ns or 0)
        if arm.answer is not None:
            last = self._answered[side]
            self._answered[side] = None if last is None or arm.sent_ns is None else max(last, arm.sent_ns)
        if arm.first_failure is not None:
            self._first[side, arm.first_failure] += 1
        if arm.failure is not None:
            self._last[side, arm.failure] += 1
        if arm.parameter is not None:
            self._parameters[side][arm.parameter] += 1
        if arm.failure == "breaker":
            self.broken = self.broken or side

    def end_session(self) -> None:
        """Count the session that went on for the runs test."""
        for side, jammed in self._jammed.items():
            self._runs[side].add(jammed)
        self._jammed.clear()

    def clustered(self) -> bool:
        """Whether failures of either side come in clusters."""
        return any(runs.p_value() < RUNS_LEVEL for runs in self._runs.values())

    def mostly_jams(self, side: Side) -> bool:
        """Whether more than half of the failures are jams."""
        return 2 * self._runs[side].yes > sum(count for (of, _), count in self._first.items() if of == side)

    def could_tell(self, side: Side) -> bool:
        """Whether a cluster of jams would be seen as one."""
        return self._runs[side].can_tell(RUNS_LEVEL)

    def has_answered_since(self, moment: int | None, side: Side) -> bool:
        """Whether a request that was sent after a moment was answered: then no outage has begun before it and lasts.

        True where it is not known when requests were sent.
        """
        answered = self._answered[side]
        return moment is None or answered is None or answered > moment

    def exclusions(self) -> list[Exclusion]:
        """Most frequent first."""
        return [Exclusion(side=side, reason=why, pairs=count) for (side, why), count in self._excluded.most_common()]

    def failures(self) -> list[FailureCount]:
        """Most frequent first."""
        kinds = sorted({*self._first, *self._last}, key=lambda kind: (-self._first[kind], kind))
        return [
            FailureCount(
                side=side,
                failure=why,
                first_attempts=self._first[side, why],
                after_retries=self._last[side, why],
                parameters=dict(self._parameters[side].most_common()) if why == "unsupported_parameter" else {},
            )
            for side, why in kinds
        ]

    def clusterings(self) -> list[Clustering]:
        """The runs test of both sides."""
        return [
            Clustering(
                side=side,
                failures=runs.yes,
                others=runs.no,
                runs=runs.runs,
                p_value=runs.p_value(),
                clustered=runs.p_value() < RUNS_LEVEL,
            )
            for side, runs in self._runs.items()
        ]

    def cost_of(self, pairs: int | None) -> str | None:
        """What so many more pairs may cost; None where it is not known."""
        return None if pairs is None else self._spending.of(pairs)


class _Spending:
    """What pairs cost on average."""

    def __init__(self) -> None:
        self._pairs = 0
        self._known = True
        self._total = Decimal(0)

    def add(self, pair: Pair) -> None:
        """Count a pair; an answer without a known cost leaves the mean unknown."""
        self._pairs += 1
        for arm in (pair.current, pair.target, pair.repeat):
            if arm is not None and arm.cost is not None:
                self._total += arm.cost
            elif arm is not None and arm.answer is not None:
                self._known = False

    def of(self, pairs: int) -> str | None:
        """The expected cost of so many pairs."""
        if not self._pairs or not self._known:
            return None
        return plain((self._total * pairs / self._pairs).quantize(_MONEY_DIGITS))
