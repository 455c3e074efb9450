"""Plays the verdict's tests through on known truths: `python -m benchmarks.simulate_verdict`.

Prints the tables of docs/shadow-statistics.md; `--update FILE` writes them into it. Seeds are fixed, so the same
command gives the same figures. The tests play the same scenes.
"""

import argparse
import heapq
import math
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from benchmarks.report import markdown_table

from llmmigrate.quantities import limit
from llmmigrate.shadow.decidability import Assumed, outlook
from llmmigrate.shadow.gates import DEFAULTS, Gate, parse
from llmmigrate.shadow.noise import CONFIDENCE, PAIRS
from llmmigrate.shadow.tally import RUNS_LEVEL
from llmmigrate.statistics.evidence import paths
from llmmigrate.statistics.intervals import newcombe_paired
from llmmigrate.statistics.quantiles import quantile_ratio
from llmmigrate.statistics.ratios import Ratio, ratio_of_totals
from llmmigrate.statistics.runs import few_runs
from llmmigrate.statistics.student import t_quantile

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

ALPHA: Final = 0.05
KINDS: Final = {"agreement": "agreement", "schema_validity": "validity", "tool_validity": "validity"}
GATES: Final = len(DEFAULTS)
"""Tested together, which is what FAIL is corrected for."""
REPLICATES: Final = 2000
MEAN_SCORE: Final = (8 * 0.8 + 0.05) / 8.1
"""Of `score`, without a drop."""
BATCH: Final = 250
"""Replicates that are in memory at a time."""
LOOKS: Final = 20
"""The runs test is asked so often after the evidence is first enough, the first time included."""

_SIMULATED: Final = re.compile(r"(<!-- simulated -->\n).*?(<!-- end -->)", re.DOTALL)


class Decided(NamedTuple):
    """After how many pairs each replicate has passed or failed; more than there are where it has not."""

    passed: Ints
    failed: Ints
    pairs: int

    @property
    def passes(self) -> float:
        """The share of PASS."""
        return float(np.mean((self.passed <= self.pairs) & (self.passed < self.failed)))

    @property
    def fails(self) -> float:
        """The share of FAIL."""
        return float(np.mean((self.failed <= self.pairs) & (self.failed <= self.passed)))

    def median(self) -> str:
        """Pairs until the decision, where most replicates have one: the median and the 90 % quantile."""
        when = np.minimum(self.passed, self.failed)
        half, most = np.quantile(when, [0.5, 0.9], method="inverted_cdf")
        return " / ".join(f"{value:,}" if value <= self.pairs else "–" for value in (half, most))


Scene = Callable[[np.random.Generator, int], Floats]
"""Draws the figures D of so many replicates, one row each."""


def gate(key: str, text: str | None = None) -> Gate:
    """A gate as the settings write it; the default limit where none is given."""
    return parse(key, limit(text or DEFAULTS[key]), KINDS)


def play(tested: Gate, scene: Scene, seed: int, replicates: int = REPLICATES) -> Decided:
    """Test one gate on a scene, with a look after every pair."""
    rng = np.random.default_rng(seed)
    passed, failed, pairs = [], [], 0
    for _ in range(0, replicates, BATCH):
        values = scene(rng, min(BATCH, replicates))
        pairs = values.shape[1]
        passed.append(crossing(paths(values, tested.bound), math.log(1 / ALPHA)))
        failed.append(crossing(paths(-values, -tested.bound, high=-tested.lowest), math.log(GATES / ALPHA)))
    return Decided(np.concatenate(passed), np.concatenate(failed), pairs)


def crossing(evidence: Floats, threshold: float) -> Ints:
    """After how many values the evidence first reaches the threshold; one more than there are where it never does."""
    reached = evidence >= threshold
    first: Ints = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, evidence.shape[1] + 1)
    return first


# --- Scenes


def failing(current: float, target: float, pairs: int, together: float = 0.1) -> Scene:
    """Failures of both sides with a correlation of `together`: the pair's share of hard requests."""

    def draw(rng: np.random.Generator, replicates: int) -> Floats:
        spread = math.sqrt(current * (1 - current) * target * (1 - target))
        both = min(current * target + together * spread, current, target)
        chance = rng.random((replicates, pairs))
        only_target, only_current = target - both, current - both
        return (chance < only_target).astype(float) - (chance > 1 - only_current)

    return draw


def agreeing(drop: float, pairs: int) -> Scene:
    """D of agreement scores that hang on the request (a hard one scores lower on both sides), 0.8 on average."""

    def draw(rng: np.random.Generator, replicates: int) -> Floats:
        ease = rng.beta(4, 1, (replicates, pairs))
        return score(rng, ease, 0.0) - score(rng, ease, drop)

    return draw


def score(rng: np.random.Generator, ease: Floats, drop: float) -> Floats:
    """Scores in [0, 1] around each request's ease; a share of them is 0 where the mean is to drop."""
    noisy = rng.beta(8 * ease + 0.05, 8 * (1 - ease) + 0.05)
    return np.where(rng.random(ease.shape) < drop / MEAN_SCORE, 0.0, noisy)


def waiting(factor: float, pairs: int, tested: Gate, spread: float = 0.5) -> Scene:
    """D of the gate on a quantile of log-normal times; the current side's is taken from a pilot of its own pairs."""

    def draw(rng: np.random.Generator, replicates: int) -> Floats:
        hardness = rng.standard_normal((replicates, pairs + tested.pilot))
        own = [math.sqrt(0.5) * (hardness + rng.standard_normal(hardness.shape)) for _ in range(2)]
        current, target = np.exp(spread * own[0]), factor * np.exp(spread * own[1])
        place = math.ceil((tested.quantile or 0) * tested.pilot - 1e-9) - 1
        q = np.sort(current[:, : tested.pilot], axis=1)[:, place, None]
        late = target[:, tested.pilot :] > (tested.most or 0) * q
        return late.astype(float) - (current[:, tested.pilot :] > q)

    return draw


def pass_against_a_pilot(pairs: int, seed: int, replicates: int) -> float:
    """The share of PASS at the margin if the target were held against 5 % beyond the pilot's quantile alone."""
    rng = np.random.default_rng(seed)
    passed = []
    for _ in range(0, replicates, BATCH):
        target = 1.2 * rng.lognormal(0, 0.5, (BATCH, pairs))
        q = np.quantile(rng.lognormal(0, 0.5, (BATCH, 100)), 0.95, axis=1, method="inverted_cdf")[:, None]
        late = (target > 1.2 * q).astype(float)
        passed.append(crossing(paths(late, 0.05), math.log(1 / ALPHA)) <= pairs)
    return float(np.mean(np.concatenate(passed)))


# --- The order of evidence


@dataclass(frozen=True)
class Flight:
    """How requests are under way: so many at once, and how long they take in seconds."""

    window: int = 64
    answer: float = 1.0
    failure: float = 60.0


def order_of_completion(rng: np.random.Generator, failed: Bools, flight: Flight) -> Ints:
    """The places of pairs in the order in which they complete, with `flight.window` under way at any time."""
    times = np.where(failed, flight.failure, flight.answer * rng.exponential(size=failed.shape))
    free = [0.0] * flight.window
    ends = np.empty(len(times))
    for place, time in enumerate(times.tolist()):
        ends[place] = free[0] + time
        heapq.heapreplace(free, ends[place])
    return np.argsort(ends, kind="stable")


def play_orders(current: float, target: float, pairs: int, seed: int, replicates: int) -> tuple[float, float]:
    """The share of PASS of the errors gate: in the order of u, and in the order of completion."""
    tested, flight = gate("errors"), Flight()
    rng = np.random.default_rng(seed)
    shares = []
    values = np.vstack([failing(current, target, pairs)(rng, BATCH) for _ in range(0, replicates, BATCH)])[:replicates]
    shuffled = np.stack([row[order_of_completion(rng, row > 0, flight)] for row in values])
    for seen in (values, shuffled):
        shares.append(np.mean(crossing(paths(seen, tested.bound), math.log(1 / ALPHA)) <= pairs))
    return float(shares[0]), float(shares[1])


# --- What is not to pass


class Bursts(NamedTuple):
    """How runs end in which the target fails in bursts: shares of all runs."""

    seen: float
    """A burst fell into the run, before the evidence was enough."""
    passed_unguarded: float
    """Of these, PASS if nobody looked for clusters."""
    passed: float
    """Of these, PASS with the runs test."""


def play_bursts(rate: float, length: float, pairs: int, seed: int, replicates: int) -> Bursts:
    """Failures of the target in bursts of a mean length, as often as `rate`; the current side fails at 1 %, alone."""
    rng = np.random.default_rng(seed)
    seen, unguarded, guarded = 0, 0, 0
    for _ in range(replicates):
        target = _bursts(rng, rate, length, pairs)
        values = target.astype(float) - (rng.random(pairs) < 0.01)
        evidence = np.maximum.accumulate(paths(values[None], gate("errors").bound)[0])
        enough = np.flatnonzero(evidence >= math.log(1 / ALPHA))
        horizon = int(enough[0]) + 1 if len(enough) else pairs
        if longest_run(target[:horizon]) < 5:
            continue
        seen += 1
        unguarded += bool(len(enough))
        looks = enough[:: len(enough) // LOOKS + 1]
        guarded += any(not clustered(target[: look + 1]) for look in looks)
    return Bursts(seen / replicates, unguarded / max(seen, 1), guarded / max(seen, 1))


def _bursts(rng: np.random.Generator, rate: float, length: float, pairs: int) -> Bools:
    failed = np.zeros(pairs, dtype=bool)
    starts = np.flatnonzero(rng.random(pairs) < rate / length)
    for start, size in zip(starts, rng.geometric(1 / length, len(starts)), strict=True):
        failed[start : start + size] = True
    return failed


def longest_run(failed: Bools) -> int:
    """The most failures without an answer between them."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], failed.astype(int), [0]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def clustered(failed: Bools) -> bool:
    """What the runs test says."""
    runs = 1 + int(np.count_nonzero(failed[1:] != failed[:-1]))
    yes = int(failed.sum())
    return few_runs(runs, yes, len(failed) - yes) < RUNS_LEVEL


def play_logged(drop: float, shift: float, seed: int, replicates: int, *, ruled: bool) -> float:
    """The share of PASS of the agreement gate where logged answers stand for second ones from some pair on.

    `shift`: how much less the logged answers agree than fresh ones. `ruled`: by the rule for their use; else at once,
    and with nothing allowed for.
    """
    tested, doubled, pairs = gate("agreement"), PAIRS if ruled else 0, 1500
    rng = np.random.default_rng(seed)
    shares = []
    for _ in range(0, replicates, BATCH):
        shape = (BATCH, pairs)
        ease = rng.beta(4, 1, shape)
        repeat, target, logged = (score(rng, ease, less) for less in (0.0, drop, shift))
        values = logged - target
        if ruled:
            moved = (repeat - logged)[:, :doubled]
            half = t_quantile(0.5 + CONFIDENCE / 2, doubled - 1) * moved.std(axis=1, ddof=1) / math.sqrt(doubled)
            high = moved.mean(axis=1) + half
            allowed = high <= tested.bound / 2
            values += np.maximum(high, 0)[:, None]
            values[~allowed, doubled:] = 1.0  # nothing more comes: what counts as the worst never brings a PASS
            values[:, :doubled] = (repeat - target)[:, :doubled]
        passed = crossing(paths(values, tested.bound, high=1 + tested.bound), math.log(1 / ALPHA))
        shares.append(np.mean(passed <= pairs))
    return float(np.mean(shares))


# --- Estimates


def cover_of_ratio(pairs: int, seed: int, replicates: int) -> float:
    """How often the interval of the ratio of two p95 holds the truth (1.10)."""
    rng = np.random.default_rng(seed)
    held = 0
    for replicate in range(replicates):
        hardness = rng.standard_normal(pairs)
        current, target = (np.exp(0.35 * (hardness + rng.standard_normal(pairs))) for _ in range(2))
        found = quantile_ratio((1.1 * target).tolist(), current.tolist(), 0.95, 0.9, replicate)
        held += found is not None and found.low <= 1.1 <= found.high
    return held / replicates


def cover_of_bca(pairs: int, seed: int, replicates: int) -> float:
    """The same with the bias-corrected and accelerated bootstrap of SciPy, which comes with the test environment."""
    from scipy.stats import bootstrap

    rng = np.random.default_rng(seed)
    held = 0
    for _ in range(replicates):
        hardness = rng.standard_normal(pairs)
        current, target = (np.exp(0.35 * (hardness + rng.standard_normal(pairs))) for _ in range(2))
        sides = (1.1 * target, current)
        found = bootstrap(sides, _ratio_of_p95, paired=True, confidence_level=0.9, n_resamples=2000, rng=rng)
        held += bool(found.confidence_interval.low <= 1.1 <= found.confidence_interval.high)
    return held / replicates


def _ratio_of_p95(over: Floats, under: Floats, axis: int = -1) -> Floats:
    place = math.ceil(0.95 * over.shape[axis] - 1e-9) - 1
    tops, bottoms = (np.partition(side, place, axis=axis).take(place, axis=axis) for side in (over, under))
    ratio: Floats = tops / bottoms
    return ratio


def cover_of_newcombe(current: float, target: float, pairs: int, seed: int, replicates: int) -> float:
    """How often the interval of the difference of two error rates holds the truth."""
    values = failing(current, target, pairs)
    rng = np.random.default_rng(seed)
    held = 0
    for row in values(rng, replicates):
        found = newcombe_paired(0, int((row > 0).sum()), int((row < 0).sum()), int((row == 0).sum()), 0.9)
        held += found.low <= target - current <= found.high
    return held / replicates


class Log(NamedTuple):
    """A log of calls for the cost sample: logged tokens, and what the target takes for the output."""

    sizes: Floats
    before: Floats
    after: Floats


def make_log(sigma: float, seed: int, calls: int = 50_000) -> Log:
    """Five kinds of traffic, whose outputs the target makes 0.9 to 2.2 times as long, each call by chance beside it."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 5, calls)
    before = np.ceil(np.exp(rng.normal(np.array([4.0, 4.5, 5.0, 5.5, 6.0])[kind], 0.8)))
    inputs = np.ceil(np.exp(rng.normal(np.array([6.0, 7.0, 6.5, 5.5, 6.0])[kind], 0.8)))
    inflation = np.array([0.9, 1.1, 1.3, 1.7, 2.2])[kind]
    return Log(inputs + before, before, before * inflation * np.exp(rng.normal(-(sigma**2) / 2, sigma, calls)))


def play_calibration(log: Log, draws: int, seed: int, replicates: int) -> tuple[float, float, float]:
    """Cover of the 95 % interval, relative RMSE, and the mean sigma that was reported."""
    truth = log.after.sum() / log.before.sum()
    found = [ratio for ratio in _calibrations(log, draws, seed, replicates) if ratio is not None]
    cover = sum(ratio.low <= truth <= ratio.high for ratio in found) / len(found)
    error = math.sqrt(sum((ratio.value / truth - 1) ** 2 for ratio in found) / len(found))
    return cover, error, sum(ratio.sigma for ratio in found) / len(found)


def _calibrations(log: Log, draws: int, seed: int, replicates: int) -> Iterator[Ratio | None]:
    rng = np.random.default_rng(seed)
    total = np.cumsum(log.sizes)
    for _ in range(replicates):
        places = np.searchsorted(total, rng.random(draws) * total[-1], side="right")
        after, before, sizes = (part[places].tolist() for part in (log.after, log.before, log.sizes))
        yield ratio_of_totals(after, before, sizes, 0.95)


# --- The tables


def main() -> None:
    """Play everything, print the tables or write them into a document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", type=Path, metavar="FILE")
    document = parser.parse_args().update
    text = "\n\n".join(table() for table in TABLES)
    if document is None:
        sys.stdout.write(text + "\n")
        return
    old = document.read_text(encoding="utf-8")
    document.write_text(_SIMULATED.sub(lambda found: f"{found[1]}{text}\n{found[2]}", old), encoding="utf-8")


def decided_table(title: str, rows: list[tuple[str, Decided]]) -> str:
    """One row a truth."""
    head = [title, "PASS", "FAIL", "undecided", "pairs to the decision: median / 90 %"]
    lines = [
        [name, _share(played.passes), _share(played.fails), _share(1 - played.passes - played.fails), played.median()]
        for name, played in rows
    ]
    return markdown_table(head, lines)


def errors_table() -> str:
    """The errors gate."""
    truths = [(0.01, 0.01), (0.01, 0.02), (0.01, 0.03), (0.01, 0.05), (0.01, 0.005), (0.001, 0.001), (0.01, 0.3)]
    rows = [
        (f"{100 * one:g} % → {100 * other:g} %", play(gate("errors"), failing(one, other, 6000), seed=11))
        for one, other in truths
    ]
    return decided_table("errors, limit +1 point, 6,000 pairs", rows)


def agreement_table() -> str:
    """The agreement gate, with second answers on all pairs."""
    rows = [
        (f"{drop:g}", play(gate("agreement"), agreeing(drop, 3000), seed=12)) for drop in (0, 0.025, 0.05, 0.1, 0.2)
    ]
    return decided_table("drop of agreement, limit 5 points, 3,000 pairs", rows)


def times_table() -> str:
    """The gate on the ratio of p95."""
    tested = gate("latency_p95")
    rows = [(f"{factor:g} ×", play(tested, waiting(factor, 3000, tested), seed=13)) for factor in (1, 1.1, 1.2, 1.5, 2)]
    table = decided_table("time of the target, limit 1.2 × at p95, 3,000 pairs after the pilot", rows)
    wrong = pass_against_a_pilot(3000, 13, REPLICATES)
    return (
        f"{table}\n\nHeld against 5 % beyond the pilot's quantile instead, 1.2 × would PASS in {_share(wrong)} of runs."
    )


def order_table() -> str:
    """Why evidence is taken in the order of u."""
    rows = []
    for rate in (0.02, 0.05, 0.1):
        shares = play_orders(0.01, rate, 1500, seed=14, replicates=REPLICATES)
        rows.append([f"1 % → {100 * rate:g} %", *map(_share, shares)])
    head = [
        "64 in flight, answers take 1 s, failures 60 s, 1,500 pairs",
        "PASS, order of u",
        "PASS, order of completion",
    ]
    return markdown_table(head, rows)


def bursts_table() -> str:
    """The runs test."""
    rows = []
    for rate, length in ((0.01, 10), (0.02, 10), (0.02, 30)):
        played = play_bursts(rate, length, 3000, seed=15, replicates=REPLICATES)
        rows.append([f"{100 * rate:g} % in bursts of {length}", *map(_share, played)])
    head = ["the target fails", "a burst is seen", "then PASS without the runs test", "then PASS with it"]
    return markdown_table(head, rows)


def logged_table() -> str:
    """The rule for logged answers."""
    rows = []
    for drop, shift in ((0.0, 0.0), (0.05, 0.0), (0.05, 0.024), (0.05, 0.1), (0.1, 0.1)):
        played = [play_logged(drop, shift, 16, REPLICATES, ruled=ruled) for ruled in (True, False)]
        rows.append([f"{drop:g}", f"{shift:g}", *map(_share, played)])
    head = ["drop of the target", "drop of the logged answers", "PASS by the rule", "PASS if they were simply used"]
    return markdown_table(head, rows)


def outlook_table() -> str:
    """What canaries can decide."""
    gates = [gate(key) for key in DEFAULTS]
    rows = []
    for pairs in (100, 300, 1000, 3000, 6000):
        found = outlook(gates, pairs, Assumed(invalid=0.01))
        median = "–" if found.median is None else f"{found.median:,}"
        rows.append([f"{pairs:,}", _share(found.passes), median])
    return markdown_table(["pairs of the canary", "all default gates pass an equal target", "median pairs"], rows)


def intervals_table() -> str:
    """The intervals beside the verdict."""
    rows = [
        [f"ratio of p95, {pairs:,} pairs", _share(cover_of_ratio(pairs, 17, 400), 3)] for pairs in (100, 200, 500, 1000)
    ]
    rows.append(["ratio of p95, 200 pairs, BCa instead", _share(cover_of_bca(200, 17, 400), 3)])
    rows += [
        [f"errors 1 % → 2 %, {pairs:,} pairs", _share(cover_of_newcombe(0.01, 0.02, pairs, 18, REPLICATES), 3)]
        for pairs in (200, 1000, 3000)
    ]
    return markdown_table(["90 % interval", "holds the truth"], rows)


def calibration_table() -> str:
    """The cost sample."""
    rows = []
    for sigma in (0.3, 0.6, 1.0, 1.5):
        cover, error, reported = play_calibration(make_log(sigma, 19), 300, 20, REPLICATES)
        rows.append([f"{sigma:g}", f"{reported:.2f}", _share(cover, 3), f"{100 * error:.1f} %"])
    return markdown_table(
        ["σ within each kind of call", "σ as reported", "95 % interval holds", "RMSE, 300 draws"], rows
    )


def _share(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}"


TABLES: Final = (
    errors_table,
    agreement_table,
    times_table,
    order_table,
    bursts_table,
    logged_table,
    outlook_table,
    intervals_table,
    calibration_table,
)


if __name__ == "__main__":
    main()
