"""Measures a comparison and writes docs/benchmarks-shadow.md: `python -m benchmarks.shadow [--rounds N] [--long]`.

The client and the endpoint are processes of their own; only the client's CPU counts. What is compared alternates, and
of all rounds the least counts. `--long` replays 100,000 pairs to see whether memory grows, which takes about ten
minutes; without it, 10,000. The load of the machine stands beside each figure: on a busy one figures are upper bounds,
times more so than CPU seconds.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.client import bare
from benchmarks.measure import spin
from benchmarks.report import describe_machine, markdown_table
from benchmarks.shadow_run import PROMPT_WORDS

SERVER: Final = Path(__file__).with_name("shadow_server.py")
DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "benchmarks-shadow.md"
WAIT_MS: Final = 20
FEW: Final = 300
MANY: Final = 1_300
"""Pairs of a short and a longer run: their difference leaves out what a run costs however many pairs it has."""
LONG: Final = 100_000
EVENTS: Final = (4, 20, 100)
"""Words of an answer, each an event of the stream; 20 is what the targets are held against."""
TYPICAL: Final = 20
UNDER_WAY: Final = (1, 2, 4, 8)
"""Requests at one time on each side."""
QUIET: Final = 1.5
"""The highest load that may be the benchmark's own; above it, figures are called upper bounds."""

CPU: Final = 4.0
"""Target: milliseconds of a pair."""
TIME: Final = 1.5
"""Target: the time taken, to the ideal."""
JOURNAL: Final = 5.0
"""Target: percent of the time that is the journal's."""
MEMORY: Final = 64.0
"""Target: bytes of memory a pair, the samples and the figures of the verdict included."""


@dataclass(frozen=True)
class Run:
    """What one comparison took, in seconds."""

    pairs: int
    cpu_s: float
    wall_s: float
    sent_s: float
    """Until the last pair was judged."""
    journal_wait_s: float
    """What requests waited for their intents, one after another's."""
    journal_bytes: int
    memory: dict[str, int]
    """Pairs → resident bytes."""
    load: float
    """Of the machine, at the end: processes that wanted a core, a mean over the last minute."""
    spin_ms: float
    """What a fixed piece of work took just before (see `spin`)."""


@contextmanager
def server(wait_ms: int, events: int) -> Iterator[int]:
    """An endpoint in a process of its own; its port."""
    command = [sys.executable, str(SERVER), str(wait_ms), str(events)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def measure(pairs: int, *, under_way: int, wait_ms: int = WAIT_MS, events: int = TYPICAL, journal: bool = True) -> Run:
    """One comparison in a process of its own."""
    spin_ms = spin()
    with server(wait_ms, events) as port:
        command = [sys.executable, "-m", "benchmarks.shadow_run", str(port), str(pairs), str(under_way)]
        command += [] if journal else ["--no-journal"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    what = f"{pairs} pairs, {under_way} under way, {events} events{'' if journal else ', no journal'}"
    say(f"{what}: {found['cpu_s']:.2f} CPU s, {found['sent_s']:.2f} s")
    return Run(pairs=pairs, load=os.getloadavg()[0], spin_ms=spin_ms, **found)


class Timed(NamedTuple):
    """What so many pairs take with so many requests at one time on each side."""

    under_way: int
    best: Run
    without_journal: Run
    load: float
    """The highest while it was measured."""
    spins: tuple[float, ...]

    @property
    def ideal_s(self) -> float:
        """Seconds that the endpoints alone take."""
        return FEW * WAIT_MS / 1000 / self.under_way

    @property
    def ratio(self) -> float:
        """The time taken to the ideal."""
        return self.best.sent_s / self.ideal_s

    @property
    def journal_part(self) -> float:
        """The part of the time that a run without a journal saves; may come out below 0 where it is lost in noise."""
        return 1 - self.without_journal.sent_s / self.best.sent_s


def time_of(rounds: int, under_way: int) -> Timed:
    """The least of all rounds; runs with and without a journal alternate."""
    runs, without = [], []
    for _ in range(rounds):
        runs.append(measure(FEW, under_way=under_way))
        without.append(measure(FEW, under_way=under_way, journal=False))
    best, other = (min(found, key=lambda run: run.sent_s) for found in (runs, without))
    every = (*runs, *without)
    return Timed(under_way, best, other, max(run.load for run in every), tuple(run.spin_ms for run in every))


class Cost(NamedTuple):
    """CPU for answers of one length."""

    pair_ms: float
    bare_ms: float
    """Two such requests by an httpx client that does nothing else, in the same minutes."""
    run_s: float
    """What a run costs however many pairs it has."""
    load: float
    """The highest while it was measured."""
    spins: tuple[float, ...]


def cpu_of_a_pair(rounds: int, events: int) -> Cost:
    """The least of all rounds; few pairs, many and bare requests alternate."""
    few, many, requests = [], [], []
    for _ in range(rounds):
        few.append(measure(FEW, under_way=4, events=events))
        many.append(measure(MANY, under_way=4, events=events))
        with server(WAIT_MS, events) as port:
            requests.append(asyncio.run(bare(f"http://127.0.0.1:{port}/v1", 4, FEW)))
    least = min(run.cpu_s for run in few)
    pair = (min(run.cpu_s for run in many) - least) / (MANY - FEW)
    every = (*few, *many)
    load, spins = max(run.load for run in every), tuple(run.spin_ms for run in every)
    return Cost(pair * 1000, 2 * min(requests), least - FEW * pair, load, spins)


def document(costs: Mapping[int, Cost], times: Sequence[Timed], long: Run, rounds: int) -> str:
    """The whole page."""
    command = f"python -m benchmarks.shadow --rounds {rounds}{' --long' if long.pairs == LONG else ''}"
    return "\n\n".join(
        [
            "# Benchmarks of the comparison",
            f"Made by `{command}` on {datetime.now(UTC).date()}. Do not edit: run it again.",
            "A comparison from its first request to its verdict, with the measures that are built in: requests of"
            f" {PROMPT_WORDS} words, answers streamed in one go after {WAIT_MS} ms. The endpoint is a process of its"
            f" own and is not counted; CPU is user + system seconds of the client. Of {rounds} rounds the least."
            " Reading the log, the preview and the reports are not in it.",
            f"Machine: {describe_machine()}.  \nPython {sys.version.split()[0]}.",
            "## Targets",
            _warning(costs, times, long),
            _speed([*times, *costs.values()], long),
            _targets(costs, times, long),
            "## CPU",
            f"From runs of {FEW} and {MANY:,} pairs, so that a run's own costs (mostly the bootstrap beside the"
            " verdict) stand apart.",
            _cpu(costs),
            "## Time",
            f"{FEW} pairs until the last one is judged, against what the endpoints alone take. One process asks, so its"
            " CPU is the limit where the endpoints are quick and many are asked at one time. The journal's part is what"
            " the same run without a journal saves; the wait is from a request's intent to the moment it goes on, other"
            " requests' CPU between included.",
            _times(times),
            "## Memory",
            f"{long.pairs:,} pairs, 16 under way on each side, no wait: {long.wall_s / 60:.1f} minutes.",
            _memory(long),
        ]
    ) + "\n"  # fmt: skip


def _warning(costs: Mapping[int, Cost], times: Sequence[Timed], long: Run) -> str:
    """Whether others kept the machine busy."""
    load = max(*(cost.load for cost in costs.values()), *(timed.load for timed in times), long.load)
    if load <= QUIET:
        return f"The machine had nothing else to do: its load was {load:.1f} at most, the benchmark's own included."
    return (
        f"**The machine had other work, too**: its load went up to {load:.1f}, of which the benchmark itself is at most"
        f" {QUIET:g}. Figures are upper bounds: a target that is kept is kept, one that is missed may be kept on a"
        " quiet machine. Only the journal's part, a difference of two times, may be off to either side."
    )


def _speed(measured: Sequence[Timed | Cost], long: Run) -> str:
    """How fast the machine was meanwhile."""
    spins = [long.spin_ms, *(spin_ms for part in measured for spin_ms in part.spins)]
    return (
        f"A fixed piece of Python, run before each measurement, took {min(spins):.0f} to {max(spins):.0f} ms of CPU: as"
        " much does the machine's own speed vary, whatever its load."
    )


def _targets(costs: Mapping[int, Cost], times: Sequence[Timed], long: Run) -> str:
    cost = costs[TYPICAL]
    rows = [_row("CPU of a pair (two streamed requests, measures included)", CPU, cost.pair_ms, "ms", 1, cost.load)]
    for timed in times:
        what = f"time of {FEW} pairs / the ideal, {timed.under_way} under way"
        rows.append(_row(what, TIME, timed.ratio, "×", 2, timed.load))
    for timed in times:
        what = f"the journal's part of the time, {timed.under_way} under way"
        rows.append(_row(what, JOURNAL, timed.journal_part * 100, "%", 1, timed.load))
    rows.append(_row("memory a pair, after the first tenth", MEMORY, growth(long), "bytes", 0, long.load))
    return markdown_table(["figure", "target", "measured", "kept", "load"], rows)


def _row(what: str, most: float, figure: float, unit: str, digits: int, load: float) -> list[str]:
    kept = "yes" if figure <= most else "**no**"
    return [what, f"≤ {most:g} {unit}", f"{figure:,.{digits}f} {unit}", kept, f"{load:.1f}"]


def growth(long: Run) -> float:
    """Bytes that memory grows by with each pair after the first tenth."""
    counts = sorted(long.memory, key=int)
    return (long.memory[counts[-1]] - long.memory[counts[0]]) / (int(counts[-1]) - int(counts[0]))


def _cpu(costs: Mapping[int, Cost]) -> str:
    rows = [
        [str(events), f"{cost.pair_ms:.1f} ms", f"{cost.bare_ms:.1f} ms", f"{cost.pair_ms / cost.bare_ms:.2f}",
         f"{max(cost.run_s, 0.0):.1f} s", f"{cost.load:.1f}"]
        for events, cost in costs.items()
    ]  # fmt: skip
    head = ["events of an answer", "a pair", "its two requests by bare httpx", "ratio", "the run itself", "load"]
    return markdown_table(head, rows)


def _times(times: Sequence[Timed]) -> str:
    rows = []
    for timed in times:
        best = timed.best
        wait = best.journal_wait_s / (2 * FEW) * 1000
        rows.append([str(timed.under_way), f"{timed.ideal_s:.2f} s", f"{best.sent_s:.2f} s", f"{timed.ratio:.2f}",
                     f"{best.cpu_s:.2f} s", f"{timed.without_journal.sent_s:.2f} s", f"{timed.journal_part:.1%}",
                     f"{wait:.1f} ms", f"{timed.load:.1f}"])  # fmt: skip
    head = [
        "under way",
        "ideal",
        "taken",
        "ratio",
        "CPU",
        "without journal",
        "its part",
        "wait for it, a request",
        "load",
    ]
    return markdown_table(head, rows)


def _memory(long: Run) -> str:
    rows = [[f"{int(count):,}", f"{size / 2**20:.1f} MiB"] for count, size in long.memory.items()]
    size = f"The journal has {long.journal_bytes / long.pairs:,.0f} bytes a pair."
    return markdown_table(["pairs", "resident"], rows) + f"\n\n{size}"


def say(words: str) -> None:
    """Tell the person at the terminal."""
    print(words, file=sys.stderr, flush=True)


def main() -> None:
    """Measure all of it and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long", action="store_true", help="100,000 pairs in place of 10,000 for the memory")
    parser.add_argument("-o", "--output", type=Path, default=DOCUMENT)
    options = parser.parse_args()
    times = [time_of(options.rounds, under_way) for under_way in UNDER_WAY]
    costs = {events: cpu_of_a_pair(options.rounds, events) for events in EVENTS}
    long = measure(LONG if options.long else LONG // 10, under_way=16, wait_ms=0, events=4)
    options.output.write_text(document(costs, times, long, options.rounds), encoding="utf-8")
    say(f"wrote {options.output.name}")


if __name__ == "__main__":
    main()
