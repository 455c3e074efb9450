"""What a prefix cache could serve: against a trace whose block hashes give the truth, and by hand."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.conftest import Outcome

Run = Callable[..., Outcome]
START = datetime(2026, 10, 1, tzinfo=UTC)


def caching(llmmigrate: Run, path: Path) -> dict[str, Any]:
    outcome = llmmigrate("estimate", str(path), "--to", "zai/glm-5", "--prefix-cache", "--format", "json")
    assert 0 == outcome.code, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)["caching"]
    return found


def write(path: Path, *calls: tuple[float, dict[str, Any]]) -> Path:
    """Calls by the second at which they start."""
    lines = [
        {"timestamp": (START + timedelta(seconds=second)).isoformat(), "model": "o3", "output_tokens": 10, **call}
        for second, call in calls
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def said(*texts: str, tokens: int = 4096) -> dict[str, Any]:
    messages = [{"role": "user", "content": text} for text in texts]
    return {"messages": messages, "input_tokens": tokens}


def test_an_infinite_cache_serves_what_the_hashes_of_a_real_trace_say(
    llmmigrate: Run, tmp_path: Path, data: Path
) -> None:
    raw = gzip.decompress((data / "open/raw/mooncake_conversation_trace.jsonl.gz").read_bytes()).splitlines()
    calls = [
        (row["timestamp"] / 1000, {"input_tokens": row["input_length"], "hash_ids": row["hash_ids"]})
        for row in map(json.loads, raw)
    ]
    found = caching(llmmigrate, write(tmp_path / "mooncake.jsonl", *calls))
    by_time = {row["seconds"]: row["tokens"] for row in found["kept"]}
    assert (12_031, 144_793_823, "block hashes") == (found["calls"], found["input_tokens"], found["basis"])
    assert 54_098_411 == by_time[None]
    assert 0 < by_time[300] < by_time[3600] <= by_time[None]


def test_a_common_start_is_served_and_the_rest_is_not(llmmigrate: Run, tmp_path: Path) -> None:
    """A start of 8 KiB before 8 KiB of each call's own: half of the second call, but for the block where they part."""
    start = "s" * 8192
    log = write(tmp_path / "log.jsonl", (0, said(start, "a" * 8192)), (60, said(start, "b" * 8192)))
    never = caching(llmmigrate, log)["kept"][-1]
    assert 0.23 < never["share"] <= 0.25


def test_a_cache_forgets_what_is_not_used(llmmigrate: Run, tmp_path: Path) -> None:
    text = "x" * 16_384
    log = write(tmp_path / "log.jsonl", (0, said(text)), (200, said(text)), (700, said(text)), (9000, said(text)))
    kept = {row["seconds"]: row["tokens"] for row in caching(llmmigrate, log)["kept"]}
    assert {300: 4096, 3600: 2 * 4096, 86_400: 3 * 4096, None: 3 * 4096} == kept


def test_short_prompts_are_served_by_no_cache_that_is_sold(llmmigrate: Run, tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", (0, said("y" * 4000, tokens=1000)), (1, said("y" * 4000, tokens=1000)))
    kept = {row["seconds"]: row["tokens"] for row in caching(llmmigrate, log)["kept"]}
    assert {300: 0, 3600: 0, 86_400: 0, None: 1000} == kept


def test_the_order_of_lines_does_not_matter(llmmigrate: Run, tmp_path: Path) -> None:
    calls = [(float(n), said("z" * 600 * n, tokens=150 * n)) for n in range(1, 30)]
    one = caching(llmmigrate, write(tmp_path / "one.jsonl", *calls))
    assert one == caching(llmmigrate, write(tmp_path / "two.jsonl", *reversed(calls)))


def test_a_log_without_prompts_says_so(llmmigrate: Run, tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", (0, {"input_tokens": 5000}))
    outcome = llmmigrate("estimate", str(log), "--to", "zai/glm-5", "--prefix-cache")
    assert 0 == outcome.code
    assert "the log has no prompts" in outcome.err


def test_nothing_is_said_unless_asked(llmmigrate: Run, tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", (0, said("q" * 9000)))
    outcome = llmmigrate("estimate", str(log), "--to", "zai/glm-5", "--format", "json")
    assert json.loads(outcome.out)["caching"] is None
