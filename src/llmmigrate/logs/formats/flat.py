"""The flat record: one call an object, its numbers at the top under recognisable names.

It is what `ingest -o calls.jsonl` writes, and the fallback for any object with such names (`KEYS`). Input includes
cached reads and writes, output includes reasoning; every other short scalar is a tag.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final, NamedTuple

from llmmigrate.logs import names, texts
from llmmigrate.logs.draft import Draft, finish, surround
from llmmigrate.logs.field_names import KEYS, TOKEN_FIELDS, fields
from llmmigrate.logs.usage_fields import Usage, of_object
from llmmigrate.logs.values import between_ms, cost, count, duration_ms, instant
from llmmigrate.usage.call import Call

__all__ = ["KEYS", "NAME", "add_context", "draft", "matches", "read"]

NAME: Final = "flat"

_NO_KEYS: Final[frozenset[str]] = frozenset()
_CALL_FIELDS: Final = frozenset({"status", "error", "latency_ms", "latency_s", "ttft_ms", "logged_cost", "usage"})


def matches(record: dict[str, Any]) -> bool:
    """Token counts under a known name, or a model beside something that only a call has."""
    found = fields(tuple(record)).keys
    if not TOKEN_FIELDS.isdisjoint(found):
        return True
    return "model" in found and not _CALL_FIELDS.isdisjoint(found)


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Call]:
    """One call."""
    return (finish(draft(record, keep_text=keep_text)),)


def draft(record: dict[str, Any], *, keep_text: bool, own: frozenset[str] = _NO_KEYS) -> Draft:
    """The draft of a flat record; keys in `own` are left to the caller."""
    plan = _plan(tuple(record), own)
    made = Draft()
    _add(made, record, plan)
    made.usage = usage = _usage(made, record, plan)
    if usage is not None and not (usage.input or usage.output):
        made.replied = texts.has_reply(record)
    if keep_text:
        texts.keep_flat(made, record)
    return made


def add_context(made: Draft, record: dict[str, Any], own: frozenset[str]) -> None:
    """Add what someone wrote beside a vendor's `own` keys: instant, latency, status, session, cost, tags."""
    if not own.issuperset(record):
        outer = Draft()
        _add(outer, record, _plan(tuple(record), own))
        surround(made, outer)


class _Plan(NamedTuple):
    """How the records of one shape are read, so that no name is looked up twice."""

    setters: tuple[tuple[Callable[[Draft, Any], None], tuple[str, ...]], ...]
    counts: tuple[tuple[str, tuple[str, ...]], ...]
    status: tuple[str, ...]
    error: tuple[str, ...]
    end: tuple[str, ...]
    usage: tuple[str, ...]
    tags: tuple[str, ...]
    has_tokens: bool
    has_output: bool
    cached_inside: bool


@lru_cache(maxsize=1024)
def _plan(keys: tuple[str, ...], own: frozenset[str]) -> _Plan:
    found = fields(keys, own)
    of = found.keys
    return _Plan(
        setters=tuple((_SETTERS[field], names) for field, names in of.items() if field in _SETTERS),
        counts=tuple((_COUNTS[field], names) for field, names in of.items() if field in _COUNTS),
        status=of.get("status", ()),
        error=of.get("error", ()),
        end=of.get("end", ()),
        usage=of.get("usage", ()),
        tags=found.extra,
        has_tokens=not TOKEN_FIELDS.isdisjoint(of),
        has_output="output_tokens" in of,
        cached_inside="cache_read_outside" not in of and "cache_write_outside" not in of,
    )


def _add(made: Draft, record: dict[str, Any], plan: _Plan) -> None:
    for setter, keys in plan.setters:
        value = record[keys[0]] if len(keys) == 1 else _first(record, keys)
        if value is not None:
            setter(made, value)
    if plan.status or plan.error:
        failed = names.error(_first(record, plan.status), _first(record, plan.error))
        if failed is not None:
            made.fields["error"] = failed
    if plan.end:
        _set_latency_by_end(made, _first(record, plan.end))
    if plan.tags:
        made.tag({key: value for key in plan.tags if (value := names.tag(record[key])) is not None})


def _first(record: dict[str, Any], keys: tuple[str, ...]) -> Any:
    for key in keys:
        if record[key] is not None:
            return record[key]
    return None


def _set_timestamp(made: Draft, value: Any) -> None:
    start = instant(value, made.warnings)
    if start is not None:
        made.fields["start_ns"] = start


def _set_request_id(made: Draft, value: Any) -> None:
    made.fields["request_id"] = names.text(value)


def _set_attempt(made: Draft, value: Any) -> None:
    made.fields["attempt"] = value if type(value) is int and 0 <= value < 10_000 else None


def _set_provider(made: Draft, value: Any) -> None:
    made.fields["provider"] = names.provider(value)


def _set_model(made: Draft, value: Any) -> None:
    made.fields["model"] = names.model(value)


def _set_tier(made: Draft, value: Any) -> None:
    made.fields["service_tier"] = names.tier(value)


def _set_latency_ms(made: Draft, value: Any) -> None:
    made.fields["latency_ms"] = duration_ms(value, made.warnings)


def _set_latency_s(made: Draft, value: Any) -> None:
    made.fields["latency_ms"] = duration_ms(value, made.warnings, 1000.0)


def _set_ttft_ms(made: Draft, value: Any) -> None:
    made.fields["ttft_ms"] = duration_ms(value, made.warnings)


def _set_ttft_s(made: Draft, value: Any) -> None:
    made.fields["ttft_ms"] = duration_ms(value, made.warnings, 1000.0)


def _set_finish_reason(made: Draft, value: Any) -> None:
    made.fields["finish_reason"] = names.tag(value)


def _set_session(made: Draft, value: Any) -> None:
    made.fields["session_id"] = names.text(value)


def _set_cost(made: Draft, value: Any) -> None:
    made.fields["logged_cost"] = cost(value, made.warnings)


def _set_billing(made: Draft, value: Any) -> None:
    made.gateway_hit = value == "gateway_hit"


def _set_tags(made: Draft, value: Any) -> None:
    made.tag(names.tags(value))


_SETTERS: Final[dict[str, Callable[[Draft, Any], None]]] = {
    "timestamp": _set_timestamp,
    "request_id": _set_request_id,
    "attempt": _set_attempt,
    "provider": _set_provider,
    "model": _set_model,
    "service_tier": _set_tier,
    "latency_ms": _set_latency_ms,
    "latency_s": _set_latency_s,
    "ttft_ms": _set_ttft_ms,
    "ttft_s": _set_ttft_s,
    "finish_reason": _set_finish_reason,
    "session_id": _set_session,
    "logged_cost": _set_cost,
    "billing": _set_billing,
    "tags": _set_tags,
}


def _set_latency_by_end(made: Draft, value: Any) -> None:
    # Two instants have no unit to mistake, so they win over a logged latency.
    latency = between_ms(made.fields.get("start_ns"), instant(value, made.warnings))
    if latency is not None:
        made.fields["latency_ms"] = latency


def _usage(made: Draft, record: dict[str, Any], plan: _Plan) -> Usage | None:
    """The counts at the top of the record, else those of its `usage` object, else None."""
    usage = None
    if plan.has_tokens:
        usage = _top_usage(made, record, plan)
        if usage.input is not None or usage.output is not None:
            return usage
    nested = _first(record, plan.usage)
    return of_object(nested, made.warnings) if isinstance(nested, dict) else usage


def _top_usage(made: Draft, record: dict[str, Any], plan: _Plan) -> Usage:
    usage = Usage(cached_inside=plan.cached_inside)
    for name, keys in plan.counts:
        value = record[keys[0]] if len(keys) == 1 else _first(record, keys)
        setattr(usage, name, count(value, made.warnings))
    if not plan.has_output:
        usage.output_may_lack = "embed" in (made.fields.get("model") or "").casefold()
    return usage


_COUNTS: Final = {
    "input_tokens": "input",
    "output_tokens": "output",
    "total_tokens": "total",
    "cached_input_tokens": "cached",
    "cache_read_outside": "cached",
    "cache_write_5m_tokens": "write_5m",
    "cache_write_outside": "write_5m",
    "cache_write_1h_tokens": "write_1h",
    "reasoning_tokens": "reasoning",
    "input_audio_tokens": "input_audio",
    "output_audio_tokens": "output_audio",
    "searches": "searches",
    "images": "images",
}
"""Canonical field → field of `Usage`."""
