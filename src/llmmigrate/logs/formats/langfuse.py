"""Langfuse observations, of the API (camelCase) or of a blob export (snake_case). Generations and embeddings are calls.

`usageDetails` holds buckets named by kind. Those that Langfuse maps itself are disjoint and are summed; those that a
user sent in OpenAI's names (`prompt_details.cache_read`, `completion_details.reasoning`) are inside.
"""

from collections.abc import Iterable
from typing import Any, Final

from llmmigrate.logs import names, texts
from llmmigrate.logs.draft import Draft, finish
from llmmigrate.logs.formats import NotACall, Slot
from llmmigrate.logs.usage_fields import Usage
from llmmigrate.logs.values import BAD, between_ms, cost, count, duration_ms, instant

NAME: Final = "langfuse"

_CALLS: Final = ("GENERATION", "EMBEDDING")
_KINDS: Final = (*_CALLS, "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "GUARDRAIL")


def matches(record: dict[str, Any]) -> bool:
    """A `type` of Langfuse's beside a trace id."""
    return ("traceId" in record or "trace_id" in record) and record.get("type") in _KINDS


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Slot]:
    """One call; a span, event or agent is none, because its sums repeat those of its generations."""
    if record.get("type") not in _CALLS:
        return (NotACall("other", "not_a_generation"),)
    made = Draft()
    made.fields = {
        "request_id": names.text(record.get("id")),
        "model": names.model(_get(record, "model", "providedModelName", "provided_model_name")),
        "error": "error" if record.get("level") == "ERROR" else None,
        "session_id": names.text(_get(record, "sessionId", "session_id")),
    }
    _add_times(made, record)
    made.usage = _usage(record, made.warnings)
    if made.usage is not None:
        made.fields["logged_cost"] = cost(_get(record, "totalCost", "total_cost"), made.warnings)
    made.tag(_tags(record))
    if keep_text:
        _keep(made, record)
    return (finish(made),)


def _get(record: dict[str, Any], *keys: str) -> Any:
    return next((record[key] for key in keys if record.get(key) is not None), None)


def _add_times(made: Draft, record: dict[str, Any]) -> None:
    """`latency` is milliseconds in some exports and seconds in others, so only instants are believed."""
    start = instant(_get(record, "startTime", "start_time"), made.warnings)
    first = instant(_get(record, "completionStartTime", "completion_start_time"), made.warnings)
    seconds = duration_ms(_get(record, "timeToFirstToken", "time_to_first_token"), made.warnings, 1000.0)
    ttft = between_ms(start, first)
    made.fields["start_ns"] = start
    made.fields["latency_ms"] = between_ms(start, instant(_get(record, "endTime", "end_time"), made.warnings))
    made.fields["ttft_ms"] = seconds if ttft is None else ttft


def _usage(record: dict[str, Any], warnings: list[str]) -> Usage | None:
    details = texts.parsed(_get(record, "usageDetails", "usage_details"))
    usage = _of_details(details, warnings) if isinstance(details, dict) and details else _of_sums(record, warnings)
    if not (usage.input or usage.output):
        return None  # Langfuse writes 0 where nothing was told
    return usage


def _of_sums(record: dict[str, Any], warnings: list[str]) -> Usage:
    return Usage(
        input=count(_get(record, "inputUsage", "input_usage", "promptTokens"), warnings),
        output=count(_get(record, "outputUsage", "output_usage", "completionTokens"), warnings),
        total=count(_get(record, "totalUsage", "total_usage", "totalTokens"), warnings),
    )


def _of_details(details: dict[str, Any], warnings: list[str]) -> Usage:
    """Buckets by kind. A stated total decides whether the parts of a kind are beside its main bucket or inside."""
    usage = Usage()
    for key, value in details.items():
        field = _field(key)
        if field is None:
            continue
        setattr(usage, field, _plus(getattr(usage, field), count(value, warnings)))
        if field == "reasoning":
            usage.reasoning_inside = "_details." in key
        elif field in ("cached", "write_5m", "write_1h"):
            usage.cached_inside = "_details." in key
    return usage


def _field(key: str) -> str | None:
    """The field of `Usage` that a bucket's name means; None for a kind that is not billed by tokens here."""
    if key == "total":
        return key
    if "cache_creation" in key or "cache_write" in key:
        return "write_1h" if "1h" in key else "write_5m"
    if "cache" in key:
        return "cached"
    if "reasoning" in key or "thought" in key:
        return "reasoning"
    return "input" if "input" in key else "output" if "output" in key else None


def _plus(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return BAD if BAD in (one, other) else one + other


def _tags(record: dict[str, Any]) -> dict[str, str]:
    named = {
        "user": _get(record, "userId", "user_id"),
        "project": _get(record, "projectId", "project_id"),
        "environment": record.get("environment"),
        "name": record.get("name") or None,
    }
    return names.tags(named)


def _keep(made: Draft, record: dict[str, Any]) -> None:
    asked, said = texts.parsed(record.get("input")), texts.parsed(record.get("output"))
    request = asked if isinstance(asked, dict) else {"messages": asked} if isinstance(asked, list) else None
    if isinstance(asked, str) and asked:
        request = {"messages": [{"role": "user", "content": asked}]}
    reply = said.get("content") if isinstance(said, dict) else said
    calls = said.get("tool_calls") if isinstance(said, dict) else None
    texts.keep(made, texts.request_of(request), texts.joined(reply), calls)
