"""The whole command against two servers of another project that imitate a vendor, on real sockets.

`test_comparison` has a fault server of our own on both sides; what we misread in the same way twice would not be seen.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llmock.scenarios import Fail, StreamFault
from llmock.simulation import MockResponseSettings, build_mock_text
from llmock.testing import LLMockServer
from tests.conftest import Outcome
from tests.shadow.make_log import record

Run = Callable[..., Outcome]
ECHO = MockResponseSettings(response_style="echo")
TIMELESS = ("--gate", "latency_p95=off", "--cost-sample", "0", "--yes")
"""Two servers in the process of the client have no latency of their own."""


@pytest.fixture
def current() -> Iterator[LLMockServer]:
    with LLMockServer(responses=ECHO) as server:
        yield server


@pytest.fixture
def target(tmp_path: Path, current: LLMockServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[LLMockServer]:
    """The other side, and a folder with a log and settings that name both."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    write_log(tmp_path / "logs.jsonl", 400)
    with LLMockServer(responses=ECHO) as server:
        (tmp_path / "llmmigrate.yaml").write_text(f"""\
version: 1
logs: [logs.jsonl]
from: {{provider: openai, model: o3, base_url: "{current.base_url()}", api_key_env: OPENAI_API_KEY}}
to: {{provider: local, model: glm-5}}
providers:
  local: {{base_url: "{server.base_url()}", dialect: openai-chat, price: zero}}
""")
        yield server


def write_log(path: Path, count: int) -> None:
    """A log whose answers are those that the servers give."""
    with path.open("w") as lines:
        for number in range(count):
            made = record(number)
            asked = made["request"]["messages"][-1]["content"]
            said = build_mock_text(settings=ECHO, model="o3", prompt=asked)
            made["response"]["choices"][0]["message"]["content"] = said
            lines.write(json.dumps(made) + "\n")


def verdict() -> dict[str, Any]:
    [path] = Path(".llmmigrate/runs").glob("*/verdict.json")
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def failures_of_target() -> dict[str, int]:
    return {item["failure"]: item["first_attempts"] for item in verdict()["failures"] if item["side"] == "target"}


def test_equal_servers_pass(llmmigrate: Run, target: LLMockServer) -> None:
    found = llmmigrate(
        "shadow", "--canary", "95%", *TIMELESS, "--gate", "errors=<= +10pt", "--gate", "agreement=>= -30pt"
    )
    assert found.code == 0, found.out + found.err
    result = verdict()
    assert (result["verdict"], result["failures"]) == ("PASS", [])
    assert result["current"]["output_tokens"] == result["target"]["output_tokens"] > 0
    assert result["target"]["usage_missing"] == 0
    assert result["target"]["ttft_ms"]["p50"] > 0


@pytest.mark.parametrize(("share", "gate"), [(0.05, "<= +0.1pt"), (0.3, "<= +5pt")])
def test_errors_at_random_fail(llmmigrate: Run, target: LLMockServer, share: float, gate: str) -> None:
    target.state.chaos.error_rates = {500: share}
    found = llmmigrate("shadow", "--canary", "99%", *TIMELESS, "--gate", f"errors={gate}", "--gate", "agreement=off")
    assert found.code == 1, found.out + found.err
    result = verdict()
    assert [gate["key"] for gate in result["gates"] if gate["result"] == "FAIL"] == ["errors"]
    assert set(failures_of_target()) == {"server"}
    assert result["target"]["errors_after_retries"] < result["target"]["errors"], "most errors pass when tried again"


def test_an_outage_is_no_verdict(llmmigrate: Run, target: LLMockServer) -> None:
    breaking = threading.Thread(target=break_after, args=(target, 30), daemon=True)
    breaking.start()
    found = llmmigrate("shadow", "--canary", "99%", *TIMELESS, "--gate", "errors=<= +0.1pt", "--gate", "agreement=off")
    breaking.join()
    assert found.code == 3, found.out + found.err
    assert verdict()["reason"] == "infrastructure"


def break_after(server: LLMockServer, requests: int) -> None:
    """From this many requests on, a server answers all of them with 503; gives up after half a minute."""
    deadline = time.monotonic() + 30
    while len(server.state.journal.records()) < requests and time.monotonic() < deadline:
        time.sleep(0.005)
    server.state.chaos.error_rates = {503: 1.0}


def test_a_rate_limit_is_waited_for_and_counted(llmmigrate: Run, target: LLMockServer) -> None:
    target.state.scenarios.add(Fail(429, retry_after=0.3, times=4))
    began = time.monotonic()
    found = llmmigrate("shadow", "--canary", "5%", *TIMELESS)
    assert found.code == 3, found.out + found.err
    assert time.monotonic() - began >= 0.3
    result = verdict()
    assert result["pairs"] == result["planned_pairs"]
    assert 1 <= failures_of_target()["rate_limit"] <= 4
    assert result["target"]["attempts"] == result["target"]["requests"] + 4
    assert result["target"]["errors_after_retries"] == 0


def test_truncated_streams_are_errors_that_may_be_billed(llmmigrate: Run, target: LLMockServer) -> None:
    """They end like whole ones, as HTTP; they are not tried again, since they may have been paid."""
    settings = Path("llmmigrate.yaml")
    priced = settings.read_text().replace("price: zero", "api_key_env: OPENAI_API_KEY")
    settings.write_text(priced.replace("provider: local", "provider: zai").replace("  local:", "  zai:"))
    target.state.scenarios.add(StreamFault("truncate", after_chunks=2, times=3))
    found = llmmigrate("shadow", "--canary", "5%", *TIMELESS)
    assert found.code == 3, found.out + found.err
    result = verdict()
    assert failures_of_target() == {"truncated_stream": 3}
    assert result["target"]["attempts"] == result["target"]["requests"]
    assert result["target"]["answers"] == result["target"]["requests"] - 3
    assert float(result["spend"]["possibly_billed"]) > 0
