"""A real engine on both sides: `transformers serve` with a tiny GLM-5 (tests/serving/tiny_glm5.py), on the processor.

What it does otherwise than the servers that imitate one: no `data: [DONE]`, the usage in the event that also says why
the model stopped, several tokens in one event, an empty list of models, error objects of its own.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import Outcome
from tests.serving.launched import NEEDS_ENGINE, write_tiny_glm5
from tests.shadow.make_log import write_short_prompts
from tests.shadow.programs import free_port, running

from llmmigrate.endpoints.client import Client, Retries
from llmmigrate.endpoints.exchange import Endpoint, Exchange
from llmmigrate.shadow.answers import answer_of, body_of, call_of, tokens_of

pytestmark = NEEDS_ENGINE
Run = Callable[..., Outcome]
MODEL = "tiny-glm5"
PAIRS = 20


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the engine. One thread: several would wait for each other's turns on so small a model."""
    folder = tmp_path_factory.mktemp("engine")
    write_tiny_glm5(folder / MODEL)
    (folder / "hf" / "hub").mkdir(parents=True)
    port = free_port()
    program = str(Path(sys.executable).with_name("transformers"))
    arguments = (program, "serve", MODEL, "--device", "cpu", "--host", "127.0.0.1", "--port", str(port))
    environment = {
        "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE",
    }  # fmt: skip
    with running(arguments, folder=folder, health=f"http://127.0.0.1:{port}/health", environment=environment):
        yield f"http://127.0.0.1:{port}/v1"


def ask(base_url: str, body: dict[str, Any], *, stream: bool, model: str = MODEL) -> Exchange:
    async def work() -> Exchange:
        endpoint = Endpoint(provider="local", model=model, base_url=base_url, dialect="openai-chat")
        async with Client(endpoint, retries=Retries(attempts=1)) as client:
            return await client.send({"messages": [{"role": "user", "content": "a"}], **body}, stream=stream)

    return asyncio.run(work())


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("tokens", [1, 6])
def test_an_answer(engine: str, stream: bool, tokens: int) -> None:
    exchange = ask(engine, {"max_tokens": tokens}, stream=stream)
    assert exchange.failure is None, exchange.detail
    body = body_of(exchange)
    assert body is not None
    call = call_of(body, exchange, prompt_bytes=100)
    usage = tokens_of(call)
    assert usage is not None
    assert (usage.estimated, usage.output) == (False, tokens)
    assert answer_of(call, body).finish_reason == "length"
    ttft = exchange.attempts[0].ttft_ms
    assert (ttft is not None and 0 < ttft <= exchange.attempts[0].latency_ms) if stream else ttft is None


def test_both_ways_say_the_same(engine: str) -> None:
    texts = []
    for stream in (True, False):
        exchange = ask(engine, {"max_tokens": 6}, stream=stream)
        body = body_of(exchange)
        assert body is not None
        texts.append(answer_of(call_of(body, exchange, prompt_bytes=1)).text)
    assert texts[0] == texts[1] != ""


def test_its_streams_are_as_we_say(engine: str) -> None:
    """Otherwise the tests above no longer show what they are for."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "a"}], "max_tokens": 6, "stream": True}
    lines = httpx.post(f"{engine}/chat/completions", json=body, timeout=60).text.split()
    assert "[DONE]" not in lines
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert [bool(event.get("usage")) for event in events] == [False] * (len(events) - 1) + [True]
    assert events[-1]["choices"][0]["finish_reason"] == "length"
    assert len(events) - 2 < 6, "several tokens come in one event"


def test_a_field_that_it_does_not_know_is_named(engine: str) -> None:
    exchange = ask(engine, {"frobnicate": 1}, stream=True)
    assert exchange.failure == "unsupported_parameter"
    assert "frobnicate" in (exchange.detail or "")


def test_another_model_is_not_found(engine: str) -> None:
    exchange = ask(engine, {}, stream=True, model="glm-5")
    assert exchange.failure == "not_found"
    assert MODEL in (exchange.detail or "")


def write_settings(folder: Path, engine: str, target: str = MODEL) -> None:
    write_short_prompts(folder / "logs.jsonl", PAIRS, model=MODEL, tokens=6)
    here = f'base_url: "{engine}", dialect: openai-chat, price: zero, concurrency: 1'
    (folder / "llmmigrate.yaml").write_text(f"""\
version: 1
logs: [logs.jsonl]
from: {{provider: here, model: {MODEL}}}
to: {{provider: there, model: {target}}}
providers:
  here: {{{here}}}
  there: {{{here}}}
""")


def test_an_engine_agrees_with_itself(
    llmmigrate: Run, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_settings(tmp_path, engine)
    found = llmmigrate("shadow", "--canary", "100%", "--yes", "--cost-sample", "0")
    assert found.code == 3, found.out + found.err
    [path] = Path(".llmmigrate/runs").glob("*/verdict.json")
    result = json.loads(path.read_text())
    assert (result["verdict"], result["pairs"], result["failures"]) == ("INCONCLUSIVE", PAIRS, [])
    current, target = result["current"], result["target"]
    assert target["answers"] == PAIRS
    assert target["output_tokens"] == 6 * PAIRS
    assert target["input_tokens"] == 6 * PAIRS, "the template adds five tokens to a prompt of one"
    assert target["usage_missing"] == current["usage_missing"] == 0
    assert target["ttft_ms"]["p50"] > 0
    means = {measure["name"]: measure for measure in result["measures"]}
    assert means["exact_match"]["target"] == means["exact_match"]["repeat"] == 1.0, "it takes the likeliest token"
    assert means["exact_match"]["unrelated"] < 1.0


def test_a_model_that_it_does_not_serve_stops_the_run(
    llmmigrate: Run, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_settings(tmp_path, engine, target="glm-5-air")
    found = llmmigrate("shadow", "--canary", "100%", "--yes", "--cost-sample", "0")
    assert found.code == 2
    assert "there/glm-5-air is not served" in found.err
