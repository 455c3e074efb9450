from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.costing.audit.requests import Body, ResponseFormat, canonical_json, dialect_of, features_of

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CHAT: Body = {
    "model": "o3",
    "messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"},
                                     {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                                     {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
                                     {"type": "file", "file": {"file_id": "f1"}}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {
            "name": "weather", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ],
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA, "strict": True}}],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "w", "schema": SCHEMA, "strict": True}},
    "stream": True, "stream_options": {"include_usage": True},
    "n": 2, "seed": 7, "stop": "END", "logprobs": True, "reasoning_effort": "low",
    "temperature": 0.5, "top_p": 0.9, "max_completion_tokens": 100, "metadata": {"team": "a"},
}  # fmt: skip
RESPONSES: Body = {
    "model": "o3",
    "instructions": "Be brief.",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "What is this?"},
                                     {"type": "input_image", "image_url": "https://example.org/a.png"}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        {"role": "developer", "content": "In German."},
    ],
    "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}, {"type": "web_search"}],
    "text": {"format": {"type": "json_schema", "name": "w", "schema": SCHEMA, "strict": True}},
    "reasoning": {"effort": "high"}, "max_output_tokens": 100, "previous_response_id": "resp_1",
}  # fmt: skip
ANTHROPIC: Body = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "Be brief."}],
    "messages": [
        {"role": "user", "content": "What is this?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}]}]},
    ],
    "tools": [{"name": "weather", "input_schema": SCHEMA}, {"type": "web_search_20250305", "name": "web_search"}],
    "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    "stop_sequences": ["END"], "thinking": {"type": "enabled", "budget_tokens": 1024},
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "dialect"),
    [(CHAT, "openai-chat"), (RESPONSES, "openai-responses"), (ANTHROPIC, "anthropic-messages"),
     ({"messages": [{"role": "user", "content": "Hi"}]}, "openai-chat"),
     ({"model": "o3", "input": "Hi"}, "openai-responses"),
     ({"prompt": "Hi"}, None), ({"contents": [{"parts": []}]}, None), ({}, None)],
)  # fmt: skip
def test_dialects_are_told_apart(body: Body, dialect: str | None) -> None:
    assert dialect_of(body) == dialect


def test_everything_that_a_chat_request_asks_for_is_found() -> None:
    found = features_of(CHAT, "openai-chat")
    assert (found.system, found.turns, found.images, found.audio, found.files) == ("Be brief.", 3, 1, 1, 1)
    assert (found.tools, found.strict_tools, found.tool_turns) == ({"weather": SCHEMA}, True, 2)
    assert (found.tool_choice, found.parallel_tools) == ("weather", False)
    assert found.response_format == ResponseFormat(kind="json_schema", schema=SCHEMA, name="w", strict=True)
    assert (found.stream, found.stream_usage, found.n, found.seed, found.stop) == (True, True, 2, 7, ("END",))
    assert (found.logprobs, found.reasoning_effort, found.max_output_tokens) == (True, "low", 100)
    assert (found.temperature, found.top_p, found.metadata, found.late_system) == (0.5, 0.9, True, False)


def test_everything_that_a_responses_request_asks_for_is_found() -> None:
    found = features_of(RESPONSES, "openai-responses")
    assert (found.system, found.late_system, found.turns) == ("Be brief.\n\nIn German.", True, 3)
    assert (found.images, found.tools, found.tool_turns) == (1, {"weather": SCHEMA}, 2)
    assert found.hosted_tools == ("web_search",)
    assert found.response_format == ResponseFormat(kind="json_schema", schema=SCHEMA, name="w", strict=True)
    assert (found.reasoning_effort, found.max_output_tokens, found.stored_history) == ("high", 100, True)


def test_everything_that_an_anthropic_request_asks_for_is_found() -> None:
    found = features_of(ANTHROPIC, "anthropic-messages")
    assert (found.system, found.turns, found.images, found.tool_turns) == ("Be brief.", 3, 1, 2)
    assert (found.tools, found.hosted_tools) == ({"weather": SCHEMA}, ("web_search_20250305",))
    assert (found.tool_choice, found.parallel_tools, found.stop) == ("required", False, ("END",))
    assert (found.reasoning, found.reasoning_budget, found.max_output_tokens) == (True, 1024, 100)


def test_equal_bodies_have_equal_bytes() -> None:
    assert canonical_json({"b": 1, "a": {"d": 2, "c": 3}}) == canonical_json({"a": {"c": 3, "d": 2}, "b": 1})
    assert canonical_json({"a": 1}) != canonical_json({"a": 1.0})
    assert canonical_json({"a": "\ud800", "b": 10**40})  # half a surrogate pair, and 41 digits, as logs hold them


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = sorted({*CHAT, *RESPONSES, *ANTHROPIC, "functions", "function_call", "modalities", "output_config"})


@given(st.dictionaries(st.sampled_from(KEYS), JSON | st.sampled_from([CHAT["messages"], RESPONSES["input"]])))
def test_odd_bodies_never_crash(body: Body) -> None:
    dialect_of(body)
    canonical_json(body)
    assert features_of(body, "openai-chat").dialect == "openai-chat"
    assert features_of(body, "openai-responses").turns >= 0
    assert features_of(body, "anthropic-messages").images >= 0
