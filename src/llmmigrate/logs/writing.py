"""Writes canonical calls as flat records, and rejected records with their place and reason, one JSON object a line."""

from typing import Any, BinaryIO, Final

import jsonlines
import msgspec

from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.call import Call

_encode: Final = msgspec.json.Encoder().encode
COUNTS: Final = (
    "cached_input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "reasoning_tokens", "input_audio_tokens",
    "output_audio_tokens", "searches", "images",
)  # fmt: skip
FACTS: Final = ("request_id", "attempt", "provider", "session_id", "finish_reason", "latency_ms", "ttft_ms", "error")


class RecordFile:
    """A file of flat records (`calls.jsonl`)."""

    def __init__(self, stream: BinaryIO) -> None:
        self._writer = jsonlines.Writer(stream, dumps=_encode)

    def add(self, call: Call, place: str) -> None:
        """Write one call."""
        self._writer.write(flat_record(call))


class RejectFile:
    """A file of rejected records: place, reason and the raw record as text."""

    def __init__(self, stream: BinaryIO) -> None:
        self._writer = jsonlines.Writer(stream, dumps=_encode)

    def add(self, place: str, reason: str, raw: bytes) -> None:
        """Write one reject; bytes that are no UTF-8 are replaced."""
        record = {"place": place, "reason": reason, "raw": raw.decode(errors="replace")}
        self._writer.write(record)


def flat_record(call: Call) -> dict[str, Any]:
    """A call as a flat record that reads back as the same call; what is not known is left out."""
    record: dict[str, Any] = {}
    if call.start_ns is not None:
        record["timestamp"] = timestamp(call.start_ns)
    record["model"] = call.model
    for name in FACTS:
        value = getattr(call, name)
        if value is not None:
            record[name] = value
    if call.service_tier != "standard":
        record["service_tier"] = call.service_tier
    _add_usage(record, call)
    if call.billing == "gateway_hit":
        record["billing"] = call.billing
    if call.logged_cost is not None:
        record["estimated_cost_usd"] = _dollars(call.logged_cost)
    if call.tags:
        record["tags"] = call.tags
    _add_text(record, call)
    return record


def _add_usage(record: dict[str, Any], call: Call) -> None:
    if call.usage == "missing":
        record["input_tokens"] = record["output_tokens"] = None
        return
    record["input_tokens"], record["output_tokens"] = call.input_tokens, call.output_tokens
    record.update({name: value for name in COUNTS if (value := getattr(call, name))})


def _add_text(record: dict[str, Any], call: Call) -> None:
    if call.request is not None:
        record["request"] = call.request
    if call.reply is not None:
        record["response"] = call.reply
    if call.tool_calls is not None:
        record["tool_calls"] = call.tool_calls


def timestamp(ns: int) -> str:
    """An instant as RFC 3339 in UTC with all its digits."""
    from datetime import UTC, datetime

    seconds, rest = divmod(ns, NANOSECONDS)
    text = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{text}{fraction}Z"


def _dollars(pico: int) -> str:
    sign, whole = "-" if pico < 0 else "", abs(pico)
    return f"{sign}{whole // 10**12}.{whole % 10**12:012d}".rstrip("0").rstrip(".")
