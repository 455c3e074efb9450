"""Chat completions, as OpenAI introduced them and most servers speak them."""

from typing import Any, Final

from llmmigrate.endpoints.dialects import Glimpse

PATH: Final = "/chat/completions"
MODELS: Final = "/models"
FILTERED: Final = frozenset({"content_filter", "sensitive"})  # Z.ai says `sensitive`
_REASONING: Final = frozenset({"reasoning_content", "reasoning", "reasoning_details"})
_USABLE: Final = frozenset({"content", "tool_calls", "function_call", "refusal", "audio"})
_SAID: Final = {(begun, visible): Glimpse(begun, visible) for begun in (False, True) for visible in (False, True)}
"""What most events tell, made once: a stream has hundreds of them."""


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
            said = choice.get(part)
            for name, value in said.items() if isinstance(said, dict) else ():
                visible = visible or (name in _USABLE and bool(value))
                begun = begun or (name in _REASONING and bool(value))
            finish = finish or choice.get("finish_reason")
    if finish:
        broken = body if finish == "network_error" else None  # Z.ai: the model broke off
        return Glimpse(begun=begun or visible, visible=visible, finish=str(finish), error=broken)
    return _SAID[visible or begun, visible]
