"""Which format a record has, from its keys."""

from typing import Any

import pytest

from llmmigrate.errors import AmbiguousFormatError, UnknownNameError
from llmmigrate.logs import formats

BOTH: dict[str, Any] = {"type": "message", "usage": {}, "usageMetadata": {}}


def name_of(record: dict[str, Any], forced: str | None = None) -> str | None:
    found = formats.detect(record, forced=forced)
    return None if found is None else found.NAME


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"a": 1},
        {"timestamp": "2026-01-01T00:00:00Z", "level": "info", "message": "started", "model": "gpt-4o"},
        {"model": "gpt-4o", "messages": []},
        {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-4o"}},
        {"object": "list", "data": []},
        {"object": {}, "type": [], "event": 3, "traceId": {}},
    ],
)
def test_an_object_of_no_known_format_has_none(record: dict[str, Any]) -> None:
    assert name_of(record) is None


def test_two_specific_formats_are_an_error_that_names_both() -> None:
    with pytest.raises(AmbiguousFormatError, match="'anthropic_messages' and 'gemini'"):
        formats.detect(BOTH)


def test_forcing_a_format_settles_an_ambiguity() -> None:
    assert name_of(BOTH, "gemini") == "gemini"


def test_forcing_a_format_reads_nothing_else() -> None:
    assert name_of({"model": "gpt-4o", "input_tokens": 1, "output_tokens": 1}, "otlp") is None


def test_an_unknown_forced_format_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError) as raised:
        formats.detect({}, forced="openai_chta")
    assert raised.value.fix == "did you mean 'openai_chat'?"


def test_the_flat_record_yields_to_a_specific_format() -> None:
    record = {"model": "gpt-4o", "usage": {"prompt_tokens": 1}, "timestamp": 1768471200}
    assert [name_of(record), name_of({**record, "object": "chat.completion"})] == ["flat", "openai_chat"]


def test_counts_at_the_top_of_a_capture_make_it_a_flat_record() -> None:
    record: dict[str, Any] = {"model": "gpt-4o", "request": {}, "response": {}}
    assert [name_of(record), name_of({**record, "input_tokens": 5})] == ["http_capture", "flat"]


def test_records_of_the_same_keys_are_told_apart_by_their_kind() -> None:
    keys: dict[str, Any] = {"id": "1", "choices": [], "model": "m", "usage": {}}
    kinds = ["chat.completion", "text_completion", "chat.completion"]
    assert [name_of({**keys, "object": kind}) for kind in kinds] == ["openai_chat", "openai_completion", "openai_chat"]
