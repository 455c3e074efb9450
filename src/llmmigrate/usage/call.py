"""One request to a model, in one meaning for all log formats.

`input_tokens` includes cached reads and cache writes, `output_tokens` includes reasoning (OpenTelemetry GenAI
semantic conventions). Missing usage is a state of its own and never a zero.
"""

from typing import Any, Literal

import msgspec

UsageState = Literal["known", "estimated", "missing", "aggregate"]
"""`aggregate`: the sums of `requests` requests, such as a bucket of a usage export."""

Billing = Literal["billed", "gateway_hit", "failed", "failed_billed"]
"""`gateway_hit`: answered from a gateway's own cache, costs 0. `failed`: an error without usage, costs 0.
`failed_billed`: an error after dispatch that carries usage and was possibly billed."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request (or, in state `aggregate`, a bucket of `requests` of them).

    Invariants that a format keeps: all counts are ≥ 0; cached + writes + input audio ≤ input;
    reasoning + output audio ≤ output; in state `missing` all counts are 0.
    """

    start_ns: int | None = None
    """Start instant, nanoseconds since the Unix epoch, UTC; None when the log has no usable timestamp."""
    request_id: str | None = None
    """The identity: the response id, else the request id; None when the log has neither."""
    attempt: int | None = None
    provider: str | None = None
    """Who bills, as far as the log says so; None lets the model's name decide."""
    model: str | None = None
    """As logged, untouched."""
    service_tier: str = "standard"
    """The tier that served: standard, batch, flex, priority, fast, or an unknown one as logged."""

    usage: UsageState = "known"
    requests: int = 1
    input_tokens: int = 0
    input_audio_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    output_audio_tokens: int = 0
    reasoning_tokens: int = 0
    searches: int = 0
    images: int = 0

    billing: Billing = "billed"
    error: str | None = None
    """None for success, else a short class: an HTTP number as text, `timeout`, `rate_limit`, …"""
    finish_reason: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    """Time to first token."""
    session_id: str | None = None
    tags: dict[str, str] = {}
    logged_cost: int | None = None
    """The cost that the log itself states, in 1e-12 USD; evidence, not truth."""

    merge: bool = False
    """A stream chunk or transcript row: rows of one `request_id` are one call, the largest output counts."""
    warnings: tuple[str, ...] = ()
    """Stable codes of what was odd about this record."""

    request: dict[str, Any] | None = None
    """The request body (messages, tools, parameters), only when text is kept."""
    reply: str | None = None
    tool_calls: list[Any] | None = None
