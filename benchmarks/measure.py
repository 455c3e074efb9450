"""Runs commands as child processes, in alternating rounds, and takes their resource use from the kernel."""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

KIB_PER_MAXRSS = 1 / 1024 if sys.platform == "darwin" else 1
"""`ru_maxrss` counts bytes on macOS and KiB elsewhere."""


@dataclass(frozen=True, slots=True)
class Job:
    """A command to measure; `records` is how many log lines it works through."""

    name: str
    argv: Sequence[str]
    records: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job: user + system CPU seconds with those of its children, wall seconds, largest process in MiB."""

    cpu: float
    wall: float
    mib: float


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of a job, or why there are none."""

    job: Job
    runs: tuple[Run, ...]
    failure: str | None = None

    @property
    def cpu(self) -> float:
        """The least CPU seconds of all runs: what the work costs when nothing disturbs it."""
        return min(run.cpu for run in self.runs)

    @property
    def median_cpu(self) -> float:
        """The median CPU seconds."""
        return median(run.cpu for run in self.runs)

    @property
    def wall(self) -> float:
        """The least wall seconds."""
        return min(run.wall for run in self.runs)

    @property
    def mib(self) -> float:
        """The largest peak memory of all runs, in MiB."""
        return max(run.mib for run in self.runs)


class JobFailedError(Exception):
    """A command that did not end with exit code 0."""


def run_alternating(jobs: Sequence[Job], rounds: int, say: Callable[[str], None]) -> dict[str, Result]:
    """Every job once a round, so that what disturbs the machine disturbs all of them alike."""
    runs: dict[str, list[Run]] = {job.name: [] for job in jobs}
    failures: dict[str, str] = {}
    for number in range(1, rounds + 1):
        for job in jobs:
            if job.name in failures:
                continue
            try:
                runs[job.name].append(run := measure(job.argv))
            except (JobFailedError, OSError) as error:
                failures[job.name] = str(error)
                say(f"round {number}: {job.name}: failed: {error}")
            else:
                say(f"round {number}: {job.name}: {run.cpu:.2f} CPU s, {run.mib:.0f} MiB")
    return {job.name: Result(job, tuple(runs[job.name]), failures.get(job.name)) for job in jobs}


def measure(argv: Sequence[str]) -> Run:
    """One run, its output thrown away; JobFailedError with the last line of its errors if it fails.

    The kernel counts a child's memory from the fork on, so no figure is below this process' own size (about 18 MiB).
    """
    with tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=errors, env=child_environment())
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise JobFailedError(_last_line(errors.read()) or f"exit code {process.returncode}: {shlex.join(argv)}")
    return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * KIB_PER_MAXRSS / 1024)


def spin() -> float:
    """CPU milliseconds of a fixed piece of Python, the least of three: how fast the machine is at this moment.

    Where several machines share one, load tells nothing of the others.
    """
    return min(_spin() for _ in range(3))


def _spin() -> float:
    began = time.process_time()
    total = 0
    for number in range(300_000):
        total += number
    return (time.process_time() - began) * 1000


def child_environment() -> dict[str, str]:
    """The environment of this process, but compiled modules are kept from run to run, as where one installs them."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _last_line(errors: bytes) -> str:
    lines = errors.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
