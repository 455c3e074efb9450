"""The client against another project's simulation of the vendors."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from llmock.ratelimit import LimitSettings
from llmock.scenarios import Fail, Reply, SlowFirstToken, StreamFault, ToolCall
from llmock.testing import LLMockServer
from llmock.verdict import judge

from llmmigrate.endpoints.client import Client, Retries
from llmmigrate.endpoints.exchange import Endpoint, Exchange, Failure, Timeouts
from llmmigrate.units import Dialect

BODY: dict[str, Any] = {"max_tokens": 50, "messages": [{"role": "user", "content": "Name a colour."}]}
VENDORS: tuple[tuple[str, Dialect, str], ...] = (
    ("openai", "openai-chat", "gpt-4o"),
    ("anthropic", "anthropic-messages", "claude-sonnet-4-5"),
)
EACH = pytest.mark.parametrize(("vendor", "dialect", "model"), VENDORS)


@pytest.fixture(scope="module")
def running() -> Iterator[LLMockServer]:
    with LLMockServer() as server:
        yield server


@pytest.fixture
def server(running: LLMockServer) -> Iterator[LLMockServer]:
    yield running
    running.state.reset()


def ask(server: LLMockServer, vendor: str, dialect: Dialect, model: str, *bodies: dict[str, Any]) -> list[Exchange]:
    """Sends all bodies at once, or the usual one."""

    async def work() -> list[Exchange]:
        endpoint = Endpoint(
            provider=vendor,
            model=model,
            base_url=server.base_url(vendor),
            dialect=dialect,
            key="test",
            timeouts=Timeouts(first_token=10, read=1.5),
        )
        async with Client(endpoint, retries=Retries(base=0.01)) as client:
            return list(await asyncio.gather(*(client.send(body) for body in bodies or (BODY,))))

    return asyncio.run(work())


@EACH
def test_a_streamed_answer(server: LLMockServer, vendor: str, dialect: Dialect, model: str) -> None:
    server.state.scenarios.add(Reply("Blue as the sea."))
    [exchange] = ask(server, vendor, dialect, model)
    assert exchange.failure is None, exchange.detail
    assert "sea" in repr(exchange.events)
    assert any("usage" in event for event in exchange.events)


@EACH
def test_the_first_token(server: LLMockServer, vendor: str, dialect: Dialect, model: str) -> None:
    server.state.scenarios.add(SlowFirstToken(0.3))
    [exchange] = ask(server, vendor, dialect, model)
    assert (exchange.attempts[0].ttft_ms or 0) >= 300


@EACH
def test_a_tool_call_is_an_answer(server: LLMockServer, vendor: str, dialect: Dialect, model: str) -> None:
    server.state.scenarios.add(Reply(tool_calls=(ToolCall("colour", {"name": "blue"}),)))
    [exchange] = ask(server, vendor, dialect, model)
    assert exchange.failure is None, exchange.detail


@EACH
@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("disconnect", "truncated_stream"),
        ("truncate", "truncated_stream"),
        ("malformed", "malformed"),
        ("stall", "timeout_read"),
    ],
)
def test_a_broken_stream(
    server: LLMockServer, vendor: str, dialect: Dialect, model: str, kind: Any, failure: Failure
) -> None:
    after = 4  # Anthropic's stream has three events before its first word
    server.state.scenarios.add(Reply("one two three four five"), StreamFault(kind, after_chunks=after, stall_seconds=4))
    [exchange] = ask(server, vendor, dialect, model)
    assert exchange.first_failure == failure


@EACH
def test_errors_that_pass(server: LLMockServer, vendor: str, dialect: Dialect, model: str) -> None:
    server.state.scenarios.add(Fail(429, retry_after=0.2), Fail(500), Fail(503))
    [exchange] = ask(server, vendor, dialect, model)
    assert [attempt.failure for attempt in exchange.attempts] == ["rate_limit", "server", "server", None]
    assert exchange.attempts[0].retry_after is not None


@EACH
def test_errors_that_stay(server: LLMockServer, vendor: str, dialect: Dialect, model: str) -> None:
    for status, failure in ((401, "auth"), (400, "bad_request")):
        server.state.scenarios.add(Fail(status))
        [exchange] = ask(server, vendor, dialect, model)
        assert exchange.failure == failure
        assert len(exchange.attempts) == 1


@EACH
def test_a_prompt_that_is_too_long(server: LLMockServer, vendor: str, dialect: Dialect, model: str) -> None:
    long = {**BODY, "messages": [{"role": "user", "content": "word " * 500}]}
    server.state.limiter.configure(LimitSettings(context_window=10))
    try:
        [exchange] = ask(server, vendor, dialect, model, long)
    finally:
        server.state.limiter.configure(LimitSettings())
    assert exchange.failure == "context_length", exchange.detail


def test_its_own_judgement_of_our_retries(server: LLMockServer) -> None:
    """Waits as asked, backs off, does not give up early, does not repeat what cannot succeed."""
    server.state.scenarios.add(Fail(429, retry_after=0.3), Fail(503), Fail(400), Fail(500))
    exchanges = ask(server, *VENDORS[0], *({**BODY, "max_tokens": 50 + number} for number in range(8)))
    assert sorted(exchange.failure or "" for exchange in exchanges) == [""] * 7 + ["bad_request"]
    judged = judge(server.state.journal.records())
    assert judged.faults == 4
    judged.assert_ok(strict=True)
