"""`bench` against servers whose speed, failures and usage are known."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome
from tests.endpoints.fault_server import USAGE, FaultServer
from tests.loopback import no_network as no_network  # loopback may be reached here

from llmmigrate.endpoints.exchange import Attempt, Exchange
from llmmigrate.shadow.bench import inter_token_ms, spread
from llmmigrate.usage.call import Call

Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_settings(**providers: dict[str, Any]) -> None:
    Path("llmmigrate.yaml").write_text(json.dumps({"version": 1, "providers": providers}))


def local(server: FaultServer, **more: Any) -> dict[str, Any]:
    return {"base_url": server.base_url, "dialect": "openai-chat", "price": "zero", **more}


def measured(llmmigrate: Run, *arguments: str, code: int = 0) -> dict[str, Any]:
    outcome = llmmigrate("bench", *arguments, "--format", "json")
    assert outcome.code == code, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses", "anthropic-messages"])
def test_the_figures_are_those_of_the_server(llmmigrate: Run, dialect: str) -> None:
    """Four words, 50 ms before each: 50 ms to the first token, 200 ms in all."""
    with FaultServer(then="spoken_slowly:0.05") as server:
        write_settings(local=local(server, dialect=dialect))
        [found] = measured(llmmigrate, "local/glm-5", "--requests", "12", "--concurrency", "3")["endpoints"]
        assert len(server.requests) == 12 + 1  # and one to warm up
    assert (found["requests"], found["answers"], found["failures"], found["stopped"]) == (12, 12, {}, None)
    assert found["latency_ms"]["p50"] >= 200
    assert found["latency_ms"]["p50"] <= found["latency_ms"]["p90"]
    assert found["latency_ms"]["p99"] is None  # of 12 answers
    assert 50 <= found["ttft_ms"]["p50"] <= found["latency_ms"]["p50"] - 100
    hidden = 0 if dialect == "anthropic-messages" else USAGE[2]
    assert found["inter_token_ms"]["p50"] == pytest.approx(150 / (USAGE[1] - hidden - 1), rel=0.5)
    assert found["requests_per_second"] == pytest.approx(12 / found["seconds"], rel=0.01)
    assert found["output_tokens_per_second"] == pytest.approx(12 * USAGE[1] / found["seconds"], rel=0.01)
    assert found["seconds"] >= 0.8  # four rounds of three at one time
    assert found["tokens"]["output"] == 12 * USAGE[1]
    assert found["served_models"] == ["glm-5"]


def test_endpoints_are_measured_side_by_side(llmmigrate: Run) -> None:
    with FaultServer() as fast, FaultServer(then="ok:0.1") as slow:
        write_settings(fast=local(fast), slow=local(slow, dialect="anthropic-messages"))
        found = measured(llmmigrate, "fast/a", "slow/b", "--duration", "1s", "--concurrency", "2")
    quick, late = found["endpoints"]
    assert [quick["name"], late["name"]] == ["fast/a", "slow/b"]
    assert quick["latency_ms"]["p50"] < late["latency_ms"]["p50"]
    assert late["latency_ms"]["p50"] >= 100
    assert quick["answers"] > late["answers"] > 0
    assert fast.requests[1].at < slow.requests[-1].at and slow.requests[1].at < fast.requests[-1].at


def test_in_turn_one_is_asked_after_the_other(llmmigrate: Run) -> None:
    with FaultServer() as one, FaultServer() as other:
        write_settings(one=local(one), other=local(other))
        found = measured(llmmigrate, "one/a", "other/b", "--requests", "9", "--in-turn")
    assert [item["requests"] for item in found["endpoints"]] == [9, 9]
    turns = [(asked.at, server.port) for server in (one, other) for asked in server.requests[1:]]
    changes = sum(first[1] != second[1] for first, second in itertools.pairwise(sorted(turns)))
    assert changes == 7  # four rounds each


def test_failures_are_counted_and_no_part_of_the_times(llmmigrate: Run) -> None:
    with FaultServer("ok", *["slow_error:0.5", "ok", "empty", "ok"] * 3) as server:
        write_settings(local=local(server))
        [found] = measured(llmmigrate, "local/glm-5", "--requests", "12", "--concurrency", "1")["endpoints"]
    assert found["failures"] == {"empty": 3, "server": 3}
    assert found["answers"] == 6
    assert found["latency_ms"]["p90"] is None
    assert found["latency_ms"]["mean"] < 500
    assert found["details"]["server"] == "upstream gave up"


def test_without_usage_there_are_no_tokens_and_no_cost(llmmigrate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    with FaultServer(then="no_usage") as server:
        write_settings(openai={"base_url": server.base_url, "api_key_env": "OPENAI_API_KEY"})
        found = measured(llmmigrate, "openai/gpt-4.1", "--requests", "4")
    [endpoint] = found["endpoints"]
    assert endpoint["cost"] is None
    assert endpoint["unknown_costs"] == 5  # with the one to warm up
    assert endpoint["output_tokens_per_second"] is None
    assert endpoint["inter_token_ms"]["count"] == 0
    assert endpoint["latency_ms"]["count"] == 4
    assert float(found["spent"]) > 0  # the worst case counts against the cap


def test_the_cost_is_what_the_tables_say(llmmigrate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """11 tokens in at 2 USD and 7 out at 8 USD per million, six times."""
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    with FaultServer() as server:
        write_settings(openai={"base_url": server.base_url, "api_key_env": "OPENAI_API_KEY"})
        found = measured(llmmigrate, "openai/gpt-4.1", "--requests", "5")
    [endpoint] = found["endpoints"]
    assert endpoint["cost"] == found["spent"] == "0.000468"
    assert endpoint["unknown_costs"] == 0


def test_the_cap_is_never_exceeded(llmmigrate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    with FaultServer(then="no_usage") as server:
        write_settings(openai={"base_url": server.base_url, "api_key_env": "OPENAI_API_KEY"})
        found = measured(
            llmmigrate, "openai/gpt-4.1", "--duration", "20s", "--max-cost", "0.05", "--concurrency", "16", code=3
        )
        sent = len(server.requests)
    [endpoint] = found["endpoints"]
    assert endpoint["stopped"] == "budget"
    assert 2 <= sent <= 8  # each may cost almost a cent
    assert float(found["spent"]) <= 0.05


def test_a_model_without_a_price_is_capped_by_tokens(llmmigrate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "test")
    with FaultServer() as server:
        write_settings(mine={"base_url": server.base_url, "api_key_env": "KEY"})
        refused = llmmigrate("bench", "mine/model", "--requests", "3")
        assert (refused.code, server.requests) == (2, [])
        assert "--max-tokens-total" in refused.err
        found = measured(llmmigrate, "mine/model", "--requests", "3", "--max-tokens-total", "100k")
    assert found["endpoints"][0]["cost"] is None
    assert found["endpoints"][0]["answers"] == 3


def test_who_cannot_be_asked_is_left_and_the_others_are_measured(llmmigrate: Run) -> None:
    with FaultServer() as good, FaultServer(then="status:401") as bad:
        write_settings(good=local(good), bad=local(bad))
        outcome = llmmigrate("bench", "good/a", "bad/b", "--requests", "5")
        assert len(bad.requests) == 1
    assert outcome.code == 3
    assert "bad/b was not asked to the end: it refused the key (status 401)" in outcome.out


def test_when_nobody_answers_there_is_no_result_to_trust(llmmigrate: Run) -> None:
    with FaultServer(then="status:404") as server:
        write_settings(local=local(server))
        outcome = llmmigrate("bench", "local/glm5", "--requests", "5")
    assert outcome.code == 2
    assert outcome.err.startswith("error: no endpoint answered")
    assert "the endpoint offers glm-5" in outcome.err


def test_an_outage_ends_the_measurement(llmmigrate: Run) -> None:
    with FaultServer("ok", "ok", then="status:503") as server:
        write_settings(local=local(server))
        found = measured(llmmigrate, "local/glm-5", "--duration", "60s", code=3)
        assert len(server.requests) < 60
    assert found["endpoints"][0]["stopped"] == "breaker"
    assert found["endpoints"][0]["answers"] == 1


def test_an_open_loop_shows_what_it_could_not_keep(llmmigrate: Run) -> None:
    with FaultServer(then="ok:0.05") as server:
        write_settings(local=local(server))
        held = measured(llmmigrate, "local/a", "--rate", "400", "--requests", "100", "--concurrency", "4")
        free = measured(llmmigrate, "local/a", "--rate", "80", "--requests", "100")
    late, prompt = held["endpoints"][0], free["endpoints"][0]
    assert held["load"]["loop"] == "open"
    assert late["lag_ms_p99"] > 900  # the last was due after 0.25 s, and 24 rounds of 0.05 s were before it
    assert prompt["lag_ms_p99"] < late["lag_ms_p99"]
    assert late["latency_ms"]["p50"] < late["lag_ms_p99"]  # the lag is no part of the latency


def test_no_two_requests_are_alike_but_for_prompts_of_ones_own(llmmigrate: Run) -> None:
    Path("own.jsonl").write_text('{"prompt": "One?"}\n{"messages": [{"role": "user", "content": "Two?"}], "seed": 4}\n')
    with FaultServer() as server:
        write_settings(local=local(server))
        measured(llmmigrate, "local/a", "--requests", "20")
        texts = [asked.body["messages"][0]["content"] for asked in server.requests]
        assert len(set(texts)) == 21
        server.requests.clear()
        found = measured(llmmigrate, "local/a", "--requests", "3", "--prompts", "own.jsonl", "--max-output-tokens", "9")
    own = [asked.body["messages"][0]["content"] for asked in server.requests[1:]]
    assert sorted(own) == ["One?", "One?", "Two?"]
    assert {asked.body["max_tokens"] for asked in server.requests} == {9}
    assert {asked.body.get("seed") for asked in server.requests} == {None, 4}
    assert (found["load"]["prompts"], found["load"]["prompt_count"]) == ("own.jsonl", 2)


def test_a_limit_of_the_prompt_itself_counts(llmmigrate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """4,000 tokens at 8 USD per million are 0.032 USD: three requests fit under 0.1 USD, whatever they really take."""
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    Path("own.jsonl").write_text('{"messages": [{"role": "user", "content": "Hi"}], "max_completion_tokens": 4000}\n')
    with FaultServer(then="no_usage") as server:
        write_settings(openai={"base_url": server.base_url, "api_key_env": "OPENAI_API_KEY"})
        found = measured(
            llmmigrate, "openai/gpt-4.1", "--prompts", "own.jsonl", "--requests", "9", "--max-cost", "0.1", code=3
        )
        assert [asked.body.get("max_tokens") for asked in server.requests] == [None] * 3
    assert found["endpoints"][0]["stopped"] == "budget"


@pytest.mark.parametrize("text", ["", "\n\n", '{"text": 3}\n', "[1]\n", "{\n", '{"messages": []}\n'])
def test_a_file_without_prompts_is_refused_before_anything_is_sent(llmmigrate: Run, text: str) -> None:
    Path("own.jsonl").write_text(text)
    with FaultServer() as server:
        write_settings(local=local(server))
        outcome = llmmigrate("bench", "local/a", "--prompts", "own.jsonl")
        assert server.requests == []
    assert outcome.code == 2
    assert "prompt" in outcome.err


@pytest.fixture
def saved(llmmigrate: Run) -> Iterator[str]:
    with FaultServer(then="spoken_slowly:0.01") as server:
        write_settings(local=local(server))
        outcome = llmmigrate("bench", "local/glm-5", "--requests", "10", "-o", "bench.json", "-o", "-")
    assert outcome.code == 0
    assert "→ llmmigrate prices compare local/glm-5 --bench bench.json" in outcome.out
    yield "bench.json"


def test_a_saved_benchmark_stands_beside_the_prices(llmmigrate: Run, saved: str) -> None:
    outcome = llmmigrate("prices", "compare", "local/glm-5", "zai/glm-5", "--bench", saved, "--format", "json")
    mine, vendor = json.loads(outcome.out)["models"]
    assert mine["measured"][0]["answers"] == 10
    assert mine["measured"][0]["latency_p50"] >= 40
    assert (mine["priced"], vendor["priced"], vendor["measured"]) == (False, True, [])


def test_ctrl_c_shows_what_was_measured(here: Path) -> None:
    with FaultServer(then="ok:0.05") as server:
        write_settings(local=local(server))
        command = [sys.executable, "-m", "llmmigrate", "bench", "local/a", "--duration", "60s", "-o", "bench.json"]
        running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "TERM": "dumb"})
        for _ in range(400):
            if len(server.requests) > 10:
                break
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, words = running.communicate(timeout=20)
    assert running.returncode == 3
    assert "stopping" in words
    [found] = json.loads((here / "bench.json").read_text())["endpoints"]
    assert found["stopped"] == "interrupted"
    assert found["answers"] >= 5


# --- figures -----------------------------------------------------------------------------------------------------


def exchange(events: list[dict[str, Any]], *, ttft: float | None = 100.0, latency: float = 1_000.0) -> Exchange:
    attempt = Attempt(started_ns=0, latency_ms=latency, ttft_ms=ttft, status=200)
    return Exchange(attempts=(attempt,), events=tuple(events))


def delta(**said: str) -> dict[str, Any]:
    return {"choices": [{"delta": said}]}


SAID = [delta(role="assistant", content=""), delta(content="a b c"), delta(content="d")]
THOUGHT = [delta(reasoning_content="hm"), *SAID]


@pytest.mark.parametrize(
    ("events", "call", "gap"),
    [
        (SAID, Call(output_tokens=10), 100.0),  # 900 ms between 10 tokens, although they came as 2 events
        (SAID, Call(output_tokens=30, reasoning_tokens=20), 100.0),  # reasoning that did not come is over before
        (THOUGHT, Call(output_tokens=10, reasoning_tokens=5), 100.0),  # reasoning that came is part of it
        (SAID, Call(output_tokens=1), None),
        (SAID[:2], Call(output_tokens=10), None),  # all at once
        (SAID, Call(output_tokens=10, usage="estimated"), None),
        (SAID, Call(usage="missing"), None),
        ([], Call(output_tokens=10), None),
    ],
)
def test_the_gap_between_tokens(events: list[dict[str, Any]], call: Call, gap: float | None) -> None:
    assert inter_token_ms(exchange(events), call, "openai-chat") == gap
    assert inter_token_ms(exchange(events, ttft=None), call, "openai-chat") is None


def test_reasoning_that_is_streamed_as_a_summary_leaves_no_gap() -> None:
    thinking = {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}}
    said = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}
    assert inter_token_ms(exchange([thinking, said, said]), Call(output_tokens=10), "anthropic-messages") is None
    assert inter_token_ms(exchange([said, said]), Call(output_tokens=10), "anthropic-messages") == 100.0


def test_a_spread() -> None:
    found = spread([*map(float, range(1, 101)), None])
    assert (found.count, found.mean, found.p50, found.p90, found.p99) == (100, 50.5, 50.0, 90.0, 99.0)
    assert found.sd == pytest.approx(29.011, abs=0.001)


@pytest.mark.parametrize(
    ("count", "shown"), [(0, ""), (1, ""), (2, "50"), (9, "50"), (10, "50 90"), (99, "50 90"), (100, "50 90 99")]
)
def test_a_percentile_needs_answers(count: int, shown: str) -> None:
    found = spread([5.0] * count)
    figures = {"50": found.p50, "90": found.p90, "99": found.p99}
    assert " ".join(name for name, figure in figures.items() if figure is not None) == shown
    assert (found.mean is None) is (count == 0)
    assert (found.sd is None) is (count < 2)
