"""PASS, FAIL or INCONCLUSIVE: pairs go in one by one in the order of u, and the run may stop at any of them.

PASS needs the evidence of every gate (an intersection-union test, Berger 1982: no correction), FAIL that of any, at
α over the number of gates. Neither is given while failures come in clusters, since both speak of independent pairs.
No data is never PASS. See docs/shadow-statistics.md.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from llmmigrate.shadow import words
from llmmigrate.shadow.gates import Gate, is_open, left_out
from llmmigrate.shadow.judgement import (
    Baseline,
    GateResult,
    NoiseResult,
    Outcome,
    Reason,
    Side,
    Stop,
    Unit,
    Verdict,
)  # fmt: skip
from llmmigrate.shadow.noise import CONFIDENCE, PAIRS, Noise
from llmmigrate.shadow.pairs import Pair
from llmmigrate.shadow.scoring import Score
from llmmigrate.shadow.tally import Tally
from llmmigrate.shadow.trial import Trial
from llmmigrate.statistics.intervals import Moments

ALPHA: Final = 0.05
"""The risk of a wrong PASS, and that of a wrong FAIL."""
_LARGEST: Final = 690.0
_OUTCOMES: Final[Mapping[str, Outcome]] = {"gates_hold": "PASS", "gate_broken": "FAIL"}


class Judge:
    """Takes pairs in the order of u and says when there is an answer."""

    def __init__(
        self,
        gates: Sequence[Gate],
        *,
        alpha: float = ALPHA,
        baseline: Baseline = "fresh",
        population: int | None = None,
        repeats: int = PAIRS,
        unit: Unit = "request",
        seed: int = 0,
    ) -> None:
        """`population`: how many requests could be drawn, given where more than half of them are. `repeats`: in how
        many pairs, best the first ones, the current side is to be asked twice. `unit`: what the tests take as one
        independent figure; the pairs of a session share their u. `seed`: of the bootstrap.
        """
        by_session = unit == "session"
        comparable = [gate for gate in gates if baseline == "fresh" or not gate.comparative]
        self._gates = tuple(gates)
        self._trials = {
            gate.key: Trial(
                gate,
                alpha=alpha,
                gates=len(comparable),
                population=None if by_session else population,
                repeats=repeats,
                by_session=by_session,
            )
            for gate in comparable
        }
        self._refused = any(gate.asked for gate in gates if gate.key not in self._trials)
        self._alpha, self._baseline, self._seed = alpha, baseline, seed
        self._last = -1.0
        self._pairs = 0
        self._by_session = by_session
        self._tally = Tally(by_session=by_session)
        self._jammed_until: int | None = None
        """The end of the target's last jam when its errors were first too many."""
        self._decision: Literal["PASS", "FAIL"] | None = None

    @property
    def decision(self) -> Literal["PASS", "FAIL"] | None:
        """The answer, as soon as there is one; more pairs are then not needed."""
        return self._decision

    @property
    def broken(self) -> Side | None:
        """The side that is out of order, if one is: no pair can give an answer any more."""
        return self._tally.broken

    @property
    def wants_repeats(self) -> bool:
        """Whether asking the current side twice still tells something: an agreement is not decided yet."""
        agreements = [trial for trial in self._trials.values() if trial.noise is not None]
        return any(not (trial.passes or trial.fails) for trial in agreements)

    def add(self, pair: Pair, scores: Mapping[str, Score]) -> None:
        """Take the next pair.

        Raises ValueError for a pair out of the order of u, which would bias the test, or after the answer was given.
        """
        if pair.asked.order < self._last:
            raise ValueError("pairs must come in the order of u")
        if self._decision is not None:
            raise ValueError("the verdict has been given")
        if self._by_session and pair.asked.order > self._last:
            self._end_session()
        self._last = pair.asked.order
        self._pairs += 1
        self._tally.add(pair)
        self._try(pair, scores)
        if self._jammed_until is None and any(trial.fails and _of_errors(trial) for trial in self._trials.values()):
            self._jammed_until = self._tally.jammed_until["target"]
        self._decision = self._decide()

    def _try(self, pair: Pair, scores: Mapping[str, Score]) -> None:
        if left_out(pair) is None:
            for trial in self._trials.values():
                trial.add(pair, scores)
        elif is_open(pair):
            for trial in self._trials.values():
                trial.add_open(pair)

    def _end_session(self) -> None:
        """The last session is complete: what the gates make of it. One that a run breaks off in is not counted."""
        self._tally.end_session()
        for trial in self._trials.values():
            trial.end_session()

    def _decide(self) -> Literal["PASS", "FAIL"] | None:
        evidence = self._evidence()
        if evidence is None or self.broken is not None or self._tally.clustered():
            return None
        return evidence

    def _evidence(self) -> Literal["PASS", "FAIL"] | None:
        """What the gates say together, clusters aside."""
        trials = self._trials.values()
        if any(trial.fails and self._may_fail(trial) for trial in trials):
            return "FAIL"
        if trials and not self._refused and all(trial.passes and not trial.fails for trial in trials):
            return "PASS"
        return None

    def _may_fail(self, trial: Trial) -> bool:
        """Whether failures are known to be no outage: either most come from the requests themselves, or enough else
        has come that a cluster would be seen, and the target has answered since.
        """
        if not _of_errors(trial) or not self._tally.mostly_jams("target"):
            return True
        return self._tally.could_tell("target") and self._tally.has_answered_since(self._jammed_until, "target")

    def result(self, stopped: Stop = "finished") -> Verdict:
        """The verdict on the pairs so far; `stopped` says why no more came."""
        reason = self._reason(stopped)
        expected = self._expected()
        trials = self._trials.values()
        return Verdict(
            verdict=_OUTCOMES.get(reason, "INCONCLUSIVE"),
            reason=reason,
            words=words.of_verdict(reason, list(trials), self.broken, expected),
            alpha=self._alpha,
            confidence=CONFIDENCE,
            baseline=self._baseline,
            unit="session" if self._by_session else "request",
            pairs=self._pairs,
            gates=[self._gate_result(gate) for gate in self._gates],
            noise=[_noise_result(trial, trial.noise) for trial in trials if trial.noise is not None],
            excluded=self._tally.exclusions(),
            failures=self._tally.failures(),
            clustering=self._tally.clusterings(),
            expected_pairs=expected,
            expected_cost=self._tally.cost_of(expected),
        )

    def _reason(self, stopped: Stop) -> Reason:
        if self._decision is not None:
            return "gates_hold" if self._decision == "PASS" else "gate_broken"
        if self.broken is not None:
            return "infrastructure"
        if self._evidence() is not None or any(trial.fails for trial in self._trials.values()):
            return "clustered"
        block = next((trial.block for trial in self._trials.values() if trial.block is not None), None)
        if stopped in ("budget", "interrupted") and block in (None, "no_control") and self._trials:
            return stopped  # what is missing, more pairs would have brought
        if not self._trials or any(trial.pairs == 0 for trial in self._trials.values()):
            return "no_data" if self._trials else "not_comparable"
        if block is not None:
            return block
        if self._refused and all(trial.passes for trial in self._trials.values()):
            return "not_comparable"
        return "undecided"

    def _expected(self) -> int | None:
        """Pairs until the first gate that seems to break does, else until all hold."""
        if self._decision is not None:
            return 0
        if self.broken is not None or self._refused or any(trial.block for trial in self._trials.values()):
            return None
        headings = [trial.heading() for trial in self._trials.values()]
        breaking = [heading.pairs for heading in headings if heading is not None and heading.answer == "FAIL"]
        if breaking:
            return min(breaking)
        holding = [heading.pairs for heading in headings if heading is not None]
        return max(holding) if holding and len(holding) == len(headings) else None

    def _gate_result(self, gate: Gate) -> GateResult:
        trial = self._trials.get(gate.key)
        if trial is None:
            return _not_comparable(gate)
        estimate, heading = trial.estimate(self._seed), trial.heading()
        low, high = (estimate.interval.low, estimate.interval.high) if estimate.interval else (None, None)
        return GateResult(
            key=gate.key,
            limit=str(gate.limit),
            kind=estimate.kind,
            limit_value=estimate.limit,
            quantile=gate.quantile,
            result="FAIL" if trial.fails else "PASS" if trial.passes else "INCONCLUSIVE",
            pairs=trial.pairs,
            pilot_pairs=gate.pilot,
            evidence_pass=_wealth(trial.passing.most),
            evidence_fail=_wealth(trial.failing.most),
            needed_pass=_wealth(trial.needed_pass),
            needed_fail=_wealth(trial.needed_fail),
            estimate=estimate.interval.estimate if estimate.interval else None,
            low=low,
            high=high,
            current=estimate.current,
            target=estimate.target,
            p_value=estimate.p_value,
            expected_pairs=heading.pairs if heading is not None else None,
            words=words.of_gate(trial),
        )


def _of_errors(trial: Trial) -> bool:
    return trial.gate.subject == "errors"


def _not_comparable(gate: Gate) -> GateResult:
    estimate = Trial(gate, alpha=ALPHA).estimate(0)
    return GateResult(
        key=gate.key,
        limit=str(gate.limit),
        kind=estimate.kind,
        limit_value=estimate.limit,
        quantile=gate.quantile,
        result="not comparable",
        pairs=0,
        pilot_pairs=0,
        evidence_pass=1.0,
        evidence_fail=1.0,
        needed_pass=1.0,
        needed_fail=1.0,
        estimate=None,
        low=None,
        high=None,
        current=None,
        target=None,
        p_value=None,
        expected_pairs=None,
        words="not comparable: the current side was not asked, and logged answers say nothing about it now",
    )


def _noise_result(trial: Trial, noise: Noise) -> NoiseResult:
    return NoiseResult(
        gate=trial.gate.key,
        repeat=_mean(noise.repeat),
        target=_mean(noise.target),
        logged=_mean(noise.logged),
        unrelated=_mean(noise.control),
        repeated_pairs=noise.repeat.count,
        logged_pairs=noise.with_logged,
        bases=dict(sorted(noise.bases.items())),
        can_decide=noise.can_decide(),
        drifted=noise.drifted(trial.needed_pass),
        words=words.of_noise(trial, noise),
    )


def _mean(moments: Moments) -> float | None:
    return moments.mean if moments.count else None


def _wealth(logarithm: float) -> float:
    """Evidence as a factor with six digits; what no float holds is given as the largest figure."""
    return float(f"{math.exp(min(logarithm, _LARGEST)):.6g}")
