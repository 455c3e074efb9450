from typing import Any

import pytest

from llmmigrate.endpoints.exchange import Attempt, Exchange
from llmmigrate.shadow.answers import answer_of, body_of, call_of, tokens_of
from llmmigrate.shadow.pairs import Answer, Tokens, ToolCall

SENT = Attempt(started_ns=1_764_000_000_000_000_000, latency_ms=12.0)

CHAT: dict[str, Any] = {
    "object": "chat.completion",
    "model": "m",
    "choices": [
        {
            "message": {
                "content": "Hello",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}},
}
CHAT_EVENTS = (
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}], "model": "m"},
    {"choices": [{"index": 0, "delta": {"content": "Hel"}}]},
    {"choices": [{"index": 0, "delta": {"content": "lo"}}]},
    {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a"'}}]}}]},
    {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}, "finish_reason": None}]},
    {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
    {"choices": [], "usage": CHAT["usage"]},
)
ANTHROPIC: dict[str, Any] = {
    "type": "message",
    "model": "m",
    "content": [{"type": "text", "text": "Hello"}, {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 4},
}
ANTHROPIC_EVENTS = (
    {
        "type": "message_start",
        "message": {**ANTHROPIC, "content": [], "usage": {**ANTHROPIC["usage"], "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "c", "name": "f", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a"'}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ":1}"}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
)
RESPONSES: dict[str, Any] = {
    "object": "response",
    "model": "m",
    "status": "completed",
    "output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]},
        {"type": "function_call", "name": "f", "arguments": '{"a":1}', "call_id": "c"},
    ],
    "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 3}, "output_tokens": 4},
}
RESPONSES_EVENTS = ({"type": "response.created", "response": {}}, {"type": "response.completed", "response": RESPONSES})


def read(exchange: Exchange) -> tuple[Answer, Tokens | None]:
    body = body_of(exchange)
    assert body is not None
    call = call_of(body, exchange, prompt_bytes=400)
    return answer_of(call, body), tokens_of(call)


@pytest.mark.parametrize("body", [CHAT, ANTHROPIC, RESPONSES], ids=["chat", "anthropic", "responses"])
def test_an_answer_in_one_piece(body: dict[str, Any]) -> None:
    answer, tokens = read(Exchange(attempts=(SENT,), body=body))
    assert answer.text == "Hello"
    assert answer.tool_calls == (ToolCall(name="f", arguments='{"a":1}'),)
    assert tokens == Tokens(input=10, output=4, cached_input=3)


@pytest.mark.parametrize(
    "events", [CHAT_EVENTS, ANTHROPIC_EVENTS, RESPONSES_EVENTS], ids=["chat", "anthropic", "responses"]
)
def test_a_stream_says_the_same_as_the_answer_in_one_piece(events: tuple[dict[str, Any], ...]) -> None:
    answer, tokens = read(Exchange(attempts=(SENT,), events=events))
    assert answer.text == "Hello"
    assert answer.tool_calls == (ToolCall(name="f", arguments='{"a":1}'),)
    assert tokens == Tokens(input=10, output=4, cached_input=3)


def test_usage_that_is_missing_is_estimated_and_marked() -> None:
    body = {**CHAT, "usage": None}
    _, tokens = read(Exchange(attempts=(SENT,), body=body))
    assert tokens is not None
    assert tokens.estimated
    assert tokens.input == 100
    assert tokens.output > 0


def test_a_failed_exchange_has_no_answer() -> None:
    assert body_of(Exchange(attempts=(SENT,), events=CHAT_EVENTS, failure="truncated_stream")) is None


@pytest.mark.parametrize(
    "body",
    [
        {
            "object": "chat.completion",
            "choices": [{"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}],
        },
        {"object": "response", "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]},
        {"type": "message", "content": [], "stop_reason": "refusal"},
        {"object": "chat.completion", "choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]},
    ],
)
def test_a_refusal_that_the_vendor_marks(body: dict[str, Any]) -> None:
    assert read(Exchange(attempts=(SENT,), body=body))[0].refused
    assert not read(Exchange(attempts=(SENT,), body=CHAT))[0].refused
