"""What a format found in a record, before it is a call.

A format fills in a `Draft`; `finish` alone decides usage state, billing and the warnings that follow from them, so
that these rules hold for every format alike.
"""

from typing import Any, Final, TypedDict, cast

from llmmigrate.logs.usage_fields import Counts, Usage, settle
from llmmigrate.usage.call import Billing, Call


class CallFields(TypedDict, total=False):
    """The fields of `Call` that a format fills in itself."""

    start_ns: int | None
    request_id: str | None
    attempt: int | None
    provider: str | None
    model: str | None
    service_tier: str
    error: str | None
    finish_reason: str | None
    latency_ms: float | None
    ttft_ms: float | None
    session_id: str | None
    tags: dict[str, str]
    logged_cost: int | None
    merge: bool
    request: dict[str, Any] | None
    reply: str | None
    tool_calls: list[Any] | None


class Draft:
    """A call in the making."""

    __slots__ = ("fields", "gateway_hit", "replied", "usage", "warnings")

    def __init__(self) -> None:
        self.fields: CallFields = {}
        """Fields of `Call`, only those that the record told; `error` is already a class."""
        self.usage: Usage | None = None
        """The counts as logged; None when the record has none."""
        self.warnings: list[str] = []
        self.gateway_hit = False
        """A gateway answered from its own cache: the vendor saw no request."""
        self.replied = False
        """The reply is not empty, so that 0 tokens in and out cannot be true."""

    def tag(self, tags: dict[str, str]) -> None:
        """Add tags; those already there stay."""
        if tags:
            present = self.fields.get("tags")
            self.fields["tags"] = tags | present if present else tags


def surround(inner: Draft, outer: Draft) -> None:
    """Add to the draft of an answer what the record around it tells.

    The answer is nearer to the vendor, so it wins, but for time and cost, which its surroundings measure better.
    """
    told = {key: value for key, value in inner.fields.items() if value is not None}
    around = {key: value for key, value in outer.fields.items() if value is not None}
    fields = around | told | {key: around[key] for key in _OUTER_WINS if key in around}
    tags = inner.fields.get("tags", {}) | outer.fields.get("tags", {})
    if tags:
        fields["tags"] = tags
    inner.fields = cast(CallFields, fields)
    inner.usage = inner.usage if inner.usage is not None else outer.usage
    inner.replied = inner.replied or outer.replied
    inner.gateway_hit = inner.gateway_hit or outer.gateway_hit
    inner.warnings += outer.warnings


_OUTER_WINS: Final = ("start_ns", "latency_ms", "ttft_ms", "logged_cost")


def finish(draft: Draft) -> Call:
    """The call of a draft: known or missing usage, who pays, and what was odd."""
    fields, warnings = draft.fields, draft.warnings
    counts = _counts(draft)
    billing: Billing = "billed"
    if fields.get("error") is not None:
        counts, billing = _failed(counts, warnings)
    elif counts is None and not fields.get("merge"):
        warnings.append("usage_missing")
    if draft.gateway_hit:
        billing = "gateway_hit"
    if fields.get("start_ns") is None:
        warnings.append("timestamp_missing")
    odd = tuple(dict.fromkeys(warnings)) if warnings else ()
    if counts is None:
        return Call(usage="missing", billing=billing, warnings=odd, **fields)
    return Call(billing=billing, warnings=odd, **fields, **counts)


def _counts(draft: Draft) -> Counts | None:
    counts = settle(draft.usage, draft.warnings) if draft.usage is not None else None
    if counts is not None and draft.replied and not (counts["input_tokens"] or counts["output_tokens"]):
        return None
    return counts


def _failed(counts: Counts | None, warnings: list[str]) -> tuple[Counts | None, Billing]:
    """A failure without tokens costs nothing and lacks no usage; one with tokens was possibly billed."""
    if counts is None or not (counts["input_tokens"] or counts["output_tokens"]):
        return None, "failed"
    warnings.append("possible_billed_failure")
    return counts, "failed_billed"
