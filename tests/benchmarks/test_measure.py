"""Measuring child processes."""

import sys

import pytest
from benchmarks.measure import Job, JobFailedError, measure, run_alternating


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_cpu_time_of_the_child_is_counted() -> None:
    busy = measure(python("import time\nwhile time.process_time() < 0.3: pass"))
    idle = measure(python("import time\ntime.sleep(0.3)"))
    assert busy.cpu >= 0.3 > idle.cpu
    assert idle.wall >= 0.3


def test_the_memory_of_the_child_is_counted_in_mib() -> None:
    # Both larger than this process: a child's peak begins with what its parent held.
    small, large = measure(python("x = bytearray(900 * 2**20)")), measure(python("x = bytearray(1000 * 2**20)"))
    assert 95 < large.mib - small.mib < 105


def test_a_failing_command_shows_its_last_line() -> None:
    with pytest.raises(JobFailedError, match="no such log"):
        measure(python("import sys; sys.exit('reading\\nno such log')"))


def test_rounds_alternate_and_a_failure_ends_its_job_only() -> None:
    said: list[str] = []
    jobs = [Job("good", python("pass")), Job("bad", python("raise SystemExit(3)")), Job("absent", ["./absent"])]
    results = run_alternating(jobs, 2, said.append)
    assert [line.split(":")[:2] for line in said] == [
        ["round 1", " good"],
        ["round 1", " bad"],
        ["round 1", " absent"],
        ["round 2", " good"],
    ]
    assert [len(results[name].runs) for name in ("good", "bad", "absent")] == [2, 0, 0]
    assert (results["bad"].failure or "").startswith("exit code 3")
