"""Seeded experiments: how often the default rules of `check` fail where nothing changed, and where something did.

    python -m benchmarks.simulate_check [--runs 1000] [--seed 7] [--only "σ 0.5, 300 against 300, sessions"]

Both sides are drawn anew in every run. Tokens are lognormal; where there are sessions, each has ten calls, and three
tenths of the variance of the logarithm lies between sessions. The profiles are made from sums as the reader makes them.
A second table changes one thing alone and counts how often it is the cause that is named first.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import numpy as np

from llmmigrate.checks.baseline import Baseline
from llmmigrate.checks.comparing import Request, check_traffic
from llmmigrate.checks.policy import DEFAULTS, Policy, Rule
from llmmigrate.checks.results import CheckResult
from llmmigrate.prices import Catalog, load_catalog
from llmmigrate.units import NANOSECONDS, TOKEN_CLASSES
from llmmigrate.usage.cuts import CutMarks, Cuts
from llmmigrate.usage.profile import CLASS_COUNT, SESSION_BUCKETS, CellKey, Profile

NOW: Final = 1_795_348_800
"""2026-11-22T12:00:00Z."""
SESSION: Final = 10
ICC: Final = 0.3
INPUT, CACHED, OUTPUT = (TOKEN_CLASSES.index(name) for name in ("input", "cache_read", "output"))
POLICY: Final = Policy(tuple(Rule(name, limit, "fail", {}, None) for name, limit in DEFAULTS.items()), (), None)


@dataclass(frozen=True)
class Scenario:
    """One experiment: sizes of both samples, spread of the logarithms, rise of the output of the second sample."""

    sigma: float
    base_calls: int = 2000
    calls: int = 2000
    sessions: bool = False
    rise: float = 0.0

    def __str__(self) -> str:
        kind = f"sessions of {SESSION}" if self.sessions else "single calls"
        return f"σ {self.sigma}, {self.base_calls:,} against {self.calls:,}, {kind}, output {self.rise:+.0%}"


NULL: Final = [
    *(Scenario(sigma, sessions=sessions) for sessions in (False, True) for sigma in (0.5, 1.0, 1.5)),
    *(Scenario(sigma, 300, 300, sessions) for sessions in (False, True) for sigma in (0.5, 1.0, 1.5)),
    *(Scenario(sigma, *sizes) for sizes in ((300, 3000), (3000, 300)) for sigma in (0.5, 1.0, 1.5)),
]
RISES: Final = [Scenario(sigma, rise=0.15) for sigma in (0.3, 0.5, 0.8, 1.0, 1.5)]
RISES_SMALL: Final = [Scenario(sigma, 200, 200, rise=0.15) for sigma in (0.5, 0.8, 1.5)]


@dataclass(frozen=True)
class Traffic:
    """Calls of one model on one day: `cached` is the part of the input that was read from a cache."""

    model: str
    calls: int
    at: int = NOW - 86_400
    cached: float = 0.0


O3_CUT: Final = 1_749_513_600
"""2025-06-10T00:00:00Z: o3 became five times cheaper on that day."""
CAUSES: Final[dict[str, tuple[list[Traffic], list[Traffic]]]] = {
    "price": ([Traffic("o3", 2000, O3_CUT - 5 * 86_400)], [Traffic("o3", 2000, O3_CUT + 5 * 86_400)]),
    "model_mix": (
        [Traffic("o3", 200), Traffic("gpt-4o-mini", 1800)],
        [Traffic("o3", 800), Traffic("gpt-4o-mini", 1200)],
    ),
    "cache": ([Traffic("gpt-4.1", 2000, cached=0.8)], [Traffic("gpt-4.1", 2000)]),
}
"""What is changed alone → the traffic before and after."""


class Experiment:
    """Draws pairs of profiles and checks one against the other."""

    def __init__(self, catalog: Catalog, seed: int = 7) -> None:
        self.catalog = catalog
        self.random = np.random.default_rng(seed)
        found = catalog.marks()
        self.marks = CutMarks(instants=found.instants, clocks=found.clocks, prompt=found.prompt, output=found.output)
        self._cuts = Cuts(self.marks)

    def run(self, scenario: Scenario) -> CheckResult:
        """One drawn pair, checked with the default rules."""
        base = self.drawn([Traffic("gpt-4.1", scenario.base_calls)], replace(scenario, rise=0.0))
        return self.checked(base, self.drawn([Traffic("gpt-4.1", scenario.calls)], scenario))

    def changed(self, cause: str) -> CheckResult:
        """One drawn pair in which one thing alone is changed."""
        before, after = (self.drawn(traffic, Scenario(0.5)) for traffic in CAUSES[cause])
        return self.checked(before, after)

    def checked(self, base: Profile, now: Profile) -> CheckResult:
        """One profile against another with the default rules."""
        request = Request(policy=POLICY, now=NOW)
        return check_traffic(Baseline(base, None, "baseline"), now, self.catalog, request)

    def drawn(self, traffic: Sequence[Traffic], scenario: Scenario) -> Profile:
        """A profile of such traffic."""
        made = Profile(self.marks)
        for part in traffic:
            self._add(made, part, scenario)
        return made

    def _add(self, made: Profile, part: Traffic, scenario: Scenario) -> None:
        inputs = self._tokens(part.calls, scenario, 800.0)
        outputs = self._tokens(part.calls, scenario, 200.0 * (1 + scenario.rise))
        cached = np.rint(inputs * part.cached).astype(np.int64)
        columns = {INPUT: inputs - cached, OUTPUT: outputs}
        if part.cached:
            columns[CACHED] = cached
        interval = self._cuts.interval(part.at)
        made.widen(interval[0] * NANOSECONDS, interval[0] * NANOSECONDS)
        mask = sum(1 << i for i in columns)
        key = CellKey("openai", part.model, "standard", *interval, -1, None, -1, None, mask, "known", "billed", ())
        cell = made.cell(key)
        cell.calls = cell.logical = part.calls
        for i, first in columns.items():
            cell.tokens[i] = int(first.sum())
            for j, second in columns.items():
                if i <= j:
                    cell.moments[i * CLASS_COUNT + j] = int((first * second).sum())
        if scenario.sessions:
            made.sessions["openai", part.model] = dict(self._buckets(columns, part.calls))

    def _tokens(self, calls: int, scenario: Scenario, mean: float) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        """Whole lognormal tokens of this mean."""
        spread = scenario.sigma
        noise = self.random.normal(size=calls)
        if scenario.sessions:
            between = np.repeat(self.random.normal(size=-(-calls // SESSION)), SESSION)[:calls]
            noise = np.sqrt(ICC) * between + np.sqrt(1 - ICC) * noise
        drawn = np.exp(np.log(mean) - spread**2 / 2 + spread * noise)
        whole: np.ndarray[tuple[int], np.dtype[np.int64]] = np.maximum(1, np.rint(drawn)).astype(np.int64)
        return whole

    def _buckets(
        self, columns: "dict[int, np.ndarray[tuple[int], np.dtype[np.int64]]]", calls: int
    ) -> Iterator[tuple[int, list[int]]]:
        """Session bucket → calls and tokens by class; a session's bucket is as good as random."""
        sessions = self.random.integers(0, SESSION_BUCKETS, size=-(-calls // SESSION))
        bucket = np.repeat(sessions, SESSION)[:calls]
        counts = np.bincount(bucket, minlength=SESSION_BUCKETS)
        sums = {i: np.bincount(bucket, weights=column, minlength=SESSION_BUCKETS) for i, column in columns.items()}
        for number in np.flatnonzero(counts).tolist():
            tokens = [int(sums[i][number]) if i in sums else 0 for i in range(CLASS_COUNT)]
            yield number, [int(counts[number]), *tokens]


def failing(experiment: Experiment, scenario: Scenario, runs: int) -> tuple[float, float]:
    """The part of the runs that fail, and the part that say that the sample is too small."""
    results = [experiment.run(scenario) for _ in range(runs)]
    failed = sum(result.verdict == "fail" for result in results)
    small = sum(any(rule.too_small for rule in result.rules) for result in results)
    return failed / runs, small / runs


def named(experiment: Experiment, cause: str, runs: int) -> float:
    """The part of the runs in which a change is put down to its cause first."""
    found = [experiment.changed(cause).difference for _ in range(runs)]
    firsts = [each.largest[0].cause for each in found if each is not None and each.largest]
    return firsts.count(cause) / runs


def main() -> None:
    """Run all experiments and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", default="", help="the experiments whose name holds this, and no causes")
    options = parser.parse_args()
    runs, experiment = options.runs, Experiment(load_catalog(), options.seed)
    print("| experiment | fails | says that the sample is too small |\n|---|---:|---:|")
    for scenario in (each for each in (*NULL, *RISES, *RISES_SMALL) if options.only in str(each)):
        failed, small = failing(experiment, scenario, runs)
        print(f"| {scenario} | {Decimal(str(failed)):.1%} | {Decimal(str(small)):.1%} |")
    if options.only:
        return
    print("\n| changed alone | named first |\n|---|---:|")
    for cause in CAUSES:
        print(f"| {cause} | {Decimal(str(named(experiment, cause, runs))):.1%} |")


if __name__ == "__main__":
    main()
