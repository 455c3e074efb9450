"""Result files of promptfoo: one call a test case and provider, in one document or one a line (`-o out.jsonl`).

An answer from promptfoo's own cache cost nothing. Reasoning is inside the completion; cached input is inside the prompt
but for Anthropic and Bedrock. A document dates its evaluation, not its calls: these have the evaluation's instant.
Calls that grade answers are in no result of their own and are not read. Fields: src/types in promptfoo's repository.
"""

from collections.abc import Iterable
from typing import Any, Final

from llmmigrate.logs import names, texts
from llmmigrate.logs.draft import Draft, finish
from llmmigrate.logs.formats import NotACall, Slot
from llmmigrate.logs.usage_fields import Usage
from llmmigrate.logs.values import cost, count, duration_ms, instant

NAME: Final = "promptfoo"

_KINDS: Final = frozenset({
    "chat", "completion", "completions", "messages", "responses", "embedding", "embeddings", "realtime", "moderation",
})  # fmt: skip
"""What may stand between the provider and the model: `openai:chat:gpt-4o`."""
_CACHED_OUTSIDE: Final = ("anthropic", "bedrock")
_API_ERROR: Final = 2
"""`failureReason` of a call that failed; 1 is an answer that was not what the test expects."""


def matches(record: dict[str, Any]) -> bool:
    """An evaluation with its results, or one result."""
    return ("results" in record and "evalId" in record) or ("testIdx" in record and "promptIdx" in record)


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Slot]:
    """One call a result."""
    outer = record.get("results")
    if "testIdx" in record:
        return (_call(record, None, record.get("evalId"), keep_text),)
    held = outer if isinstance(outer, dict) else {"results": outer}
    rows = held.get("results")
    found = [
        _call(row, held.get("timestamp"), record.get("evalId"), keep_text)
        if isinstance(row, dict)
        else NotACall("rejected", "not_an_object")
        for row in (rows if isinstance(rows, list) else [])
    ]
    return found or (NotACall("other", "empty_container"),)


def _call(row: dict[str, Any], evaluated: Any, evaluation: Any, keep_text: bool) -> Slot:
    made = Draft()
    response = _object(row.get("response"))
    provider, model = _named(row.get("provider"))
    made.fields = {
        "start_ns": instant(row.get("createdAt") or evaluated, made.warnings),
        "request_id": names.text(row.get("id")),
        "provider": names.provider(provider),
        "model": names.model(model),
        "latency_ms": duration_ms(row.get("latencyMs"), made.warnings),
        "logged_cost": cost(row.get("cost"), made.warnings),
        "error": _error(row, response),
    }
    made.gateway_hit = response.get("cached") is True
    made.usage = _usage(response.get("tokenUsage") or row.get("tokenUsage"), provider, made.warnings)
    made.tag(names.tags({"eval": evaluation, "test": row.get("description") or row.get("testIdx")}))
    if keep_text:
        _keep(made, row, response)
    return finish(made)


def _named(provider: Any) -> tuple[str | None, str | None]:
    """Provider and model of an id such as `openai:chat:gpt-4o`; of another id it is the model alone."""
    name = provider.get("id") if isinstance(provider, dict) else provider
    if not isinstance(name, str):
        return None, None
    vendor, colon, model = name.partition(":")
    if not colon:
        return None, name
    kind, colon, rest = model.partition(":")
    return vendor, rest if colon and kind in _KINDS else model


def _usage(value: Any, provider: str | None, warnings: list[str]) -> Usage | None:
    if not isinstance(value, dict):
        return None
    details = _object(value.get("completionDetails"))
    outside = provider in _CACHED_OUTSIDE
    return Usage(
        input=count(value.get("prompt"), warnings),
        output=count(value.get("completion"), warnings),
        total=None if outside else count(value.get("total"), warnings),
        cached=count(details.get("cacheReadInputTokens"), warnings),
        write_5m=count(details.get("cacheCreationInputTokens"), warnings),
        reasoning=count(details.get("reasoning"), warnings),
        searches=count(value.get("webSearchRequests"), warnings),
        cached_inside=not outside,
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _error(row: dict[str, Any], response: dict[str, Any]) -> str | None:
    """The class of a failed call; an answer that a test refuses is none."""
    told = response.get("error") or (row.get("error") if row.get("failureReason") == _API_ERROR else None)
    return names.error(None, told) if told else None


def _keep(made: Draft, row: dict[str, Any], response: dict[str, Any]) -> None:
    raw = _object(row.get("prompt")).get("raw")
    request = {"messages": [{"role": "user", "content": raw}]} if isinstance(raw, str) else None
    output = response.get("output")
    texts.keep(made, request, output if isinstance(output, str) else None, None)
