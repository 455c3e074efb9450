"""The targets that the measured figures are held to: ratios within one session, but for the small start-up jobs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.jobs import REPRICE, TARGET_MODELS, calls_of, count_of, imports_of
from benchmarks.measure import Result

Results = Mapping[str, Result]


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that follows from some jobs' results, and the most (or least) that it should be."""

    what: str
    needs: Sequence[str]
    figure: Callable[[Results], float]
    limit: float
    unit: str
    at_least: bool = False

    def met_by(self, figure: float) -> bool:
        """Whether the figure keeps the limit."""
        return figure >= self.limit if self.at_least else figure <= self.limit


def cpu_seconds(what: str, job: str, limit: float) -> Target:
    """At most `limit` CPU seconds."""
    return Target(f"CPU of {what}", [job], lambda results: results[job].cpu, limit, " s")


def cpu_ratio(what: str, job: str, baseline: str, limit: float) -> Target:
    """At most `limit` times the CPU seconds of a baseline."""
    return Target(what, [job, baseline], lambda results: results[job].cpu / results[baseline].cpu, limit, "×")


def peak_memory(what: str, job: str, limit: float) -> Target:
    """At most `limit` MiB."""
    return Target(f"peak memory of {what}", [job], lambda results: results[job].mib, limit, " MiB")


def memory_growth(what: str, job: str, base: float, limit: float) -> Target:
    """At most `limit` bytes a record above `base` MiB."""

    def figure(results: Results) -> float:
        return (results[job].mib - base) * 2**20 / results[job].job.records

    return Target(what, [job], figure, limit, " bytes")


def speed_ratio(peer: str, job: str, limit: float) -> Target:
    """At least `limit` times a peer's records a CPU second; our process start counts, the peer's imports do not."""

    def figure(results: Results) -> float:
        ours, work = results[job], results[calls_of(peer)]
        peer_cpu = work.cpu - results[imports_of(peer)].cpu
        return (ours.job.records / ours.cpu) / (work.job.records / peer_cpu)

    needs = [job, imports_of(peer), calls_of(peer)]
    return Target(f"records a CPU second of {job} / {peer}", needs, figure, limit, "×", at_least=True)


TARGETS = (
    cpu_ratio("CPU of analyze, 1M lines / DuckDB's bare count", "analyze 1m", count_of("1m"), 5),
    cpu_ratio("CPU of analyze, 5M lines / DuckDB's bare count", "analyze 5m", count_of("5m"), 5),
    peak_memory("analyze, 1M lines", "analyze 1m", 128),
    memory_growth("memory above 128 MiB an identity, 5M lines", "analyze 5m", 128, 16),
    speed_ratio("litellm", "analyze 1m", 100),
    speed_ratio("genai-prices", "analyze 1m", 100),
    cpu_ratio("CPU of --help / python -c pass", "llmmigrate --help", "python -c pass", 8),
    cpu_seconds("analyze, 1,000 lines", "analyze 1k", 0.35),
    cpu_seconds("check, 10,000 lines", "check 10k", 0.6),
    cpu_seconds(f"re-pricing a saved profile on {len(TARGET_MODELS)} targets", REPRICE, 0.5),
)
