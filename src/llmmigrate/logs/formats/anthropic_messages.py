"""Anthropic Messages: the answer object. Cached reads and writes are outside `input_tokens`; there is no instant."""

from collections.abc import Iterable
from typing import Any, Final

from llmmigrate.logs import names, texts
from llmmigrate.logs.draft import Draft, finish
from llmmigrate.logs.formats import flat
from llmmigrate.logs.usage_fields import input_output
from llmmigrate.usage.call import Call

NAME: Final = "anthropic_messages"

_OWN_KEYS: Final = frozenset(
    {
        "id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage",
        "container", "context_management", "error",
    }
)  # fmt: skip


def matches(record: dict[str, Any]) -> bool:
    """A `message` with usage or a stop reason."""
    return record.get("type") == "message" and ("usage" in record or "stop_reason" in record)


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Call]:
    """One call."""
    return (finish(draft(record, keep_text=keep_text)),)


def draft(record: dict[str, Any], *, keep_text: bool) -> Draft:
    """The draft of an answer."""
    made = Draft()
    made.fields = {
        "request_id": names.text(record.get("id")),
        "model": names.model(record.get("model")),
        "finish_reason": names.tag(record.get("stop_reason")),
    }
    if (made.fields["request_id"] or "").startswith("msg_bdrk_"):
        made.fields["provider"] = "bedrock"
    usage = record.get("usage")
    if isinstance(usage, dict):
        made.usage = input_output(usage, made.warnings)
        made.usage.cached_inside = False
        made.fields["service_tier"] = _tier(usage)
    if record.get("error"):
        made.fields["error"] = names.error(None, record["error"])
    content = record.get("content")
    made.replied = bool(content)
    flat.add_context(made, record, _OWN_KEYS)
    if keep_text:
        texts.keep(made, None, texts.joined(content), _tool_calls(content))
    return made


def _tier(usage: dict[str, Any]) -> str:
    return "fast" if usage.get("speed") == "fast" else names.tier(usage.get("service_tier"))


def _tool_calls(content: Any) -> list[Any]:
    parts = content if isinstance(content, list) else []
    return [part for part in parts if isinstance(part, dict) and part.get("type") == "tool_use"]
