"""The dialects, found by their names."""

from typing import Any

import pytest
from tests.endpoints import fault_server
from tests.endpoints.fault_server import Asked

from llmmigrate import registry
from llmmigrate.endpoints import dialects
from llmmigrate.endpoints.dialects import Glimpse

PATHS = {"openai-chat": "/chat/completions", "openai-responses": "/responses", "anthropic-messages": "/v1/messages"}
ALL = pytest.mark.parametrize("name", sorted(PATHS))


def test_every_dialect_of_the_settings_is_there() -> None:
    assert registry.names("endpoints.dialects") == sorted(name.replace("-", "_") for name in PATHS)


def asked(name: str, words: tuple[str, ...] = ("a", "b")) -> Asked:
    return Asked(1, 0.0, PATHS[name], {}, {"stream": True, "stream_options": {"include_usage": True}}, words)


def glimpses(name: str, events: list[bytes]) -> list[Glimpse]:
    import msgspec

    from llmmigrate.endpoints.events import EventReader

    found = EventReader().feed(b"".join(events))
    decoded = (msgspec.json.decode(event) for event in found if event != b"[DONE]")
    return [dialects.named(name).of_event(event) for event in decoded]


@ALL
def test_a_stream_begins_with_its_content_and_not_before(name: str) -> None:
    assert not any(glimpse.begun for glimpse in glimpses(name, fault_server.opening(asked(name))))
    assert all(glimpse.begun and glimpse.visible for glimpse in glimpses(name, fault_server.content(asked(name))))


@ALL
def test_reasoning_begins_a_stream_and_is_nothing_to_use(name: str) -> None:
    thoughts = glimpses(name, fault_server.content(asked(name), reasoning=True))
    assert all(glimpse.begun and not glimpse.visible for glimpse in thoughts)


@ALL
def test_the_end_is_known(name: str) -> None:
    before = fault_server.opening(asked(name)) + fault_server.content(asked(name))
    assert not any(glimpse.finish or glimpse.over for glimpse in glimpses(name, before))
    assert any(glimpse.finish for glimpse in glimpses(name, fault_server.finish(asked(name))))


@ALL
def test_a_whole_answer(name: str) -> None:
    dialect = dialects.named(name)
    said = dialect.of_whole(fault_server.whole(asked(name)))
    assert said.visible
    assert said.finish
    assert not dialect.of_whole(fault_server.whole(asked(name, words=()))).visible
    assert dialect.of_whole({"ok": True}) == Glimpse()
    assert dialect.of_whole({"error": {"message": "no"}}).error is not None


TOOLS: dict[str, list[dict[str, Any]]] = {
    "openai-chat": [
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]}}]},
    ],
    "openai-responses": [
        {"type": "response.output_item.added", "item": {"type": "function_call", "name": "f", "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "delta": "{"},
    ],
    "anthropic-messages": [
        {"type": "content_block_start", "content_block": {"type": "tool_use", "name": "f", "input": {}}},
        {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{"}},
    ],
}


@ALL
def test_a_tool_call_is_an_answer(name: str) -> None:
    for event in TOOLS[name]:
        glimpse = dialects.named(name).of_event(event)
        assert glimpse.begun
        assert glimpse.visible


@ALL
@pytest.mark.parametrize(
    "event",
    [
        {},
        {"choices": None, "type": None},
        {"choices": [], "type": "content_block_delta", "delta": None},
        {"choices": [None, 3, "x"], "type": "content_block_start", "content_block": 7},
        {"choices": [{"delta": None}], "type": "response.output_item.added", "item": []},
        {"choices": [{"delta": []}], "type": "message_delta", "delta": [1]},
        {"choices": {"0": 1}, "type": ["x"]},
    ],
)
def test_odd_events_tell_nothing_and_break_nothing(name: str, event: dict[str, Any]) -> None:
    assert dialects.named(name).of_event(event) == Glimpse()


@ALL
@pytest.mark.parametrize("stream", [True, False])
def test_what_is_sent_is_what_was_logged_but_for_model_and_stream(name: str, stream: bool) -> None:
    logged = {
        "model": "o3",
        "temperature": 0.2,
        "messages": [{"role": "user", "content": "é"}],
        "stream": not stream,
        "stream_options": {"include_usage": False, "other": 1},
    }
    before = repr(logged)
    sent = dialects.named(name).prepare(logged, "glm-5", stream)
    assert sent["model"] == "glm-5"
    assert sent.get("stream", False) is stream
    assert (sent["temperature"], sent["messages"]) == (logged["temperature"], logged["messages"])
    assert repr(logged) == before


def test_the_usage_of_a_stream_is_asked_for() -> None:
    prepare = dialects.named("openai-chat").prepare
    assert prepare({"stream_options": {"other": 1}}, "m", True)["stream_options"] == {"other": 1, "include_usage": True}
    assert "stream_options" not in prepare({"stream_options": {"include_usage": True}}, "m", False)


def test_the_key_goes_where_the_dialect_wants_it() -> None:
    assert dialects.named("openai-chat").headers("k") == {"authorization": "Bearer k"}
    assert dialects.named("openai-responses").headers("k") == {"authorization": "Bearer k"}
    assert dialects.named("anthropic-messages").headers("k")["x-api-key"] == "k"
    assert not any("k" == value for name in PATHS for value in dialects.named(name).headers(None).values())


@pytest.mark.parametrize(
    ("base", "path", "address"),
    [
        ("https://api.openai.com/v1", "/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("https://api.anthropic.com", "/v1/messages", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1/", "/v1/messages", "https://api.anthropic.com/v1/messages"),
        ("https://api.z.ai/api/anthropic", "/v1/messages", "https://api.z.ai/api/anthropic/v1/messages"),
        ("https://api.z.ai/api/paas/v4/", "/chat/completions", "https://api.z.ai/api/paas/v4/chat/completions"),
    ],
)
def test_addresses(base: str, path: str, address: str) -> None:
    assert dialects.address(base, path) == address
