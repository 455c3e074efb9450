"""LiteLLM's spend log rows (`LiteLLM_SpendLogs`): objects are JSON text, `None` may be a word."""

from collections.abc import Iterable
from typing import Any, Final

from llmmigrate.logs import names, texts
from llmmigrate.logs.draft import Draft, finish
from llmmigrate.logs.formats.litellm_standard import add_times, error_of, is_hit, object_of, request_tags, usage_of
from llmmigrate.logs.values import cost
from llmmigrate.usage.call import Call

NAME: Final = "litellm_spend"


def matches(record: dict[str, Any]) -> bool:
    """`spend` and `request_id` beside a `call_type` or `startTime`."""
    return "spend" in record and "request_id" in record and ("call_type" in record or "startTime" in record)


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Call]:
    """One call."""
    made = Draft()
    metadata = object_of(record.get("metadata"))
    made.fields = {
        "request_id": names.text(record.get("request_id")),
        "model": names.model(record.get("model")),
        "provider": names.provider(record.get("custom_llm_provider")),
        "error": error_of(record.get("status") or metadata.get("status"), metadata),
        "session_id": names.text(record.get("session_id")),
        "logged_cost": cost(record.get("spend"), made.warnings),
    }
    add_times(made, record)
    made.usage = usage_of(record, object_of(metadata.get("usage_object")), made.warnings)
    made.gateway_hit = is_hit(record.get("cache_hit"))
    made.tag(request_tags(record.get("request_tags")) | _tags(record))
    if keep_text:
        _keep(made, record)
    return (finish(made),)


def _tags(record: dict[str, Any]) -> dict[str, str]:
    named = {
        "team": record.get("team_id"),
        "user": record.get("end_user") or record.get("user"),
        "organization": record.get("organization_id"),
    }
    return {key: value for key, value in names.tags(named).items() if value}


def _keep(made: Draft, record: dict[str, Any]) -> None:
    messages = texts.parsed(record.get("messages"))
    message = texts.choice_message(texts.first_choice(object_of(record.get("response"))))
    request = {"messages": messages} if isinstance(messages, list) else None
    texts.keep(made, request, texts.joined(message.get("content")), message.get("tool_calls"))
