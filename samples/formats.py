"""How the drawn samples are written: one function a log format, each giving the lines of one file."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from samples import captures as captured
from samples.traffic import ROUTES, Dice, Route, Sample

ONLINE_ROUTES = tuple(route for route in ROUTES if route.tier == "standard")
OPENAI_ROUTES = tuple(route for route in ONLINE_ROUTES if route.provider == "openai")
HEXADECIMAL = "0123456789abcdef"
ERROR_NAMES = {429: "rate_limit_exceeded", 503: "service_unavailable", 504: "timeout"}
TEXTS = {
    "/plan": ("Plan the rollout of the new returns page.", "Start with five percent of traffic and two metrics."),
    "/chat": ("Where is my parcel?", "It left the depot this morning and arrives tomorrow."),
    "/extract": ("List the parties of this contract.", "Buyer: Example GmbH. Seller: Sample Ltd."),
    "/summarize": ("Summarise this ticket.", "The customer was charged twice and wants one charge returned."),
    "/classify": ("Which queue: billing, delivery, other?", "billing"),
    "/digest": ("Write the weekly digest.", "Three releases, one incident, no open escalations."),
}


@dataclass(frozen=True, slots=True)
class Log:
    """A file of samples: its writer, about how many calls, on which routes."""

    write: Callable[[Dice, list[Sample]], list[str]]
    calls: int
    routes: tuple[Route, ...]


def to_json(record: dict[str, Any]) -> str:
    """Compact JSON without the fields that are None."""
    kept = {key: value for key, value in record.items() if value is not None}
    return json.dumps(kept, separators=(",", ":"))


def flat(dice: Dice, samples: list[Sample]) -> list[str]:
    """The flat record, with one cost logged in cents, dirt among the lines, and a last line that was cut off."""
    records = [flat_record(dice, sample) for sample in samples]
    in_cents = next(place for place in range(len(records) // 3, len(records)) if samples[place].reasoning_tokens)
    records[in_cents]["estimated_cost_usd"] = float(100 * samples[in_cents].list_cost())
    lines = [to_json(record) for record in records]
    for place, line in enumerate(flat_dirt(lines), 1):
        lines.insert(place * len(lines) // 8, line)
    return [*lines, lines[-1][:97]]


def flat_dirt(lines: list[str]) -> list[str]:
    """A proxy's error text, a blank line, a repeated line, an unknown model, and calls whose usage is null."""
    no_usage = (
        '{"timestamp":"%s","request_id":"%s","provider":"openai","model":"%s","input_tokens":%s,"output_tokens":%s,'
    )
    tail = '"latency_ms":903,"route":"/plan","team":"platform"}'
    return [
        "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
        "",
        lines[4 * len(lines) // 8],
        (no_usage + tail) % ("2026-10-29T09:14:03.512Z", "chatcmpl-unknownmodel0000001", "acme-chat-1", 812, 64),
        (no_usage + tail) % ("2026-11-02T10:20:41.077Z", "chatcmpl-nousage000000000001", "o3", "null", "null"),
        (no_usage + tail) % ("2026-11-06T15:48:12.930Z", "chatcmpl-nousage000000000002", "o3", "null", "null"),
    ]


def flat_record(dice: Dice, sample: Sample) -> dict[str, Any]:
    """One attempt as a flat record; a batch answer has no latency worth the name."""
    record: dict[str, Any] = {
        "timestamp": sample.start.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request_id": sample.identity,
        "provider": sample.route.provider,
        "model": sample.route.model,
        "service_tier": None if sample.route.tier == "standard" else sample.route.tier,
        "session_id": sample.session,
        "attempt": sample.attempt if sample.attempt > 1 else None,
        "route": sample.route.path,
        "team": sample.route.team,
    }
    if sample.route.tier != "batch":
        record |= {"latency_ms": sample.latency_ms, "ttft_ms": sample.ttft_ms or None}
    if sample.failed:
        record |= {"status": sample.status, "error": ERROR_NAMES[sample.status]}
    return record | flat_usage(dice, sample) if sample.has_usage else record


def flat_usage(dice: Dice, sample: Sample) -> dict[str, Any]:
    """The tokens of a flat record, and for two thirds of them the list price."""
    return {
        "input_tokens": sample.input_tokens,
        "cached_input_tokens": sample.cached_tokens or None,
        "cache_write_5m_tokens": sample.written_tokens or None,
        "output_tokens": sample.output_tokens,
        "reasoning_tokens": sample.reasoning_tokens or None,
        "finish_reason": None if sample.failed else sample.finish_reason,
        "estimated_cost_usd": float(sample.list_cost()) if dice.random() < 0.67 else None,
    }


def openai_chat(dice: Dice, samples: list[Sample]) -> list[str]:
    """Chat completion bodies as the OpenAI API returns them; failures are error bodies; one usage is null."""
    lines = [to_json(openai_error(sample) if sample.failed else openai_body(sample)) for sample in samples]
    middle = next(sample for sample in samples[len(samples) // 2 :] if not sample.failed)
    lines.insert(
        len(lines) // 2,
        to_json(openai_body(middle) | {"id": dice.name("chatcmpl-")}).replace(to_json(openai_usage(middle)), "null"),
    )
    return [*lines, ""]


def openai_body(sample: Sample) -> dict[str, Any]:
    """A chat.completion object."""
    message = {"role": "assistant", "content": TEXTS[sample.route.path][1], "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": sample.finish_reason}
    return {
        "id": sample.identity,
        "object": "chat.completion",
        "created": int(sample.start.timestamp()),
        "model": sample.route.model,
        "choices": [choice],
        "usage": openai_usage(sample),
        "service_tier": "default",
    }


def openai_usage(sample: Sample) -> dict[str, Any]:
    """The usage block of a chat completion: cached inside prompt, reasoning inside completion."""
    return {
        "prompt_tokens": sample.input_tokens,
        "completion_tokens": sample.output_tokens,
        "total_tokens": sample.input_tokens + sample.output_tokens,
        "prompt_tokens_details": {"cached_tokens": sample.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": sample.reasoning_tokens, "audio_tokens": 0},
    }


def openai_error(sample: Sample) -> dict[str, Any]:
    """An error body; it has no identity, no model and no usage."""
    code = ERROR_NAMES[sample.status]
    return {"error": {"message": f"The request failed: {code}.", "type": code, "param": None, "code": code}}


def litellm(dice: Dice, samples: list[Sample]) -> list[str]:
    """LiteLLM's standard logging payload; a few answers came from the gateway's own cache and cost nothing."""
    return [*(to_json(litellm_record(dice, sample)) for sample in samples), ""]


def litellm_record(dice: Dice, sample: Sample) -> dict[str, Any]:
    """One payload: seconds since the epoch, tokens with the cached ones inside, the cost that LiteLLM computed."""
    start = sample.start.timestamp()
    hit = not sample.failed and dice.random() < 0.02
    metadata = {"user_api_key_team_alias": sample.route.team, "user_api_key_alias": sample.route.path.strip("/")}
    error = {"error_code": str(sample.status), "error_class": ERROR_NAMES[sample.status]} if sample.failed else None
    return {
        "id": sample.identity,
        "trace_id": sample.session or sample.identity[-12:],
        "call_type": "acompletion",
        "cache_hit": hit,
        "stream": True,
        "status": "failure" if sample.failed else "success",
        "custom_llm_provider": sample.route.provider,
        "startTime": round(start, 3),
        "endTime": round(start + sample.latency_ms / 1000, 3),
        "completionStartTime": round(start + (sample.ttft_ms or sample.latency_ms) / 1000, 3),
        "response_time": sample.latency_ms / 1000,
        "model": sample.route.model,
        "model_group": sample.route.model,
        "metadata": metadata,
        "response_cost": 0.0 if hit else float(sample.list_cost()),
        "prompt_tokens": sample.input_tokens,
        "completion_tokens": sample.output_tokens,
        "total_tokens": sample.input_tokens + sample.output_tokens,
        "request_tags": [sample.route.path],
        "end_user": "",
        "messages": [{"role": "user", "content": TEXTS[sample.route.path][0]}],
        "response": None if sample.failed else openai_body(sample) | {"usage": litellm_usage(sample)},
        "model_parameters": {},
        "hidden_params": {"litellm_model_name": f"{sample.route.provider}/{sample.route.model}"},
        "error_str": ERROR_NAMES[sample.status] if sample.failed else None,
        "error_information": error,
    }


def litellm_usage(sample: Sample) -> dict[str, Any]:
    """OpenAI's usage block with the cache writes that LiteLLM adds for Anthropic."""
    usage = openai_usage(sample)
    details = {"cached_tokens": sample.cached_tokens, "cache_creation_tokens": sample.written_tokens}
    return usage | {"prompt_tokens_details": details, "cache_creation_input_tokens": sample.written_tokens}


def otlp(dice: Dice, samples: list[Sample]) -> list[str]:
    """OpenTelemetry GenAI spans in OTLP/JSON: an export batch of three calls and one HTTP span a line."""
    batches = [samples[first : first + 3] for first in range(0, len(samples), 3)]
    return [*(to_json(otlp_batch(dice, batch)) for batch in batches), ""]


def otlp_batch(dice: Dice, batch: list[Sample]) -> dict[str, Any]:
    """One export request."""
    spans = [call_span(dice, sample) for sample in batch]
    nanoseconds = str(int(batch[0].start.timestamp() * 1000) * 1_000_000)
    times = {"startTimeUnixNano": nanoseconds, "endTimeUnixNano": nanoseconds}
    http = {
        "traceId": dice.name("", 32, HEXADECIMAL),
        "spanId": dice.name("", 16, HEXADECIMAL),
        "name": "POST /v1/ask",
        "kind": 2,
    }
    attributes = [attribute("http.request.method", "POST"), attribute("url.path", batch[0].route.path)]
    service = [attribute("service.name", "assistant"), attribute("service.namespace", batch[0].route.team)]
    scope = {"scope": {"name": "sample"}, "spans": [http | times | {"attributes": attributes}, *spans]}
    return {"resourceSpans": [{"resource": {"attributes": service}, "scopeSpans": [scope]}]}


def call_span(dice: Dice, sample: Sample) -> dict[str, Any]:
    """One call as a span; 64-bit numbers are strings in OTLP/JSON."""
    start = int(sample.start.timestamp() * 1000)
    values: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": sample.route.provider,
        "gen_ai.request.model": sample.route.model,
        "gen_ai.conversation.id": sample.session,
        "gen_ai.response.id": sample.identity,
    }
    values |= {"error.type": str(sample.status)} if sample.failed else {}
    values |= answer_attributes(sample) if sample.has_usage else {}
    return {
        "traceId": dice.name("", 32, HEXADECIMAL),
        "spanId": dice.name("", 16, HEXADECIMAL),
        "name": f"chat {sample.route.model}",
        "kind": 3,
        "startTimeUnixNano": f"{start}000000",
        "endTimeUnixNano": f"{start + sample.latency_ms}000000",
        "attributes": [attribute(key, value) for key, value in values.items() if value is not None],
        "status": {"code": 2} if sample.failed else {},
    }


def answer_attributes(sample: Sample) -> dict[str, Any]:
    """What a successful call's span says about its answer; cached and written inside input, reasoning inside output."""
    return {
        "gen_ai.response.model": sample.route.model,
        "gen_ai.response.finish_reasons": ["error" if sample.failed else sample.finish_reason],
        "gen_ai.response.time_to_first_chunk": sample.ttft_ms / 1000,
        "gen_ai.usage.input_tokens": sample.input_tokens,
        "gen_ai.usage.cache_read.input_tokens": sample.cached_tokens or None,
        "gen_ai.usage.cache_creation.input_tokens": sample.written_tokens or None,
        "gen_ai.usage.output_tokens": sample.output_tokens,
        "gen_ai.usage.reasoning.output_tokens": sample.reasoning_tokens or None,
    }


def attribute(key: str, value: str | int | float | list[str]) -> dict[str, Any]:
    """A key and its typed value."""
    if isinstance(value, list):
        return {"key": key, "value": {"arrayValue": {"values": [{"stringValue": item} for item in value]}}}
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    return {"key": key, "value": {"doubleValue" if isinstance(value, float) else "stringValue": value}}


def captures(dice: Dice, samples: list[Sample]) -> list[str]:
    """Requests and answers with their whole bodies, as a proxy captures them: what `shadow` can replay."""
    return [*(to_json(record) for record in captured.records(dice, samples)), ""]


FORMATS = {
    "logs.jsonl": Log(flat, 3600, ROUTES),
    "openai_chat.jsonl": Log(openai_chat, 320, OPENAI_ROUTES),
    "litellm.jsonl": Log(litellm, 300, ONLINE_ROUTES),
    "otlp.jsonl": Log(otlp, 320, ONLINE_ROUTES),
    "captures.jsonl": Log(captures, 300, captured.ROUTES),
}
