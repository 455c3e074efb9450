"""The field names that are recognised without configuration, as data."""

import re
from collections import defaultdict
from functools import lru_cache
from typing import Final, NamedTuple

from llmmigrate.logs.names import is_secret

KEYS: Final[dict[str, str]] = {
    "timestamp": "timestamp",
    "time": "timestamp",
    "ts": "timestamp",
    "@timestamp": "timestamp",
    "datetime": "timestamp",
    "start_time": "timestamp",
    "started_at": "timestamp",
    "request_time": "timestamp",
    "created_at": "timestamp",
    "created": "timestamp",
    "end_time": "end",
    "ended_at": "end",
    "completed_at": "end",
    "response_id": "request_id",
    "request_id": "request_id",
    "completion_id": "request_id",
    "id": "request_id",
    "attempt": "attempt",
    "provider": "provider",
    "provider_name": "provider",
    "vendor": "provider",
    "response_model": "model",
    "model": "model",
    "model_name": "model",
    "model_id": "model",
    "request_model": "model",
    "service_tier": "service_tier",
    "input_tokens": "input_tokens",
    "prompt_tokens": "input_tokens",
    "tokens_in": "input_tokens",
    "tokens_input": "input_tokens",
    "context_tokens": "input_tokens",
    "num_input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "completion_tokens": "output_tokens",
    "tokens_out": "output_tokens",
    "tokens_output": "output_tokens",
    "generated_tokens": "output_tokens",
    "num_output_tokens": "output_tokens",
    "total_tokens": "total_tokens",
    "cached_input_tokens": "cached_input_tokens",
    "cached_tokens": "cached_input_tokens",
    "input_cached_tokens": "cached_input_tokens",
    "cache_read_tokens": "cached_input_tokens",
    "cache_hit_tokens": "cached_input_tokens",
    "prompt_cache_hit_tokens": "cached_input_tokens",
    "cache_read_input_tokens": "cache_read_outside",
    "cache_write_5m_tokens": "cache_write_5m_tokens",
    "cache_write_tokens": "cache_write_5m_tokens",
    "cache_creation_tokens": "cache_write_5m_tokens",
    "cache_creation_input_tokens": "cache_write_outside",
    "cache_write_1h_tokens": "cache_write_1h_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "thinking_tokens": "reasoning_tokens",
    "reasoning_output_tokens": "reasoning_tokens",
    "input_audio_tokens": "input_audio_tokens",
    "output_audio_tokens": "output_audio_tokens",
    "searches": "searches",
    "images": "images",
    "usage": "usage",
    "token_usage": "usage",
    "latency_ms": "latency_ms",
    "duration_ms": "latency_ms",
    "response_time_ms": "latency_ms",
    "elapsed_ms": "latency_ms",
    "latency_s": "latency_s",
    "latency_seconds": "latency_s",
    "duration_s": "latency_s",
    "duration_seconds": "latency_s",
    "ttft_ms": "ttft_ms",
    "time_to_first_token_ms": "ttft_ms",
    "ttft_s": "ttft_s",
    "time_to_first_token_s": "ttft_s",
    "status": "status",
    "status_code": "status",
    "http_status": "status",
    "success": "status",
    "error": "error",
    "error_type": "error",
    "error_code": "error",
    "exception": "error",
    "finish_reason": "finish_reason",
    "stop_reason": "finish_reason",
    "session_id": "session_id",
    "conversation_id": "session_id",
    "thread_id": "session_id",
    "estimated_cost_usd": "logged_cost",
    "cost_usd": "logged_cost",
    "total_cost_usd": "logged_cost",
    "cost": "logged_cost",
    "total_cost": "logged_cost",
    "billing": "billing",
    "tags": "tags",
    "metadata": "tags",
}
"""Field names in snake case → canonical field. Of several names for one field the first not null wins, in this order.

`camelCase`, `kebab-case` and capitals are the same names. `cache_*_outside` are Anthropic's: not inside the input.
"""

TEXT_KEYS: Final = frozenset(
    {"prompt", "input", "output", "completion", "response", "content", "message", "messages", "request", "choices"}
)
"""What may hold prompts or replies: never a tag."""

TOKEN_FIELDS: Final = frozenset({"input_tokens", "output_tokens", "total_tokens"})

_RANK: Final = {name: rank for rank, name in enumerate(KEYS)}
_WORD_BREAK: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LONGEST_KEY: Final = 128


@lru_cache(maxsize=4096)
def snake(key: str) -> str:
    """A field name in snake case: `requestId`, `Request-ID` and `request_id` are one."""
    return _WORD_BREAK.sub("_", key).replace("-", "_").replace(" ", "_").casefold()


class Fields(NamedTuple):
    """How the keys of one record shape are read."""

    keys: dict[str, tuple[str, ...]]
    """Canonical field → the record's keys for it, best first."""
    extra: tuple[str, ...]
    """Every other key that may become a tag."""


@lru_cache(maxsize=1024)
def fields(keys: tuple[str, ...], ignored: frozenset[str] = frozenset()) -> Fields:
    """What the keys of a record mean, worked out once for each record shape; `ignored` are a vendor's own."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    extra = []
    for key in keys:
        name = snake(key)
        if key in ignored or len(key) > _LONGEST_KEY:
            continue
        if name in KEYS:
            found[KEYS[name]].append(key)
        elif name not in TEXT_KEYS and not is_secret(name):
            extra.append(key)
    ranked = {field: tuple(sorted(names, key=lambda key: _RANK[snake(key)])) for field, names in found.items()}
    return Fields(ranked, tuple(extra))
