"""The transport inside the real SDKs, which use httpx2, and inside httpx itself."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from llmock.scenarios import Fail
from llmock.testing import LLMockServer

from llmmigrate.recording import Transport

QUESTION: Any = [{"role": "user", "content": "Name a colour."}]

KEY = {"Authorization": "Bearer k"}


@pytest.fixture(scope="module")
def vendors() -> Iterator[LLMockServer]:
    with LLMockServer() as server:
        yield server


def recording(path: Path, **options: Any) -> Any:
    """A transport, which the libraries take for one of theirs."""
    return Transport(path, **options)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_two_lines_record_openai(vendors: LLMockServer, tmp_path: Path) -> None:
    transport: Any = Transport(tmp_path / "calls.jsonl")
    client = openai.OpenAI(
        api_key="k",
        base_url=vendors.base_url("openai"),
        http_client=httpx2.Client(transport=transport),
        max_retries=0,
    )
    whole = client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)
    events = client.chat.completions.create(
        model="gpt-4o-mini", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    usages = [event.usage for event in events if event.usage is not None]
    client.close()
    first, second = records(tmp_path / "calls.jsonl")
    assert whole.usage is not None
    assert (first["input_tokens"], first["output_tokens"]) == (whole.usage.prompt_tokens, whole.usage.completion_tokens)
    assert (second["input_tokens"], second["output_tokens"]) == (usages[0].prompt_tokens, usages[0].completion_tokens)
    assert "error" not in second


def test_two_lines_record_anthropic_in_both_manners(vendors: LLMockServer, tmp_path: Path) -> None:
    path, base = tmp_path / "calls.jsonl", vendors.base_url("anthropic")
    client = anthropic.Anthropic(
        api_key="k",
        base_url=base,
        http_client=httpx2.Client(transport=recording(path)),
        max_retries=0,
    )
    with client.messages.stream(model="claude-sonnet-5", max_tokens=50, messages=QUESTION) as stream:
        final = stream.get_final_message()
    client.close()

    async def ask() -> None:
        http = httpx2.AsyncClient(transport=recording(path))
        async with anthropic.AsyncAnthropic(api_key="k", base_url=base, http_client=http, max_retries=0) as waiting:
            await waiting.messages.create(model="claude-sonnet-5", max_tokens=50, messages=QUESTION)
            async with waiting.messages.stream(model="claude-sonnet-5", max_tokens=50, messages=QUESTION) as events:
                await events.get_final_message()

    asyncio.run(ask())
    found = records(path)
    assert len(found) == 3
    assert {record["output_tokens"] for record in found} == {final.usage.output_tokens}
    assert ["ttft_ms" in record for record in found] == [True, False, True]


def test_a_failure_is_recorded_as_one(vendors: LLMockServer, tmp_path: Path) -> None:
    vendors.state.scenarios.add(Fail(429))
    transport: Any = Transport(tmp_path / "calls.jsonl")
    client = openai.OpenAI(
        api_key="k",
        base_url=vendors.base_url("openai"),
        http_client=httpx2.Client(transport=transport),
        max_retries=0,
    )
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)
    client.close()
    (found,) = records(tmp_path / "calls.jsonl")
    assert (found["model"], found["input_tokens"]) == ("gpt-4o-mini", None)
    assert found["error"] in ("429", "rate_limit")


def test_httpx_works_as_well_and_a_dead_server_is_told(vendors: LLMockServer, tmp_path: Path) -> None:
    body = {"model": "gpt-4o-mini", "messages": QUESTION}
    transport: Any = Transport(tmp_path / "calls.jsonl")
    with httpx.Client(transport=transport) as client:
        url = f"{vendors.base_url('openai')}/chat/completions"
        assert client.post(url, json=body, headers=KEY).status_code == 200
        with pytest.raises(httpx.ConnectError):
            client.post("http://127.0.0.1:9/v1/chat/completions", json=body)
    assert [record.get("error") for record in records(tmp_path / "calls.jsonl")] == [None, "upstream_unreachable"]


def test_an_answer_left_half_read_is_said(vendors: LLMockServer, tmp_path: Path) -> None:
    body = {"model": "gpt-4o-mini", "messages": QUESTION, "stream": True}
    url = f"{vendors.base_url('openai')}/chat/completions"
    transport: Any = Transport(tmp_path / "calls.jsonl")
    with httpx.Client(transport=transport) as client, client.stream("POST", url, json=body, headers=KEY) as answer:
        next(answer.iter_raw(20))
    (found,) = records(tmp_path / "calls.jsonl")
    assert found["error"] == "client_closed"


SECRET: Any = [{"role": "user", "content": "Write to jo@example.org with the key sk-1234567890abcdefghijkl, help!"}]


def asked_both(vendors: LLMockServer, path: Path, **options: Any) -> list[dict[str, Any]]:
    """The records of the question with a secret, asked through both SDKs."""
    openai_http = httpx2.Client(transport=recording(path, **options))
    with openai.OpenAI(api_key="k", base_url=vendors.base_url("openai"), http_client=openai_http) as one:
        one.chat.completions.create(model="gpt-4o-mini", messages=SECRET)
    anthropic_http = httpx2.Client(transport=recording(path, **options))
    with anthropic.Anthropic(api_key="k", base_url=vendors.base_url("anthropic"), http_client=anthropic_http) as other:
        other.messages.create(model="claude-sonnet-5", max_tokens=50, messages=SECRET)
    return records(path)


def test_kept_text_is_redacted_as_record_redacts_it(vendors: LLMockServer, tmp_path: Path) -> None:
    found = asked_both(vendors, tmp_path / "calls.jsonl", keep_text=True)
    assert ["help!" in json.dumps(record["request"]) for record in found] == [True, True]
    text = (tmp_path / "calls.jsonl").read_text()
    assert ["jo@example.org" in text, "sk-1234567890" in text, "[email]" in text] == [False, False, True]


def test_text_is_kept_as_it_is_only_where_that_is_asked_for(vendors: LLMockServer, tmp_path: Path) -> None:
    found = asked_both(vendors, tmp_path / "calls.jsonl", keep_text=True, clean=None)
    assert ["jo@example.org" in json.dumps(record["request"]) for record in found] == [True, True]


def test_without_asking_no_text_is_kept(vendors: LLMockServer, tmp_path: Path) -> None:
    found = asked_both(vendors, tmp_path / "calls.jsonl")
    assert [record.keys() & {"request", "response", "tool_calls"} for record in found] == [set(), set()]
