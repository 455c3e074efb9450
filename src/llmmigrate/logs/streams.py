"""Server-sent events, as captures hold them: the text of a stream → the answer object it amounts to."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from llmmigrate.logs.texts import choice_message, first_choice

CLOSING_EVENTS: Final = ("response.completed", "response.incomplete", "response.failed")
"""Events of the Responses API that carry the whole answer."""

_Object = dict[str, Any]
_NOT_FOLDED: Final = ("object", "choices")
"""Keys of an event that are put together in another way. Empty ones tell nothing: Azure opens with a row of them."""


def is_stream(text: str) -> bool:
    """Whether a body is a stream of server-sent events."""
    return text.lstrip()[:6].startswith(("data:", "event:", ": ", ":\n", "id:"))


def answer(text: str) -> _Object | None:
    """The answer that a stream's events amount to; None when no event is a known one."""
    return fold(list(_events(text)))


def _events(text: str) -> Iterator[_Object]:
    for line in text.split("\n"):
        if not line.startswith("data:"):
            continue
        try:
            event = msgspec.json.decode(line[5:].strip())
        except (msgspec.DecodeError, RecursionError):
            continue  # `[DONE]`, or the line that a broken connection cut
        if isinstance(event, dict):
            yield event


def fold(events: list[_Object]) -> _Object | None:
    """The answer that the events of one stream amount to, in the vendor's own shape."""
    for event in events:
        kind = event.get("type")
        if kind == "message_start":
            return _anthropic(events)
        if isinstance(kind, str) and kind.startswith("response."):
            return _responses(events)
        if "choices" in event:
            return _openai_chat(events)
        if "candidates" in event or "usageMetadata" in event:
            return _gemini(events)
        if "error" in event:
            return event
    return None


def _responses(events: list[_Object]) -> _Object | None:
    answers = [event["response"] for event in events if isinstance(event.get("response"), dict)]
    closing = [event["response"] for event in events if event.get("type") in CLOSING_EVENTS and "response" in event]
    found: list[_Object] = closing or answers
    return found[-1] if found else None


def _openai_chat(events: list[_Object]) -> _Object:
    folded: _Object = {"object": "chat.completion"}
    said: list[str] = []
    calls: list[Any] = []
    finish_reason = None
    for event in events:
        for key, value in event.items():
            if value and key not in _NOT_FOLDED:
                folded[key] = value
        choice = first_choice(event)
        delta = choice_message(choice)
        said.append(delta.get("content") or choice.get("text") or "")
        calls.extend(delta["tool_calls"] if isinstance(delta.get("tool_calls"), list) else [])
        finish_reason = choice.get("finish_reason") or finish_reason
    message = {"content": _text(said), "tool_calls": _tool_calls(calls)}
    folded["choices"] = [{"message": message, "finish_reason": finish_reason}]
    return folded


def _tool_calls(deltas: list[Any]) -> list[_Object]:
    """Tool calls put together from their deltas: name and id come first, the arguments in pieces."""
    calls: dict[Any, _Object] = {}
    for delta in deltas:
        function = delta.get("function") if isinstance(delta, dict) else None
        if not isinstance(function, dict):
            continue
        new = {"type": "function", "function": {"name": "", "arguments": ""}}
        call = calls.setdefault(str(delta.get("index")), new)
        if delta.get("id"):
            call["id"] = delta["id"]
        for key in ("name", "arguments"):
            call["function"][key] += _text([function.get(key)])
    return list(calls.values())


def _anthropic(events: list[_Object]) -> _Object:
    folded: _Object = {"type": "message", "content": []}
    for event in events:
        kind = event.get("type")
        if kind == "message_start" and isinstance(event.get("message"), dict):
            folded = {**event["message"], "content": []}
        elif kind == "content_block_start" and isinstance(event.get("content_block"), dict):
            folded["content"].append(dict(event["content_block"]))
        elif kind == "content_block_delta":
            _add_block_delta(folded["content"], event.get("delta"))
        elif kind == "message_delta":
            _add_message_delta(folded, event)
        elif kind == "error":
            folded["error"] = event.get("error") or "error"
    return folded


def _add_block_delta(blocks: list[_Object], delta: Any) -> None:
    if not blocks or not isinstance(delta, dict):
        return
    for key, target in (("text", "text"), ("partial_json", "partial_json")):
        if isinstance(delta.get(key), str):
            blocks[-1][target] = _text([blocks[-1].get(target), delta[key]])


def _add_message_delta(folded: _Object, event: _Object) -> None:
    """The counts of a delta are cumulative: each replaces the one before."""
    if isinstance(event.get("delta"), dict):
        folded.update({key: value for key, value in event["delta"].items() if key != "content"})
    if isinstance(event.get("usage"), dict):
        before = folded.get("usage")
        told = {key: value for key, value in event["usage"].items() if value is not None}
        folded["usage"] = {**(before if isinstance(before, dict) else {}), **told}


def _gemini(events: list[_Object]) -> _Object:
    folded: _Object = {}
    parts: list[Any] = []
    last: _Object = {}
    for event in events:
        folded.update(event)
        candidates = event.get("candidates")
        if isinstance(candidates, list) and candidates and isinstance(candidates[0], dict):
            last = {**last, **candidates[0]}
            content = candidates[0].get("content")
            found = content.get("parts") if isinstance(content, dict) else None
            parts.extend(found if isinstance(found, list) else [])
    folded["candidates"] = [{**last, "content": {"parts": parts}}]
    return folded


def _text(pieces: list[Any]) -> str:
    return "".join(piece for piece in pieces if isinstance(piece, str))
