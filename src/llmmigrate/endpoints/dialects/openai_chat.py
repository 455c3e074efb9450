"""Chat completions, as OpenAI introduced them and most servers speak them."""

from typing import Any, Final

from llmmigrate.endpoints.dialects import Glimpse

PATH: Final = "/chat/completions"
MODELS: Final = "/models"
FILTERED: Final = frozenset({"content_filter", "sensitive"})  # Z.ai says `sensitive`
_REASONING: Final = frozenset({"reasoning_content", "reasoning", "reasoning_details"})
_USABLE: Final = frozenset({"content", "tool_calls", "function_call", "refusal", "audio"})


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
    begun = visible = False
    finish = None
    choices = body.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            said = _names(choice.get(part))
            visible = visible or not _USABLE.isdisjoint(said)
            begun = begun or visible or not _REASONING.isdisjoint(said)
            finish = finish or choice.get("finish_reason")
    return Glimpse(
        begun=begun,
        visible=visible,
        finish=str(finish) if finish else None,
        error=body if finish == "network_error" else None,  # Z.ai: the model broke off
    )


def _names(message: Any) -> list[str]:
    """The parts of a message that hold something."""
    return [name for name, value in message.items() if value] if isinstance(message, dict) else []
