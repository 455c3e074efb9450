"""The benchmark document."""

from datetime import date

from benchmarks.jobs import TARGET_MODELS, calls_of, count_of, imports_of
from benchmarks.measure import Job, Result, Run
from benchmarks.report import write_report
from benchmarks.targets import TARGETS


def result(name: str, cpu: float, mib: float = 50, records: int = 0) -> Result:
    return Result(Job(name, ["x"], records), (Run(cpu, cpu, mib), Run(cpu + 1, cpu, mib - 1)))


def report(*results: Result) -> str:
    return write_report({one.job.name: one for one in results}, TARGETS, 2, date(2026, 11, 22))


def test_a_ratio_within_its_limit_is_kept() -> None:
    text = report(result("analyze 1m", 2.0, 90, 1_000_000), result(count_of("1m"), 0.5, 140, 1_000_000))
    assert "| CPU of analyze, 1M lines / DuckDB's bare count | ≤ 5× | 4.00× | yes |" in text
    assert "| peak memory of analyze, 1M lines | ≤ 128 MiB | 90.00 MiB | yes |" in text


def test_a_ratio_beyond_its_limit_is_not() -> None:
    text = report(result("llmmigrate --help", 0.5), result("python -c pass", 0.05))
    assert "| CPU of --help / python -c pass | ≤ 8× | 10.00× | **no** |" in text


def test_the_imports_of_a_peer_do_not_count_against_it() -> None:
    peer = (result(imports_of("litellm"), 5.0), result(calls_of("litellm"), 7.0, records=20_000))
    text = report(result("analyze 1m", 2.0, records=1_000_000), *peer)
    assert "| records a CPU second of analyze 1m / litellm | ≥ 100× | 50.00× | **no** |" in text


def test_memory_grows_by_the_identity() -> None:
    text = report(result("analyze 5m", 9, 128 + 5_000_000 / 2**20, 5_000_000))
    assert "| memory above 128 MiB an identity, 5M lines | ≤ 16 bytes | 1.00 bytes | yes |" in text


def test_what_was_not_measured_says_so() -> None:
    assert "| ≥ 100× | not measured (analyze 1m) | ? |" in report(result("python -c pass", 0.02))


def test_a_failed_job_shows_its_error() -> None:
    failed = Result(Job("analyze 1m", ["x"]), (), "error: a | b")
    assert "| `analyze 1m` | failed: error: a \\| b |" in report(failed)


def test_a_better_peer_is_named() -> None:
    text = report(result("analyze 1m", 2.0, 150, 1_000_000), result(count_of("1m"), 0.5, 140, 1_000_000))
    assert "`duckdb count(*) 1m` needs 4.0 times less CPU than `analyze 1m`" in text
    assert "It takes 140 MiB against 150 MiB." in text


def test_thirty_six_models_are_targets() -> None:
    assert len(set(TARGET_MODELS)) == 36
