"""Prompts and replies: left out unless asked for; headers and keys always."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmmigrate.logs import formats
from llmmigrate.usage.call import Call

CASES = Path(__file__).resolve().parent.parent / "cases"


def read(record: dict[str, Any], *, keep_text: bool = True) -> Call:
    found = formats.detect(record)
    assert found is not None
    call = next(iter(found.read(record, keep_text=keep_text)))
    assert isinstance(call, Call)
    return call


def case(name: str, line: int = 0) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((CASES / name / "in.jsonl").read_text(encoding="utf-8").splitlines()[line])
    return record


FLAT = {"timestamp": "2026-01-15T10:00:00Z", "model": "gpt-4o", "input_tokens": 1, "output_tokens": 1}
ASKED = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("record", "asked", "reply"),
    [
        ({**FLAT, "prompt": "Hi", "response": "Hello"}, {"messages": ASKED}, "Hello"),
        ({**FLAT, "messages": ASKED, "completion": "Hello"}, {"messages": ASKED}, "Hello"),
        (case("openai_chat"), None, "Yes."),
        (case("openai_responses"), None, "Done."),
        (case("anthropic_messages"), None, "Hello."),
        (case("gemini"), None, "Yes."),
        (case("litellm_standard"), {"messages": ASKED}, "Hello"),
        (case("langfuse"), {"messages": ASKED}, "Hello"),
        (case("http_capture", 1), {"model": "gpt-4.1-mini"}, "Hi"),
        (case("http_capture", 3), {"model": "claude-sonnet-4-5"}, "Hey"),
    ],
)
def test_text_is_kept_when_asked_for(record: dict[str, Any], asked: dict[str, Any] | None, reply: str) -> None:
    call = read(record)
    assert (asked, reply) == (call.request, call.reply)


@pytest.mark.parametrize("record", [{**FLAT, "prompt": "Hi"}, case("openai_chat"), case("http_capture")])
def test_text_is_left_out_by_default(record: dict[str, Any]) -> None:
    call = read(record, keep_text=False)
    assert (None, None, None) == (call.request, call.reply, call.tool_calls)


def test_messages_of_a_span_are_put_together_from_their_attributes() -> None:
    told = {
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.prompt.1.content": "And then?",
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0.content": "Hi",
        "gen_ai.completion.0.content": "Hello",
    }
    listed = [{"key": key, "value": {"stringValue": value}} for key, value in told.items()]
    call = read({"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": listed}]}]}]})
    assert ({"messages": [*ASKED, {"content": "And then?"}]}, "Hello") == (call.request, call.reply)


def test_tool_calls_of_a_stream_are_put_together_from_their_pieces() -> None:
    pieces = [
        [{"index": 0, "id": "call_1", "function": {"name": "look_up", "arguments": ""}}],
        [{"index": 0, "function": {"arguments": '{"a":'}}],
        [{"index": 0, "function": {"arguments": "1}"}}],
    ]
    chunks = [{"id": "c", "model": "m", "choices": [{"delta": {"tool_calls": piece}}]} for piece in pieces]
    stream = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    call = read({"request": {"model": "m"}, "response_sse": stream})
    expected = {"type": "function", "function": {"name": "look_up", "arguments": '{"a":1}'}, "id": "call_1"}
    assert [expected] == call.tool_calls


@pytest.mark.parametrize("keep_text", [False, True])
def test_headers_and_keys_never_survive(keep_text: bool) -> None:
    secret = "sk-EXAMPLE-not-a-real-key-0000000000"
    record = {
        **FLAT,
        "api_key": secret,
        "auth": secret,
        "note": secret,
        "request": {"headers": {"Authorization": f"Bearer {secret}"}, "api_key": secret, "messages": ASKED},
    }
    call = read(record, keep_text=keep_text)
    assert secret not in repr(call)


def test_a_key_in_a_url_never_survives() -> None:
    record = {"url": "https://x.googleapis.com/v1/models/g:generateContent?key=AIza1", "request": {}, "response": {}}
    assert "AIza1" not in repr(read(record))
