"""Streams of OpenAI's Responses API, asked for by the real SDK through the pass-through and through the transport."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from tests.endpoints.fault_server import USAGE, WORDS, FaultServer

from llmmigrate.recording import Recorder, Transport
from llmmigrate.recording.passing import Upstreams, passing

CACHED = 4


def heard(base: str, **options: Any) -> tuple[str, list[str]]:
    """What the SDK makes of a stream: its text and the kinds of its events."""
    with openai.OpenAI(api_key="k", base_url=base, max_retries=0, http_client=httpx2.Client(**options)) as client:
        events = list(client.responses.create(model="gpt-5", input="Name a colour.", stream=True))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    return text, [event.type for event in events]


def by_passing(base: str, output: Path) -> tuple[str, list[str]]:
    recorder = Recorder(output)
    try:
        with passing(("127.0.0.1", 0), Upstreams(base), recorder) as server:
            return heard(f"{server.base_url}/v1")
    finally:
        recorder.close()


def by_transport(base: str, output: Path) -> tuple[str, list[str]]:
    transport: Any = Transport(output)
    return heard(base, transport=transport)


Way = Callable[[str, Path], tuple[str, list[str]]]


@pytest.mark.parametrize("way", [by_passing, by_transport])
def test_a_stream_s_last_event_tells_the_usage(way: Way, tmp_path: Path) -> None:
    with FaultServer(f"partly_cached:{CACHED}") as vendor:
        text, kinds = way(vendor.base_url, tmp_path / "run.jsonl")
    assert text == "".join(WORDS)
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    (line,) = (tmp_path / "run.jsonl").read_text().splitlines()
    found = json.loads(line)
    prompt, reply, reasoning = USAGE
    told = [
        found[name] for name in ("model", "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
    ]
    assert told == ["gpt-5", prompt, CACHED, reply, reasoning]
    assert 0 < found["ttft_ms"] <= found["latency_ms"]
    assert "error" not in found


@pytest.mark.parametrize("way", [by_passing, by_transport])
def test_a_stream_that_breaks_off_has_no_usage_and_is_a_failure(way: Way, tmp_path: Path) -> None:
    with FaultServer("cut_mid_stream") as vendor, pytest.raises(openai.APIConnectionError):
        way(vendor.base_url, tmp_path / "run.jsonl")
    (line,) = (tmp_path / "run.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert (found["model"], found["input_tokens"], found["error"]) == ("gpt-5", None, "upstream_closed")


@pytest.mark.parametrize("length", [10, 20_000])
@pytest.mark.parametrize("end", ["response.completed", "response.output_text.delta"])
def test_a_client_that_leaves_off_after_the_last_event_is_no_failure(tmp_path: Path, length: int, end: str) -> None:
    """The last event holds the whole answer, however long it is."""
    transport: Any = Transport(tmp_path / "run.jsonl")
    body = {"model": "gpt-5", "input": "hi", "stream": True}
    with (
        FaultServer("hang_after_finish", words=("x" * length,)) as vendor,
        httpx2.Client(transport=transport) as client,
        client.stream("POST", f"{vendor.base_url}/responses", json=body) as answer,
    ):
        said = ""
        for piece in answer.iter_raw():
            said += piece.decode()
            if f'"{end}"' in said and said.endswith("\n\n"):
                break
    (line,) = (tmp_path / "run.jsonl").read_text().splitlines()
    found = json.loads(line)
    told = (None, USAGE[0]) if end == "response.completed" else ("client_closed", None)
    assert (found.get("error"), found["input_tokens"]) == told
