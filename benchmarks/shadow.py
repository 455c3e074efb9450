"""Measures a comparison and writes docs/benchmarks-shadow.md: `python -m benchmarks.shadow [--rounds N] [--long]`.

The client and the endpoint are processes of their own; only the client's CPU counts. `--long` replays 100,000 pairs to
see whether memory grows, which takes a quarter of an hour; without it, 10,000. Times are taken only on a machine that
is quiet enough for them; CPU seconds bear a busy one, though they grow on it, too.
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
QUIET: Final = 3.0
"""The highest load at which times mean something."""

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
    journal_thread_s: float
    journal_wait_s: float
    journal_bytes: int
    memory: dict[str, int]
    """Pairs → resident bytes."""

    @property
    def journal_share(self) -> float:
        """The journal's part of the time that requests took: waiting for the disk beside waiting for the endpoint."""
        asked = 2 * self.pairs * WAIT_MS / 1000
        return self.journal_wait_s / (asked + self.journal_wait_s)


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


def measure(pairs: int, *, under_way: int, wait_ms: int = WAIT_MS, events: int = TYPICAL) -> Run:
    """One comparison in a process of its own."""
    with server(wait_ms, events) as port:
        command = [sys.executable, "-m", "benchmarks.shadow_run", str(port), str(pairs), str(under_way)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    say(f"{pairs} pairs, {under_way} under way, {events} events: {found['cpu_s']:.2f} CPU s, {found['sent_s']:.2f} s")
    return Run(pairs=pairs, **found)


class Cost(NamedTuple):
    """CPU for answers of one length."""

    pair_ms: float
    bare_ms: float
    """Two such requests by an httpx client that does nothing else, in the same minutes."""
    run_s: float
    """What a run costs however many pairs it has."""


def cpu_of_a_pair(rounds: int, events: int) -> Cost:
    """The least of all rounds; few pairs, many and bare requests alternate."""
    few, many, requests = [], [], []
    for _ in range(rounds):
        few.append(measure(FEW, under_way=4, events=events).cpu_s)
        many.append(measure(MANY, under_way=4, events=events).cpu_s)
        with server(WAIT_MS, events) as port:
            requests.append(asyncio.run(bare(f"http://127.0.0.1:{port}/v1", 4, FEW)))
    pair = (min(many) - min(few)) / (MANY - FEW)
    return Cost(pair * 1000, 2 * min(requests), min(few) - FEW * pair)


def ideal_s(pairs: int, under_way: int) -> float:
    """Seconds that the endpoints alone take: each side answers so many at one time."""
    return pairs * WAIT_MS / 1000 / under_way


def document(costs: Mapping[int, Cost], runs: Mapping[int, Sequence[Run]], long: Run, rounds: int) -> str:
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
            _targets(costs, runs, long),
            "## CPU",
            f"From runs of {FEW} and {MANY:,} pairs, so that a run's own costs (mostly the bootstrap beside the"
            " verdict) stand apart.",
            _cpu(costs),
            "## Time",
            f"{FEW} pairs until the last one is judged, against what the endpoints alone take. One process asks, so its"
            " CPU is the limit where the endpoints are quick and many are asked at one time.",
            _times(runs),
            "## Memory",
            f"{long.pairs:,} pairs, 16 under way on each side, no wait.",
            _memory(long),
        ]
    ) + "\n"  # fmt: skip


def _targets(costs: Mapping[int, Cost], runs: Mapping[int, Sequence[Run]], long: Run) -> str:
    best = {under_way: min(run.sent_s for run in found) for under_way, found in runs.items()}
    share = min((run.journal_share * 100 for found in runs.values() for run in found), default=None)
    rows = [_row("CPU of a pair (two streamed requests, measures included)", CPU, costs[TYPICAL].pair_ms, "ms", 1)]
    for under_way in UNDER_WAY:
        ratio = best[under_way] / ideal_s(FEW, under_way) if under_way in best else None
        rows.append(_row(f"time of {FEW} pairs / the ideal, {under_way} under way", TIME, ratio, "×", 2))
    rows.append(_row("the journal's part of the time", JOURNAL, share, "%", 1))
    rows.append(_row("memory a pair, after the first tenth", MEMORY, growth(long), "bytes", 0))
    return markdown_table(["figure", "target", "measured", "kept"], rows)


def _row(what: str, most: float, figure: float | None, unit: str, digits: int) -> list[str]:
    if figure is None:
        return [what, f"≤ {most:g} {unit}", "not measured", "?"]
    return [what, f"≤ {most:g} {unit}", f"{figure:,.{digits}f} {unit}", "yes" if figure <= most else "**no**"]


def growth(long: Run) -> float:
    """Bytes that memory grows by with each pair after the first tenth."""
    counts = sorted(long.memory, key=int)
    return (long.memory[counts[-1]] - long.memory[counts[0]]) / (int(counts[-1]) - int(counts[0]))


def _cpu(costs: Mapping[int, Cost]) -> str:
    rows = [
        [str(events), f"{cost.pair_ms:.1f} ms", f"{cost.bare_ms:.1f} ms", f"{max(cost.run_s, 0.0):.1f} s"]
        for events, cost in costs.items()
    ]
    return markdown_table(["events of an answer", "a pair", "its two requests by bare httpx", "the run itself"], rows)


def _times(runs: Mapping[int, Sequence[Run]]) -> str:
    if not runs:
        return f"Not measured: the load of the machine was above {QUIET:g}."
    rows = []
    for under_way, found in runs.items():
        best = min(found, key=lambda run: run.sent_s)
        ideal = ideal_s(FEW, under_way)
        wait = best.journal_wait_s / (2 * FEW) * 1000
        rows.append([str(under_way), f"{ideal:.2f} s", f"{best.sent_s:.2f} s", f"{best.sent_s / ideal:.2f}",
                     f"{best.cpu_s:.2f} s", f"{wait:.1f} ms", f"{best.journal_share:.1%}"])  # fmt: skip
    head = ["under way", "ideal", "taken", "ratio", "CPU", "wait for the disk, a request", "journal's part"]
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
    quiet = os.getloadavg()[0] <= QUIET
    under_ways = UNDER_WAY if quiet else ()
    runs = {under_way: [measure(FEW, under_way=under_way) for _ in range(options.rounds)] for under_way in under_ways}
    costs = {events: cpu_of_a_pair(options.rounds, events) for events in EVENTS}
    long = measure(LONG if options.long else LONG // 10, under_way=16, wait_ms=0, events=4)
    options.output.write_text(document(costs, runs, long, options.rounds), encoding="utf-8")
    say(f"wrote {options.output.name}")


if __name__ == "__main__":
    main()
