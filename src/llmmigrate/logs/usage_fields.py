"""Token counts of a record → the canonical, inclusive meaning (OpenTelemetry's).

Vendors differ in whether cached tokens are inside the input and reasoning inside the output. The default is the
format's; a stated total that fits exactly one other reading overrules it, and a part that is larger than its whole
lies outside it (the threads behind these rules: docs/log-formats.md).
"""

from itertools import product
from typing import Any, TypedDict

import msgspec

from llmmigrate.logs.values import BAD, count


class Usage(msgspec.Struct):
    """Counts as the log names them; None is absent or null, `BAD` unusable. `settle` makes them canonical."""

    input: int | None = None
    output: int | None = None
    total: int | None = None
    cached: int | None = None
    write_5m: int | None = None
    write_1h: int | None = None
    reasoning: int | None = None
    input_audio: int | None = None
    output_audio: int | None = None
    searches: int | None = None
    images: int | None = None
    cached_inside: bool = True
    """Whether `input` includes cached reads and cache writes."""
    reasoning_inside: bool = True
    """Whether `output` includes reasoning."""
    output_may_lack: bool = False
    """Whether an absent output is 0 (embeddings; vendors that omit zeros)."""


class Counts(TypedDict, total=False):
    """Canonical counts under the names of `Call`, where not 0; its invariants hold."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    input_audio_tokens: int
    output_audio_tokens: int
    searches: int
    images: int


def settle(usage: Usage, warnings: list[str]) -> Counts | None:
    """The canonical counts; None when the record does not tell them (with a warning that says why, if odd)."""
    tokens_in, tokens_out = usage.input, usage.output
    if tokens_out is None and tokens_in is not None and (usage.output_may_lack or usage.total == tokens_in):
        tokens_out = 0
    if tokens_in is None or tokens_out is None or _unusable(usage):
        if tokens_in is None and tokens_out is None and usage.total is not None and usage.total >= 0:
            warnings.append("total_only")
        return None
    if _has_parts(usage):
        return _with_parts(usage, tokens_in, tokens_out, warnings)
    if usage.total and usage.total != tokens_in + tokens_out:
        warnings.append("total_mismatch")
    return {"input_tokens": tokens_in, "output_tokens": tokens_out}


def _has_parts(usage: Usage) -> bool:
    return bool(
        usage.cached or usage.write_5m or usage.write_1h or usage.reasoning
        or usage.input_audio or usage.output_audio or usage.searches or usage.images
    )  # fmt: skip


def _unusable(usage: Usage) -> bool:
    return BAD in (  # not the total, which is only a check
        usage.input, usage.output, usage.cached, usage.write_5m, usage.write_1h, usage.reasoning,
        usage.input_audio, usage.output_audio, usage.searches, usage.images,
    )  # fmt: skip


def _with_parts(usage: Usage, tokens_in: int, tokens_out: int, warnings: list[str]) -> Counts:
    reasoning = usage.reasoning or 0
    beside_input = (usage.cached or 0) + (usage.write_5m or 0) + (usage.write_1h or 0)
    whole_in, whole_out = _reading(usage, tokens_in, tokens_out, beside_input, warnings)
    return {
        "input_tokens": whole_in,
        "output_tokens": whole_out,
        "cached_input_tokens": usage.cached or 0,
        "cache_write_5m_tokens": usage.write_5m or 0,
        "cache_write_1h_tokens": usage.write_1h or 0,
        "reasoning_tokens": reasoning,
        # Cached audio is counted as cached: audio is what is left of it at the audio rate.
        "input_audio_tokens": min(usage.input_audio or 0, whole_in - beside_input),
        "output_audio_tokens": min(usage.output_audio or 0, whole_out - reasoning),
        "searches": usage.searches or 0,
        "images": usage.images or 0,
    }


def _reading(usage: Usage, tokens_in: int, tokens_out: int, beside_input: int, warnings: list[str]) -> tuple[int, int]:
    """The inclusive input and output: the default reading, or the only other one that the stated total fits."""
    inputs = _inclusive(tokens_in, beside_input, usage.cached_inside)
    outputs = _inclusive(tokens_out, usage.reasoning or 0, usage.reasoning_inside)
    default = (inputs[0], outputs[0])
    if not usage.total or sum(default) == usage.total:
        return default
    fitting = {reading for reading in product(inputs, outputs) if sum(reading) == usage.total}
    if len(fitting) == 1:
        return fitting.pop()
    if not fitting:
        warnings.append("total_mismatch")
    return default


def _inclusive(whole: int, part: int, inside: bool) -> list[int]:
    """What the inclusive count may be, the default first."""
    if part > whole:
        return [whole + part]
    return [whole, whole + part] if inside else [whole + part, whole]


# Usage objects ------------------------------------------------------------------------------------------------------


def of_object(usage: dict[str, Any], warnings: list[str], *, native_strings: bool = False) -> Usage:
    """The counts of a vendor's `usage` object; its key names say whose it is."""
    if "prompt_tokens" in usage or "completion_tokens" in usage:
        return openai_chat(usage, warnings, native_strings=native_strings)
    if "promptTokenCount" in usage or "candidatesTokenCount" in usage:
        return gemini(usage, warnings)
    if "inputTokens" in usage or "outputTokens" in usage:
        return bedrock(usage, warnings)
    return input_output(usage, warnings, native_strings=native_strings)


def openai_chat(usage: dict[str, Any], warnings: list[str], *, native_strings: bool = False) -> Usage:
    """`prompt_tokens` and `completion_tokens` of OpenAI and all who copy it; cached and reasoning inside.

    Cached reads are in `prompt_tokens_details.cached_tokens`, for DeepSeek in `prompt_cache_hit_tokens`, for Moonshot
    and SGLang in `cached_tokens`, for LiteLLM also in `cache_read_input_tokens`.
    """

    def number(value: Any) -> int | None:
        return count(value, warnings, native_strings=native_strings)

    found = Usage(
        input=number(usage.get("prompt_tokens")),
        output=number(usage.get("completion_tokens")),
        total=number(usage.get("total_tokens")),
        output_may_lack="completion_tokens" not in usage and "completion_tokens_details" not in usage,
    )
    details = usage.get("prompt_tokens_details")
    if isinstance(details, dict):
        found.cached = number(details.get("cached_tokens"))
        found.write_5m = number(_first(details, "cache_write_tokens", "cache_creation_tokens"))
        found.input_audio = number(details.get("audio_tokens"))
    details = usage.get("completion_tokens_details")
    if isinstance(details, dict):
        found.reasoning = number(details.get("reasoning_tokens"))
        found.output_audio = number(details.get("audio_tokens"))
    if found.cached is None:
        found.cached = number(_first(usage, "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"))
    if not found.write_5m and "cache_creation_input_tokens" in usage:
        _add_writes(found, usage, warnings)
    if found.reasoning is None and "reasoning_tokens" in usage:
        found.reasoning = number(usage["reasoning_tokens"])
    return found


def input_output(usage: dict[str, Any], warnings: list[str], *, native_strings: bool = False) -> Usage:
    """`input_tokens` and `output_tokens`: Anthropic's when its cache names are there (outside), else Responses'."""
    found = Usage(
        input=count(usage.get("input_tokens"), warnings, native_strings=native_strings),
        output=count(usage.get("output_tokens"), warnings, native_strings=native_strings),
        total=count(usage.get("total_tokens"), warnings, native_strings=native_strings),
    )
    if "cache_read_input_tokens" in usage or "cache_creation_input_tokens" in usage or "cache_creation" in usage:
        found.cached_inside = False
        found.cached = count(usage.get("cache_read_input_tokens"), warnings)
        _add_writes(found, usage, warnings)
    else:
        _add_input_details(found, usage, warnings)
    _add_output_details(found, usage, warnings)
    tools = usage.get("server_tool_use")
    if isinstance(tools, dict):
        found.searches = count(tools.get("web_search_requests"), warnings)
    return found


def _add_writes(found: Usage, usage: dict[str, Any], warnings: list[str]) -> None:
    """Anthropic's cache writes: by time to live where the log tells it, all as five minutes where not."""
    written = count(usage.get("cache_creation_input_tokens"), warnings)
    split = usage.get("cache_creation")
    if not isinstance(split, dict):
        found.write_5m = written
        return
    found.write_5m = count(split.get("ephemeral_5m_input_tokens"), warnings)
    found.write_1h = count(split.get("ephemeral_1h_input_tokens"), warnings)
    rest = (written or 0) - (found.write_5m or 0) - (found.write_1h or 0)
    if rest > 0 and BAD not in (found.write_5m, found.write_1h):
        found.write_5m = (found.write_5m or 0) + rest


def _add_input_details(found: Usage, usage: dict[str, Any], warnings: list[str]) -> None:
    details = _first(usage, "input_tokens_details", "input_token_details")
    if isinstance(details, dict):
        found.cached = count(_first(details, "cached_tokens", "cache_read"), warnings)
        found.write_5m = count(_first(details, "cache_write_tokens", "cache_creation"), warnings)
        found.input_audio = count(_first(details, "audio_tokens", "audio"), warnings)
    else:
        found.cached = count(_first(usage, "cached_input_tokens", "cached_tokens"), warnings)
        found.write_5m = count(_first(usage, "cache_write_tokens", "cache_write_5m_tokens"), warnings)
        found.write_1h = count(usage.get("cache_write_1h_tokens"), warnings)


def _add_output_details(found: Usage, usage: dict[str, Any], warnings: list[str]) -> None:
    details = _first(usage, "output_tokens_details", "output_token_details")
    if isinstance(details, dict):
        found.reasoning = count(_first(details, "reasoning_tokens", "reasoning", "thinking_tokens"), warnings)
        found.output_audio = count(_first(details, "audio_tokens", "audio"), warnings)
    else:
        found.reasoning = count(_first(usage, "reasoning_tokens", "reasoning_output_tokens"), warnings)


def bedrock(usage: dict[str, Any], warnings: list[str]) -> Usage:
    """The `usage` of Bedrock Converse: cached reads and writes outside."""
    return Usage(
        input=count(usage.get("inputTokens"), warnings),
        output=count(usage.get("outputTokens"), warnings),
        total=count(usage.get("totalTokens"), warnings),
        cached=count(_first(usage, "cacheReadInputTokens", "cacheReadInputTokenCount"), warnings),
        write_5m=count(_first(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount"), warnings),
        cached_inside=False,
    )


def gemini(usage: dict[str, Any], warnings: list[str]) -> Usage:
    """Gemini's `usageMetadata`: cached inside, thoughts outside, tool prompts beside the prompt, zeros omitted."""
    prompt = count(usage.get("promptTokenCount"), warnings)
    tools = count(usage.get("toolUsePromptTokenCount"), warnings)
    total = count(usage.get("totalTokenCount"), warnings)
    output = count(usage.get("candidatesTokenCount"), warnings)
    thoughts = count(usage.get("thoughtsTokenCount"), warnings)
    some = not (prompt is None and output is None and thoughts is None)
    return Usage(
        input=BAD if BAD in (prompt, tools) else (prompt or 0) + (tools or 0) if some else None,
        output=(output or 0) if some else None,
        total=total,
        cached=count(usage.get("cachedContentTokenCount"), warnings),
        reasoning=thoughts,
        input_audio=_of_modality(usage.get("promptTokensDetails"), "AUDIO", warnings),
        output_audio=_of_modality(usage.get("candidatesTokensDetails"), "AUDIO", warnings),
        reasoning_inside=False,
    )


def _of_modality(details: Any, modality: str, warnings: list[str]) -> int | None:
    if not isinstance(details, list):
        return None
    parts = (part for part in details if isinstance(part, dict) and part.get("modality") == modality)
    counts = [count(part.get("tokenCount"), warnings) or 0 for part in parts]
    return BAD if BAD in counts else sum(counts)


def _first(values: dict[str, Any], *keys: str) -> Any:
    """The first of `keys` whose value is not null."""
    return next((values[key] for key in keys if values.get(key) is not None), None)
