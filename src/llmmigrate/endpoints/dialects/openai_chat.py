"""Chat completions, as OpenAI introduced them and most servers speak them."""

from typing import Any, Final

from llmmigrate.endpoints.dialects import Glimpse

PATH: Final = "/chat/completions"
MODELS: Final = "/models"
FILTERED: Final = frozenset({"content_filter", "sensitive"})  # Z.ai says `sensitive`
_REASONING: Final = ("reasoning_content", "reasoning", "reasoning_details")
_USABLE: Final = ("content", "tool_calls", "function_call", "refusal", "audio")


def headers(key: str | None) -> dict[str, str]:
    """The key as a bearer token."""
    return {"authorization": f"Bearer {key}"} if key else {}


def prepare(body: dict[str, Any], model: str, stream: bool) -> dict[str, Any]:
    """A stream is asked for its usage, which it does not tell otherwise."""
    sent = {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
    sent["model"] = model
    if stream:
        options = body.get("stream_options")
        sent["stream"] = True
        sent["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return sent


def of_event(event: dict[str, Any]) -> Glimpse:
    """The opening event that only names a role has not begun; the event with the usage has no choices."""
    return _glimpse(event, "delta")


def of_whole(body: dict[str, Any]) -> Glimpse:
    """What a `chat.completion` tells."""
    return _glimpse(body, "message")


def _glimpse(body: dict[str, Any], part: str) -> Glimpse:
    if body.get("error"):
        return Glimpse(error=body)
    choices = body.get("choices")
    found = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    said = [choice[part] for choice in found if isinstance(choice.get(part), dict)]
    visible = any(message.get(name) for message in said for name in _USABLE)
    finish = next((choice["finish_reason"] for choice in found if choice.get("finish_reason")), None)
    return Glimpse(
        begun=visible or any(message.get(name) for message in said for name in _REASONING),
        visible=visible,
        finish=None if finish is None else str(finish),
        error=body if finish == "network_error" else None,  # Z.ai: the model broke off
    )
