"""OpenAI chat completions and all that copy them (Azure, Mistral, Groq, DeepSeek, vLLM): answers and stream chunks.

The chunks of a stream share one id and are one call; only the last carries usage, or none does.
"""

from collections.abc import Iterable
from typing import Any, Final

from llmmigrate.logs import openai_body
from llmmigrate.logs.draft import Draft, finish
from llmmigrate.logs.formats import NotACall, Slot

NAME: Final = "openai_chat"

_CHUNK: Final = "chat.completion.chunk"
_NOT_AN_ANSWER: Final = frozenset({"request", "response", "input_tokens", "output_tokens", "prompt_tokens"})


def matches(record: dict[str, Any]) -> bool:
    """`object` says so; or `choices` without an `object`, unless it is part of a larger record; or a bare error."""
    kind = record.get("object")
    if _is_bare_error(record):
        return True
    if kind == "chat.completion" or kind == _CHUNK:
        return True
    return "choices" in record and not kind and _NOT_AN_ANSWER.isdisjoint(record)


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Slot]:
    """One call, or one row of a streamed call."""
    if _is_bare_error(record) and not isinstance(record["error"], dict):
        return (NotACall("rejected", "unknown_format"),)
    return (finish(draft(record, keep_text=keep_text)),)


def _is_bare_error(record: dict[str, Any]) -> bool:
    """The whole answer to a request that failed is `{"error": …}`: OpenAI's form and that of most who copy it."""
    return len(record) == 1 and "error" in record


def draft(record: dict[str, Any], *, keep_text: bool) -> Draft:
    """The draft of an answer or of one chunk."""
    made = openai_body.draft(record, keep_text=keep_text)
    if record.get("object") == _CHUNK and made.fields.get("request_id") is not None:
        made.fields["merge"] = True
    return made
