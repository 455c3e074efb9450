"""Where `record` sends what comes in: to the very URLs that the SDKs would have called without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from tests.endpoints.fault_server import FaultServer

from llmmigrate.recording import Recorder
from llmmigrate.recording.passing import Upstreams, base_urls, passing

QUESTION: Any = [{"role": "user", "content": "hi"}]


@contextmanager
def recording(upstreams: Upstreams, output: Path) -> Iterator[dict[str, str]]:
    """The base URLs that a command gets from a pass-through."""
    recorder = Recorder(output)
    try:
        with passing(("127.0.0.1", 0), upstreams, recorder) as server:
            yield base_urls(server, {})
    finally:
        recorder.close()


def ask_openai(base: str) -> None:
    with openai.OpenAI(api_key="k", base_url=base, max_retries=0, http_client=httpx2.Client()) as client:
        client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)
        client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, extra_query={"api-version": "1"})


def ask_anthropic(base: str) -> None:
    with anthropic.Anthropic(api_key="k", base_url=base, max_retries=0, http_client=httpx2.Client()) as client:
        client.messages.create(model="claude-sonnet-5", max_tokens=50, messages=QUESTION)


BASES = ["", "/", "/v1", "/v1/", "/paas/v4", "/v1beta/openai/", "/openai/deployments/x", "/anthropic", "/a//"]


@pytest.mark.parametrize("base", BASES)
def test_the_url_is_the_one_that_the_sdk_would_have_called_itself(base: str, tmp_path: Path) -> None:
    with FaultServer() as vendor:
        url = vendor.base_url.removesuffix("/v1") + base
        ask_openai(url)
        ask_anthropic(url)
        with recording(Upstreams(url, url), tmp_path / "run.jsonl") as told:
            ask_openai(told["OPENAI_BASE_URL"])
            ask_anthropic(told["ANTHROPIC_BASE_URL"])
        paths = [asked.path for asked in vendor.requests]
    assert len(paths) == 6
    assert paths[3:] == paths[:3]


def test_anthropic_s_other_paths_do_not_go_to_openai(tmp_path: Path) -> None:
    """A list of models has the same path at both; an Anthropic key must not go to the other vendor."""
    with FaultServer(models=("gpt",)) as one, FaultServer(models=("claude",)) as other:
        upstreams = Upstreams(one.base_url, other.base_url.removesuffix("/v1"))
        with recording(upstreams, tmp_path / "run.jsonl") as told:
            http = [httpx2.Client(), httpx2.Client()]
            with openai.OpenAI(api_key="k", base_url=told["OPENAI_BASE_URL"], http_client=http[0]) as first:
                assert [model.id for model in first.models.list().data] == ["gpt"]
            with anthropic.Anthropic(api_key="k", base_url=told["ANTHROPIC_BASE_URL"], http_client=http[1]) as second:
                assert [model.id for model in second.models.list().data] == ["claude"]
        assert (one.connections, other.connections) == (1, 1)


@pytest.mark.parametrize(
    ("upstream", "chat", "messages"),
    [
        ("http://a.example:4000", "http://a.example:4000/v1/chat/completions", "http://a.example:4000/v1/messages"),
        ("http://a.example/", "http://a.example/v1/chat/completions", "http://a.example/v1/messages"),
        ("http://a.example/v1", "http://a.example/v1/chat/completions", "http://a.example/v1/messages"),
        ("http://a.example/v1/", "http://a.example/v1/chat/completions", "http://a.example/v1/messages"),
        ("https://a.example/x", "https://a.example/x/chat/completions", "https://a.example/x/v1/messages"),
        ("https://a.example/b/v4", "https://a.example/b/v4/chat/completions", "https://a.example/b/v1/messages"),
    ],
)
def test_where_one_server_for_both_is_asked(upstream: str, chat: str, messages: str) -> None:
    upstreams = Upstreams.at(upstream)
    assert upstreams.url("/v1/chat/completions") == chat
    assert upstreams.url("/v1/messages") == messages
