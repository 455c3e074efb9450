"""LiteLLM's StandardLoggingPayload: cached tokens inside, costs in dollars, `response_time` in seconds."""

from collections.abc import Iterable
from typing import Any, Final

from llmmigrate.logs import names, texts
from llmmigrate.logs.draft import Draft, finish
from llmmigrate.logs.usage_fields import Usage, of_object
from llmmigrate.logs.values import between_ms, cost, count, duration_ms, instant
from llmmigrate.usage.call import Call

NAME: Final = "litellm_standard"

_TEAM: Final = ("user_api_key_team_alias", "user_api_key_team_id")
_USER: Final = ("user_api_key_user_id", "user_api_key_end_user_id")


def matches(record: dict[str, Any]) -> bool:
    """`call_type` beside `response_cost` or `hidden_params`."""
    return "call_type" in record and ("response_cost" in record or "hidden_params" in record)


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Call]:
    """One call."""
    made = Draft()
    response = object_of(record.get("response"))
    metadata = object_of(record.get("metadata"))
    made.fields = {
        "request_id": names.text(record.get("id")),
        "model": names.model(record.get("model")),
        "provider": names.provider(record.get("custom_llm_provider")),
        "service_tier": names.tier(response.get("service_tier")),
        "error": error_of(record.get("status"), record),
        "finish_reason": names.tag(texts.first_choice(response).get("finish_reason")),
        "session_id": names.text(record.get("trace_id")),
        "logged_cost": cost(record.get("response_cost"), made.warnings),
    }
    add_times(made, record)
    if made.fields["latency_ms"] is None:
        made.fields["latency_ms"] = duration_ms(record.get("response_time"), made.warnings, 1000.0)
    made.usage = usage_of(record, object_of(response.get("usage")), made.warnings)
    made.gateway_hit = is_hit(record.get("cache_hit"))
    made.tag(_tags(record, metadata))
    if keep_text:
        _keep(made, record, response)
    return (finish(made),)


def object_of(value: Any) -> dict[str, Any]:
    """An object, also one that LiteLLM wrote as JSON text; empty for anything else."""
    value = texts.parsed(value)
    return value if isinstance(value, dict) else {}


def is_hit(value: Any) -> bool:
    """Whether LiteLLM's own cache answered; spend logs write `"True"` and `"None"`."""
    return value is True or (isinstance(value, str) and value.casefold() == "true")


def add_times(made: Draft, record: dict[str, Any]) -> None:
    """Start, latency and time to first token from the three instants of a row."""
    start = instant(record.get("startTime"), made.warnings)
    end = instant(record.get("endTime"), made.warnings)
    first = instant(record.get("completionStartTime"), made.warnings)
    made.fields["start_ns"] = start
    made.fields["latency_ms"] = between_ms(start, end)
    # Where nothing was streamed LiteLLM repeats the end as the start of the completion.
    made.fields["ttft_ms"] = between_ms(start, first) if first != end else None


def usage_of(record: dict[str, Any], details: dict[str, Any], warnings: list[str]) -> Usage:
    """The counts of a row; cached and reasoning from the usage object beside them."""
    usage = of_object(details, warnings) if details else Usage()
    usage.cached_inside = True
    usage.input = count(record.get("prompt_tokens"), warnings)
    usage.output = count(record.get("completion_tokens"), warnings)
    usage.total = count(record.get("total_tokens"), warnings)
    usage.output_may_lack = "embedding" in str(record.get("call_type"))[:64]
    return usage


def error_of(status: Any, details_in: dict[str, Any]) -> str | None:
    """The class of a failure from a row's status and the `error_information` beside or below it."""
    failed = names.error(status, None)
    details = object_of(details_in.get("error_information"))
    named = {"code": details.get("error_code"), "error_class": details.get("error_class")}
    return names.error(status, named) if failed and any(named.values()) else failed


def _tags(record: dict[str, Any], metadata: dict[str, Any]) -> dict[str, str]:
    named = {
        "team": next((metadata[key] for key in _TEAM if metadata.get(key)), None),
        "user": record.get("end_user") or next((metadata[key] for key in _USER if metadata.get(key)), None),
        "project": metadata.get("user_api_key_project_id"),
    }
    return request_tags(record.get("request_tags")) | names.tags(metadata.get("requester_metadata")) | names.tags(named)


def request_tags(value: Any) -> dict[str, str]:
    """LiteLLM's list of tags: `team:search` is the tag `team`, a bare word is true."""
    listed = texts.parsed(value)
    words = [word for word in listed if names.tag(word)] if isinstance(listed, list) else []
    pairs = (str(word).partition(":") for word in words)
    return {key.strip(): said.strip() if colon else "true" for key, colon, said in pairs if key.strip()}


def _keep(made: Draft, record: dict[str, Any], response: dict[str, Any]) -> None:
    messages = texts.parsed(record.get("messages"))
    parameters = texts.request_of(record.get("model_parameters")) or {}
    message = texts.choice_message(texts.first_choice(response))
    request = {**parameters, "messages": messages} if isinstance(messages, list) else parameters
    texts.keep(made, request, texts.joined(message.get("content")), message.get("tool_calls"))
