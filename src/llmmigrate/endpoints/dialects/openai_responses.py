"""OpenAI's Responses."""

from typing import Any, Final

from llmmigrate.endpoints.dialects import Glimpse

PATH: Final = "/responses"
MODELS: Final = "/models"
FILTERED: Final = frozenset({"content_filter"})
_CLOSING: Final = ("response.completed", "response.incomplete")
_VISIBLE: Final = (
    "response.output_text.delta",
    "response.refusal.delta",
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
    "response.audio.delta",
)
_CALLS: Final = ("function_call", "custom_tool_call")


def headers(key: str | None) -> dict[str, str]:
    """The key as a bearer token."""
    return {"authorization": f"Bearer {key}"} if key else {}


def prepare(body: dict[str, Any], model: str, stream: bool) -> dict[str, Any]:
    """Usage comes with the closing event unasked; what runs in the background would have to be asked for again."""
    sent = {name: value for name, value in body.items() if name not in ("stream", "background")}
    sent["model"] = model
    if stream:
        sent["stream"] = True
    return sent


def of_event(event: dict[str, Any]) -> Glimpse:
    """Deltas of text, reasoning and arguments are content; the events around them are not."""
    kind = event.get("type")
    if kind == "error":
        return Glimpse(error=event)
    if kind == "response.failed":
        return Glimpse(error=_response(event))
    if kind in _CLOSING:
        return of_whole(_response(event))._replace(begun=False, over=True)
    item = event.get("item")
    called = kind == "response.output_item.added" and isinstance(item, dict) and item.get("type") in _CALLS
    visible = called or (kind in _VISIBLE and bool(event.get("delta")))
    thought = isinstance(kind, str) and "reasoning" in kind and bool(event.get("delta"))
    return Glimpse(begun=visible or thought, visible=visible)


def of_whole(body: dict[str, Any]) -> Glimpse:
    """What a `response` tells."""
    if body.get("error"):
        return Glimpse(error=body)
    output = body.get("output")
    if not isinstance(output, list):
        return Glimpse()
    items = [item for item in output if isinstance(item, dict)]
    visible = any(_holds_something(item) for item in items)
    return Glimpse(begun=bool(items), visible=visible, finish=_finish(body))


def _holds_something(item: dict[str, Any]) -> bool:
    if item.get("type") != "message":
        return item.get("type") != "reasoning"
    content = item.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return any(part.get("text") or part.get("refusal") for part in parts)


def _finish(body: dict[str, Any]) -> str | None:
    details = body.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    finish = reason or body.get("status")
    return str(finish) if finish else None


def _response(event: dict[str, Any]) -> dict[str, Any]:
    response = event.get("response")
    return response if isinstance(response, dict) else {}
