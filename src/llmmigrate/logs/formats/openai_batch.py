"""OpenAI Batch output: one answer a line, in the batch tier; a line with an error is a failed call."""

from collections.abc import Iterable
from typing import Any, Final

from llmmigrate.logs import bodies, names
from llmmigrate.logs.draft import Draft, finish
from llmmigrate.usage.call import Call

NAME: Final = "openai_batch"


def matches(record: dict[str, Any]) -> bool:
    """`custom_id` beside `response`; the lines of the input file have `method` and `url` instead."""
    return "custom_id" in record and "response" in record


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Call]:
    """One call."""
    response = record.get("response")
    envelope = response if isinstance(response, dict) else {}
    body = envelope.get("body")
    made = bodies.draft_of(body, keep_text=keep_text) or Draft()
    failure = names.error(envelope.get("status_code"), record.get("error") or bodies.error_in(body))
    fields = made.fields
    fields["service_tier"] = "batch"
    fields["error"] = failure or fields.get("error")
    if fields.get("request_id") is None:
        fields["request_id"] = names.text(envelope.get("request_id")) or names.text(record.get("id"))
    made.tag(names.tags(record, ("custom_id",)))
    return (finish(made),)
