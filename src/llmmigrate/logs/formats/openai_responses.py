"""OpenAI Responses: answers, and the rows of an event stream written one a line.

Of a stream only the closing event carries the answer; the others are no calls.
"""

from collections.abc import Iterable
from typing import Any, Final

from llmmigrate.logs import names, texts
from llmmigrate.logs.draft import Draft, finish
from llmmigrate.logs.formats import NotACall, Slot, flat
from llmmigrate.logs.streams import CLOSING_EVENTS
from llmmigrate.logs.usage_fields import input_output
from llmmigrate.logs.values import between_ms, instant

NAME: Final = "openai_responses"

_OWN_KEYS: Final = frozenset(
    {
        "id", "object", "created_at", "completed_at", "status", "background", "billing", "error",
        "frequency_penalty", "incomplete_details", "instructions", "max_output_tokens", "max_tool_calls", "model",
        "output", "parallel_tool_calls", "presence_penalty", "previous_response_id", "prompt", "prompt_cache_key",
        "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "temperature", "text",
        "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "usage", "user", "metadata", "conversation",
        "output_text",
    }
)  # fmt: skip


def matches(record: dict[str, Any]) -> bool:
    """`object` says so, or `type` is a `response.…` event."""
    return record.get("object") == "response" or _is_event(record)


def _is_event(record: dict[str, Any]) -> bool:
    kind = record.get("type")
    return isinstance(kind, str) and kind.startswith("response.") and "object" not in record


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Slot]:
    """One call; an event that does not close its stream is none."""
    if not _is_event(record):
        return (finish(draft(record, keep_text=keep_text)),)
    answer = record.get("response")
    if record["type"] not in CLOSING_EVENTS or not isinstance(answer, dict):
        return (NotACall("other", "stream_event"),)
    return (finish(draft(answer, keep_text=keep_text)),)


def draft(record: dict[str, Any], *, keep_text: bool) -> Draft:
    """The draft of an answer."""
    made = Draft()
    start = instant(record.get("created_at"), made.warnings)
    made.fields = {
        "start_ns": start,
        "request_id": names.text(record.get("id")),
        "model": names.model(record.get("model")),
        "error": names.error(record.get("status"), record.get("error")),
        "finish_reason": _finish_reason(record),
        "latency_ms": between_ms(start, instant(record.get("completed_at"), made.warnings)),
    }
    if "service_tier" in record:
        made.fields["service_tier"] = names.tier(record["service_tier"])
    outputs = [item for item in _list(record.get("output")) if isinstance(item, dict)]
    made.replied = bool(outputs)
    _add_usage(made, record, outputs)
    made.tag(names.tags(record.get("metadata")) | names.tags(record, ("user",)))
    flat.add_context(made, record, _OWN_KEYS)
    if keep_text:
        _keep(made, record, outputs)
    return made


def _finish_reason(record: dict[str, Any]) -> str | None:
    details = record.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return names.tag(reason or record.get("status"))


def _add_usage(made: Draft, record: dict[str, Any], outputs: list[dict[str, Any]]) -> None:
    usage = record.get("usage")
    if isinstance(usage, dict):
        made.usage = input_output(usage, made.warnings)
        made.usage.searches = sum(1 for item in outputs if _is_search(item))
        made.usage.images = sum(1 for item in outputs if item.get("type") == "image_generation_call")


def _is_search(item: dict[str, Any]) -> bool:
    """Searches are billed; opening and reading a found page are not."""
    action = item.get("action")
    kind = action.get("type", "search") if isinstance(action, dict) else "search"
    return item.get("type") == "web_search_call" and kind == "search"


def _keep(made: Draft, record: dict[str, Any], outputs: list[dict[str, Any]]) -> None:
    said = (texts.joined(item.get("content")) for item in outputs if item.get("type") == "message")
    calls = [item for item in outputs if item.get("type") == "function_call"]
    asked = {key: record[key] for key in ("instructions", "tools") if record.get(key)}
    texts.keep(made, asked, "".join(text for text in said if text), calls)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
