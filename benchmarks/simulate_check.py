"""Seeded experiments: how often the default rules of `check` fail where nothing changed, and where something did.

    python -m benchmarks.simulate_check [--runs 1000]

Both sides are drawn anew in every run. Tokens are lognormal; where there are sessions, each has ten calls, and three
tenths of the variance of the logarithm lies between sessions. The profiles are made from sums as the reader makes them.
"""

import argparse
from collections.abc import Iterator
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
MODEL: Final = ("openai", "gpt-4.1")
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


class Experiment:
    """Draws pairs of profiles and checks one against the other."""

    def __init__(self, catalog: Catalog, seed: int = 7) -> None:
        self.catalog = catalog
        self.random = np.random.default_rng(seed)
        found = catalog.marks()
        self.marks = CutMarks(instants=found.instants, clocks=found.clocks, prompt=found.prompt, output=found.output)
        self._interval = Cuts(self.marks).interval(NOW - 86_400)

    def run(self, scenario: Scenario) -> CheckResult:
        """One drawn pair, checked with the default rules."""
        base = self.drawn(scenario.base_calls, replace(scenario, rise=0.0))
        now = self.drawn(scenario.calls, scenario)
        request = Request(policy=POLICY, now=NOW)
        return check_traffic(Baseline(base, None, "baseline"), now, self.catalog, request)

    def drawn(self, calls: int, scenario: Scenario) -> Profile:
        """A profile of so many calls of one model on one day."""
        inputs = self._tokens(calls, scenario, 800.0)
        outputs = self._tokens(calls, scenario, 200.0 * (1 + scenario.rise))
        made = Profile(self.marks)
        made.first_ns = made.last_ns = self._interval[0] * NANOSECONDS
        mask = 1 << TOKEN_CLASSES.index("input") | 1 << TOKEN_CLASSES.index("output")
        key = CellKey(*MODEL, "standard", *self._interval, -1, None, -1, None, mask, "known", "billed", ())
        columns = {TOKEN_CLASSES.index("input"): inputs, TOKEN_CLASSES.index("output"): outputs}
        cell = made.cell(key)
        cell.calls = cell.logical = calls
        for i, first in columns.items():
            cell.tokens[i] = int(first.sum())
            for j, second in columns.items():
                if i <= j:
                    cell.moments[i * CLASS_COUNT + j] = int((first * second).sum())
        if scenario.sessions:
            made.sessions[MODEL] = dict(self._buckets(columns, calls))
        return made

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


def main() -> None:
    """Run all experiments and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    experiment = Experiment(load_catalog())
    print("| experiment | fails | says that the sample is too small |\n|---|---:|---:|")
    for scenario in (*NULL, *RISES, *RISES_SMALL):
        failed, small = failing(experiment, scenario, runs)
        print(f"| {scenario} | {Decimal(str(failed)):.1%} | {Decimal(str(small)):.1%} |")


if __name__ == "__main__":
    main()
