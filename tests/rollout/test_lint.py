"""A plan held against a log: what its numbers mean at the traffic that there is."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.rollout.conftest import PLAN

Run = Callable[..., Any]
START = datetime(2026, 10, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_log(
    *,
    per_second: float,
    latency_ms: int = 900,
    prompt: int = 500,
    failed_every: int = 0,
    ttft_ms: int = 0,
    unstreamed: int = 0,
) -> None:
    """Two minutes of calls at a steady rate; streams where `ttft_ms` is given, but for every `unstreamed`th."""
    lines = [
        json.dumps(
            {
                "timestamp": (START + timedelta(seconds=number / per_second)).isoformat(),
                "request_id": f"r{number}",
                "provider": "openai",
                "model": "o3",
                "input_tokens": prompt,
                "output_tokens": 50,
                "latency_ms": latency_ms,
                **({"ttft_ms": ttft_ms} if ttft_ms and (not unstreamed or number % unstreamed) else {}),
                "status": 500 if failed_every and number % failed_every == 0 else 200,
            }
        )
        for number in range(int(120 * per_second))
    ]
    Path("logs.jsonl").write_text("\n".join(lines) + "\n")


def linted(llmmigrate: Run, plan: str = PLAN) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code and the remarks by their code."""
    Path("migration.yaml").write_text(plan)
    done = llmmigrate("rollout", "lint", "--logs", "logs.jsonl", "--format", "json")
    return done.code, {remark["code"]: remark for remark in json.loads(done.out)["remarks"]}


def test_a_plan_that_fits_its_traffic_passes(llmmigrate: Run) -> None:
    write_log(per_second=30)
    code, remarks = linted(llmmigrate, PLAN.replace("200ms", "5s").replace("context: 64k", "context: 200k"))
    assert (code, remarks) == (0, {})


def test_an_absolute_limit_below_every_answer(llmmigrate: Run) -> None:
    write_log(per_second=30)
    code, remarks = linted(llmmigrate)
    assert code == 1
    assert remarks["latency_limit"]["message"].startswith("200 ms is below every one of the calls in your log (p95 9")


def on(gateway: str, limit: str) -> str:
    return PLAN.replace("200ms", limit).replace("context: 64k", "context: 200k") + f"gateway: {{kind: {gateway}}}\n"


@pytest.mark.parametrize("gateway", ["nginx", "haproxy", "litellm"])
def test_a_gateway_that_times_the_first_byte_is_held_against_it(gateway: str, llmmigrate: Run) -> None:
    """Answers take 9 s, their first token 400 ms: 1 s is a sound limit for a trigger that looks at the first byte."""
    write_log(per_second=30, latency_ms=9000, ttft_ms=400)
    assert linted(llmmigrate, on(gateway, "1s")) == (0, {})
    code, remarks = linted(llmmigrate, on(gateway, "300ms"))
    assert (code, remarks["latency_limit"]["fix"].split(": ")[1]) == (1, "600ms")
    assert remarks["latency_limit"]["message"].endswith("ms, to the first byte)")


def test_an_answer_that_is_not_streamed_has_its_first_byte_at_its_end(llmmigrate: Run) -> None:
    """One call in ten is no stream: it takes 9 s to its first byte."""
    write_log(per_second=30, latency_ms=9000, ttft_ms=400, unstreamed=10)
    code, remarks = linted(llmmigrate, on("nginx", "1s"))
    assert (code, remarks["latency_limit"]["level"]) == (1, "error")
    assert "1000 ms is below 10% of the calls in your log (p95 8.98 s" in remarks["latency_limit"]["message"]


def test_a_log_without_times_to_first_token_cannot_condemn_a_limit_for_them(llmmigrate: Run) -> None:
    write_log(per_second=30, latency_ms=9000)
    code, remarks = linted(llmmigrate, on("nginx", "1s"))
    assert (code, remarks["latency_limit"]["level"]) == (0, "warning")
    assert remarks["latency_limit"]["message"].endswith("nginx times the first byte, which your log does not tell")


def test_envoy_times_whole_answers_of_streams_too(llmmigrate: Run) -> None:
    write_log(per_second=30, latency_ms=9000, ttft_ms=400)
    code, remarks = linted(llmmigrate, on("envoy", "1s"))
    assert (code, remarks["latency_limit"]["level"]) == (1, "error")
    assert "whole answers)" in remarks["latency_limit"]["message"]
    code, remarks = linted(llmmigrate, on("envoy", "14s"))
    assert (code, list(remarks)) == (0, ["streams_timed_whole"])
    assert "p95 to the first token 396 ms" in remarks["streams_timed_whole"]["message"]


def test_windows_too_small_for_the_trigger(llmmigrate: Run) -> None:
    write_log(per_second=2)
    code, remarks = linted(llmmigrate, PLAN.replace("200ms", "5s"))
    assert code == 1
    said = remarks["window_too_small"]
    assert re.match(r"10 % of 2\.\d+ requests a second is 6\.\d+ a window; 60 are needed", said["message"])
    assert said["fix"] == "a stage of 100 %"


def test_a_longer_window_is_proposed_where_it_recovers_in_time(llmmigrate: Run) -> None:
    write_log(per_second=10)
    _, remarks = linted(llmmigrate, PLAN.replace("200ms", "5s"))
    assert remarks["window_too_small"]["fix"] == "monitoring: {every: 60s}"


def test_prompts_that_do_not_fit_the_chain(llmmigrate: Run) -> None:
    write_log(per_second=30, prompt=100_000)
    code, remarks = linted(llmmigrate, PLAN.replace("200ms", "5s"))
    assert code == 1
    assert "emergency holds 64,000" in remarks["context_too_small"]["message"]
    assert remarks["context_shrinks"]["level"] == "warning"


def test_an_idle_time_out_below_whole_answers(llmmigrate: Run) -> None:
    write_log(per_second=30, latency_ms=90_000)
    _, remarks = linted(llmmigrate, PLAN.replace("200ms", "200s"))
    assert "60 s is below the p99 of whole answers" in remarks["idle_timeout"]["message"]


def test_a_limit_below_todays_errors(llmmigrate: Run) -> None:
    write_log(per_second=30, failed_every=10)
    _, remarks = linted(llmmigrate, PLAN.replace("200ms", "5s"))
    assert remarks["error_limit"]["message"].startswith("10.0% of the calls in your log failed")


def test_a_model_that_the_target_does_not_rename(llmmigrate: Run) -> None:
    write_log(per_second=30)
    _, remarks = linted(llmmigrate, PLAN.replace("models: {o3: glm-5}", "models: {o4: glm-5}"))
    assert remarks["model_not_mapped"]["message"].endswith(": o3")


def test_a_key_in_the_clear_is_an_error(llmmigrate: Run) -> None:
    write_log(per_second=30)
    for host in ("api.z.ai", "127.0.0.1.api.z.ai"):
        code, remarks = linted(llmmigrate, PLAN.replace("https://api.z.ai", f"http://{host}"))
        assert (code, remarks["key_in_clear"]["level"]) == (1, "error")
    for host in ("127.0.0.1:8000", "localhost:8000"):
        _, remarks = linted(llmmigrate, PLAN.replace("https://api.z.ai", f"http://{host}"))
        assert "key_in_clear" not in remarks
