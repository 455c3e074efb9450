"""Anthropic's Messages."""

from typing import Any, Final

from llmmigrate.endpoints.dialects import Glimpse

PATH: Final = "/v1/messages"
MODELS: Final = "/v1/models"
FILTERED: Final[frozenset[str]] = frozenset()  # a refusal is an answer here
_VERSION: Final = "2023-06-01"
_VISIBLE: Final = ("text", "partial_json")
_BEGUN: Final = (*_VISIBLE, "thinking")


def headers(key: str | None) -> dict[str, str]:
    """The key in a header of its own, and the version of the API."""
    return {"anthropic-version": _VERSION} | ({"x-api-key": key} if key else {})


def prepare(body: dict[str, Any], model: str, stream: bool) -> dict[str, Any]:
    """Usage comes unasked with the first and the last event."""
    sent = {name: value for name, value in body.items() if name != "stream"}
    sent["model"] = model
    if stream:
        sent["stream"] = True
    return sent


def of_event(event: dict[str, Any]) -> Glimpse:
    """Deltas of text, thinking and arguments are content, and so is the block that names a tool; pings are not."""
    kind = event.get("type")
    if kind == "error" or event.get("error"):
        return Glimpse(error=event)
    if kind == "content_block_start":
        block = _part(event, "content_block")
        called = str(block.get("type")).endswith("tool_use")
        return Glimpse(
            begun=called or any(block.get(name) for name in _BEGUN), visible=called or bool(block.get("text"))
        )
    if kind == "content_block_delta":
        delta = _part(event, "delta")
        visible = any(delta.get(name) for name in _VISIBLE)
        return Glimpse(begun=visible or bool(delta.get("thinking")), visible=visible)
    if kind == "message_delta":
        finish = _part(event, "delta").get("stop_reason")
        return Glimpse(finish=str(finish) if finish else None)
    return Glimpse(over=kind == "message_stop")


def of_whole(body: dict[str, Any]) -> Glimpse:
    """What a `message` tells."""
    if body.get("type") == "error" or body.get("error"):
        return Glimpse(error=body)
    content = body.get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    visible = any(block.get("text") or str(block.get("type")).endswith("tool_use") for block in blocks)
    finish = body.get("stop_reason")
    return Glimpse(begun=bool(blocks), visible=visible, finish=str(finish) if finish else None)


def _part(event: dict[str, Any], name: str) -> dict[str, Any]:
    part = event.get(name)
    return part if isinstance(part, dict) else {}
