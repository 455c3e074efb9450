"""Gemini `generateContent` answers (AI Studio and Vertex). Thoughts are beside the output, zeros are left out."""

from collections.abc import Iterable
from typing import Any, Final

from llmmigrate.logs import names, texts
from llmmigrate.logs.draft import Draft, finish
from llmmigrate.logs.formats import flat
from llmmigrate.logs.usage_fields import gemini as gemini_usage
from llmmigrate.logs.values import instant
from llmmigrate.usage.call import Call

NAME: Final = "gemini"

_OWN_KEYS: Final = frozenset(
    {"candidates", "usageMetadata", "modelVersion", "responseId", "createTime", "promptFeedback", "error"}
)


def matches(record: dict[str, Any]) -> bool:
    """`usageMetadata`, or candidates beside a `modelVersion` or `responseId`."""
    if "usageMetadata" in record:
        return True
    return "candidates" in record and ("modelVersion" in record or "responseId" in record)


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Call]:
    """One call."""
    return (finish(draft(record, keep_text=keep_text)),)


def draft(record: dict[str, Any], *, keep_text: bool) -> Draft:
    """The draft of an answer."""
    made = Draft()
    candidate = _first(record.get("candidates"))
    parts = _parts(candidate)
    made.fields = {
        "start_ns": instant(record.get("createTime"), made.warnings),
        "request_id": names.text(record.get("responseId")),
        "model": names.model(record.get("modelVersion")),
        "finish_reason": names.tag(candidate.get("finishReason")) or _blocked(record),
    }
    usage = record.get("usageMetadata")
    if isinstance(usage, dict):
        made.usage = gemini_usage(usage, made.warnings)
        made.fields["service_tier"] = names.tier(usage.get("trafficType"))
    if record.get("error"):
        made.fields["error"] = names.error(None, record["error"])
    made.replied = bool(parts)
    flat.add_context(made, record, _OWN_KEYS)
    if keep_text:
        texts.keep(made, None, _said(parts), [part["functionCall"] for part in parts if "functionCall" in part])
    return made


def _said(parts: list[dict[str, Any]]) -> str | None:
    return texts.joined([part for part in parts if part.get("thought") is not True])


def _parts(candidate: dict[str, Any]) -> list[dict[str, Any]]:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _blocked(record: dict[str, Any]) -> str | None:
    feedback = record.get("promptFeedback")
    return names.tag(feedback.get("blockReason")) if isinstance(feedback, dict) else None


def _first(values: Any) -> dict[str, Any]:
    first = values[0] if isinstance(values, list) and values else None
    return first if isinstance(first, dict) else {}
