"""What a canary of a given size can decide, before anything is sent.

All gates are played through together, many times with a fixed seed, at assumed rates: both sides alike, so that the
question is whether a target that is as good would be passed. Only counts matter to the evidence of a figure that takes
few values, so the play advances in strides and draws counts; a gate is looked at after each stride.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

from llmmigrate.shadow.gates import Gate
from llmmigrate.shadow.judgement import Unit
from llmmigrate.shadow.verdict import ALPHA
from llmmigrate.statistics.evidence import BETS, WEIGHTS, fewest

if TYPE_CHECKING:
    from llmmigrate.arrays import np, npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

REPLICATES: Final = 1000
_STRIDES: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What a run is expected to meet, as parts of 1. The defaults are used where the log says nothing."""

    errors: float = 0.01
    """First attempts that fail, on either side, independently."""
    invalid: float = 0.005
    """Answers that break a demanded form, on either side."""
    applies: Mapping[str, float] | None = None
    """By the key of a validity or an agreement: the part of the requests that it applies to; all where not given."""
    spread: float = 0.5
    """Standard deviation of the logarithm of times."""
    score_spread: float = 0.26
    """Standard deviation of the difference of two agreement scores."""
    repeats: int | None = None
    """Pairs in which the current side is asked twice; None: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOutlook:
    """One gate of a planned run."""

    key: str
    fewest: int | None
    """Units that a PASS takes at the very least, with a target that never does worse; None where no number does."""
    passes: float
    """Probability of its PASS within the canary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A planned run: whether it can be expected to pass a target that is as good as the current side."""

    pairs: int
    unit: Unit
    """What gives one independent figure: each request, or each session."""
    units: int
    """How many of them the canary has."""
    passes: float
    """Probability that all gates pass within the canary."""
    median: int | None
    """Units after which they do in half of all runs; None where that is beyond the canary."""
    gates: tuple[GateOutlook, ...]


@dataclass(frozen=True, slots=True)
class _Law:
    """The values that D takes on a pair, and how likely each is; the rest of the pairs do not count for the gate."""

    values: tuple[float, ...]
    chances: tuple[float, ...]
    after: int = 0
    """Units that pass before the first one counts."""
    until: int | None = None
    """Units after which none counts any more."""


def outlook(
    gates: Sequence[Gate],
    pairs: int,
    assumed: Assumed = Assumed(),
    *,
    sessions: int | None = None,
    alpha: float = ALPHA,
    seed: int = 0,
) -> Outlook:
    """What a canary of so many pairs can decide; below a second for any size.

    `sessions`: how many the pairs belong to, where each of them gives one figure. The pairs of one are taken to be
    alike, as nothing is known of how much they differ: what is promised is then too little rather than too much.
    """
    from llmmigrate.arrays import np

    rng = np.random.default_rng(seed)
    units = pairs if sessions is None else sessions
    size = pairs / units if units else 1.0
    stride = max(math.ceil(units / _STRIDES), 1)
    looks = [min(look * stride, units) for look in range(1, math.ceil(units / stride) + 1)]
    reached = [_play(gate, _in_units(_law(gate, assumed), size), looks, alpha, rng) for gate in gates]
    together = np.maximum.reduce(reached) if reached and looks else np.full(REPLICATES, np.inf)
    half = float(np.median(together))
    return Outlook(
        pairs=pairs,
        unit="request" if sessions is None else "session",
        units=units,
        passes=float(np.mean(np.isfinite(together))),
        median=int(half) if math.isfinite(half) else None,
        gates=tuple(
            GateOutlook(
                key=gate.key,
                fewest=fewest_pairs(gate, alpha) if sessions is None else fewest_sessions(gate, size, alpha),
                passes=float(np.mean(np.isfinite(found))),
            )
            for gate, found in zip(gates, reached, strict=True)
        ),
    )


def fewest_pairs(gate: Gate, alpha: float = ALPHA) -> int | None:
    """How many pairs a gate's PASS takes at the very least: with a target that never does worse than the current side.

    For a limit on the ratio of times only those pairs count in which the current side is slow, by definition a known
    part: their least number, divided by that part, after the pilot.
    """
    threshold = math.log(1 / alpha)
    if gate.most is None or gate.quantile is None or not gate.comparative:
        return fewest(gate.bound, 0.0, threshold)
    slow = fewest(gate.bound, -1.0, threshold)
    return None if slow is None else gate.pilot + math.ceil(slow / (1 - gate.quantile) - 1e-9)


def fewest_sessions(gate: Gate, size: float, alpha: float = ALPHA) -> int | None:
    """How many sessions of `size` pairs a gate's PASS takes at the very least, each giving one figure, their mean.

    For a limit on the ratio of times this mean is best where the current side is slow in its part of every session.
    """
    threshold = math.log(1 / alpha)
    if gate.most is None or gate.quantile is None or not gate.comparative:
        return fewest(gate.bound, 0.0, threshold)
    slow = fewest(gate.bound, gate.quantile - 1, threshold)
    return None if slow is None else math.ceil(gate.pilot / size) + slow


def _in_units(law: _Law, size: float) -> _Law:
    """A law of pairs as one of units of `size` pairs."""
    until = None if law.until is None else math.ceil(law.until / size)
    return _Law(law.values, law.chances, after=math.ceil(law.after / size), until=until)


def _law(gate: Gate, assumed: Assumed) -> _Law:
    if gate.subject == "errors":
        return _paired(gate, assumed.errors)
    if gate.subject in ("latency", "ttft"):
        return _times(gate, assumed)
    share = 1.0 if assumed.applies is None else assumed.applies.get(gate.key, 1.0)
    if gate.subject == "validity":
        law = _paired(gate, assumed.invalid)
        return _Law(law.values, tuple(share * chance for chance in law.chances))
    # Two values with the assumed deviation stand for all scores: the evidence hardly sees more of them.
    if not gate.comparative:
        return _Law((gate.bound / 2,), (share,), until=assumed.repeats)
    return _Law((-assumed.score_spread, assumed.score_spread), (share / 2, share / 2), until=assumed.repeats)


def _paired(gate: Gate, rate: float) -> _Law:
    if not gate.comparative:
        return _Law((1.0, 0.0), (rate, 1 - rate))
    one_sided = rate * (1 - rate)
    return _Law((-1.0, 0.0, 1.0), (one_sided, 1 - 2 * one_sided, one_sided))


def _times(gate: Gate, assumed: Assumed) -> _Law:
    """Log-normal times, alike on both sides and independent."""
    slow = 1 - (gate.quantile or 0.0)
    if not gate.comparative or gate.most is None:
        return _Law((1.0, 0.0), (slow / 2, 1 - slow / 2))
    beyond = NormalDist().inv_cdf(1 - slow) + math.log(gate.most) / assumed.spread
    late = 1 - NormalDist().cdf(beyond)
    better, worse = slow * (1 - late), late * (1 - slow)
    return _Law((-1.0, 0.0, 1.0), (better, 1 - better - worse, worse), after=gate.pilot)


def _play(gate: Gate, law: _Law, looks: Sequence[int], alpha: float, rng: "np.random.Generator") -> "Floats":
    """After how many units each replicate passes the gate; infinite where it does not."""
    from llmmigrate.arrays import np

    reached = np.full(REPLICATES, np.inf)
    chances = [*law.chances, max(1 - sum(law.chances), 0.0)]
    wealth = np.tile(np.log(WEIGHTS)[:, None], (1, REPLICATES))
    units = [(gate.bound - value) / (1 - gate.bound) for value in law.values]
    steps = np.array([[math.log1p(bet * unit) for unit in units] for bet in BETS])
    last = 0
    for look in looks:
        counting = _counting(law, last, look)
        counts = rng.multinomial(counting, chances, size=REPLICATES)[:, : len(law.values)]
        wealth += steps @ counts.T
        passed = np.logaddexp.reduce(wealth, axis=0) >= math.log(1 / alpha)
        reached[passed & np.isinf(reached)] = look
        last = look
    return reached


def _counting(law: _Law, start: int, stop: int) -> int:
    """How many of the units from `start` to `stop` count."""
    end = stop if law.until is None else min(stop, law.until)
    return max(end - max(start, law.after), 0)
