"""OTLP/JSON traces: one object an export, several spans a line, one call for each span that asked a model.

Read are the attributes of OpenTelemetry GenAI (current and older names), OpenLLMetry and OpenInference. Agent, workflow
and tool spans repeat the sums of the model calls below them and are none.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from llmmigrate.logs import names
from llmmigrate.logs.draft import Draft, finish
from llmmigrate.logs.formats import NotACall, Slot
from llmmigrate.logs.span_text import keep
from llmmigrate.logs.usage_fields import Usage
from llmmigrate.logs.values import between_ms, cost, count, duration_ms, instant

NAME: Final = "otlp"

_CONTAINERS: Final = ("resourceSpans", "resource_spans")
_SCOPES: Final = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")
_OPERATIONS: Final = ("chat", "text_completion", "completion", "generate_content", "embeddings", "embedding")
_KINDS: Final = ("LLM", "EMBEDDING")

_Attributes = dict[str, Any]


def matches(record: dict[str, Any]) -> bool:
    """A container of spans, or of the logs and metrics that travel beside them."""
    return any(key in record for key in (*_CONTAINERS, "resourceLogs", "resourceMetrics"))


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Slot]:
    """One slot a span; a container without spans is one that is no call."""
    slots = [_slot(span, resource, keep_text) for resource, span in _spans(record)]
    return slots or (NotACall("other", "no_spans"),)


def _spans(record: dict[str, Any]) -> Iterator[tuple[_Attributes, dict[str, Any]]]:
    for group in _objects(record, *_CONTAINERS):
        resource = group.get("resource")
        shared = attributes(resource.get("attributes")) if isinstance(resource, dict) else {}
        for scope in _objects(group, *_SCOPES):
            for span in _objects(scope, "spans"):
                yield shared, span


def _objects(parent: dict[str, Any], *keys: str) -> list[dict[str, Any]]:
    listed: list[Any] = next((parent[key] for key in keys if isinstance(parent.get(key), list)), [])
    return [item for item in listed if isinstance(item, dict)]


def attributes(listed: Any) -> _Attributes:
    """OTLP's list of keys and typed values as one object."""
    if not isinstance(listed, list):
        return {}
    pairs = (pair for pair in listed if isinstance(pair, dict) and isinstance(pair.get("key"), str))
    return {pair["key"]: _plain(pair.get("value")) for pair in pairs}


def _plain(value: Any) -> Any:
    """The value inside OTLP's type: 64-bit integers are strings there."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    kind, inner = next(iter(value.items()))
    if kind == "arrayValue":
        listed = inner.get("values") if isinstance(inner, dict) else None
        return [_plain(item) for item in listed] if isinstance(listed, list) else []
    return inner


def _slot(span: dict[str, Any], resource: _Attributes, keep_text: bool) -> Slot:
    told = attributes(span.get("attributes"))
    if not _asked_a_model(told):
        return NotACall("other", "not_an_llm_span")
    made = Draft()
    start = instant(span.get("startTimeUnixNano"), made.warnings)
    made.fields = {
        "start_ns": start,
        "request_id": names.text(told.get("gen_ai.response.id")) or _span_id(span),
        "model": names.model(_get(told, "gen_ai.response.model", "llm.model_name", "gen_ai.request.model")),
        "provider": names.provider(_get(told, "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")),
        "service_tier": names.tier(_get(told, "openai.response.service_tier", "gen_ai.openai.response.service_tier")),
        "error": _error(span, told),
        "finish_reason": _finish_reason(told),
        "latency_ms": between_ms(start, instant(span.get("endTimeUnixNano"), made.warnings)),
        "ttft_ms": _time_to_first(told, made.warnings),
        "session_id": names.text(_get(told, "gen_ai.conversation.id", "session.id")),
        "logged_cost": cost(told.get("llm.cost.total"), made.warnings),
    }
    made.usage = _usage(told, made.warnings)
    made.tag(_tags(told, resource))
    if keep_text:
        keep(made, told)
    return finish(made)


def _span_id(span: dict[str, Any]) -> str | None:
    """Trace and span together name a request, so that an export that was sent twice is seen as such."""
    trace, own = names.text(span.get("traceId")), names.text(span.get("spanId"))
    return f"{trace}:{own}" if trace and own else None


def _asked_a_model(told: _Attributes) -> bool:
    kind = told.get("openinference.span.kind")
    if kind is not None:
        return kind in _KINDS
    operation = told.get("gen_ai.operation.name", told.get("llm.request.type"))
    if operation is not None:
        return operation in _OPERATIONS
    return "gen_ai.request.model" in told or "gen_ai.usage.input_tokens" in told or "gen_ai.usage.prompt_tokens" in told


def _get(told: _Attributes, *keys: str) -> Any:
    return next((told[key] for key in keys if told.get(key) is not None), None)


_COUNTS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("input", ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")),
    ("output", ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")),
    ("total", ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total")),
    (
        "cached",
        (
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "llm.token_count.prompt_details.cache_read",
        ),
    ),
    (
        "write_5m",
        (
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "llm.token_count.prompt_details.cache_write",
        ),
    ),
    (
        "reasoning",
        (
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "llm.token_count.completion_details.reasoning",
        ),
    ),
    ("input_audio", ("llm.token_count.prompt_details.audio",)),
    ("output_audio", ("llm.token_count.completion_details.audio",)),
)
"""Field of `Usage` → the attributes that tell it, the current name first."""


def _usage(told: _Attributes, warnings: list[str]) -> Usage:
    usage = Usage(output_may_lack=told.get("gen_ai.operation.name") == "embeddings" or _is_embedding(told))
    for field, keys in _COUNTS:
        setattr(usage, field, count(_get(told, *keys), warnings, native_strings=True))
    return usage


def _is_embedding(told: _Attributes) -> bool:
    return told.get("openinference.span.kind") == "EMBEDDING" or told.get("llm.request.type") == "embedding"


def _error(span: dict[str, Any], told: _Attributes) -> str | None:
    status = span.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    failed = code in (2, "2", "STATUS_CODE_ERROR")
    kind = told.get("error.type")
    return names.error("error" if failed else None, kind)


def _finish_reason(told: _Attributes) -> str | None:
    reasons = told.get("gen_ai.response.finish_reasons")
    first = reasons[0] if isinstance(reasons, list) and reasons else None
    return names.tag(first or _get(told, "llm.finish_reason", "gen_ai.completion.0.finish_reason"))


def _time_to_first(told: _Attributes, warnings: list[str]) -> float | None:
    keys = ("gen_ai.response.time_to_first_chunk", "gen_ai.latency.time_to_first_token")
    return duration_ms(_get(told, *keys), warnings, 1000.0)


def _tags(told: _Attributes, resource: _Attributes) -> dict[str, str]:
    named = {
        "service": resource.get("service.name"),
        "team": resource.get("service.namespace"),
        "environment": _get(resource, "deployment.environment.name", "deployment.environment"),
        "user": _get(told, "user.id", "enduser.id"),
    }
    return names.tags(named)
