"""Prompts, replies and tool calls of a record: only their presence unless text is asked for.

Headers and keys never pass, whoever wrote them into the log.
"""

from typing import Any, Final

import msgspec

from llmmigrate.logs.draft import Draft
from llmmigrate.logs.names import is_secret

_REPLY_KEYS: Final = ("output", "completion", "response", "content", "message", "reply")
_MESSAGE_KEYS: Final = ("messages", "input", "prompt")


def has_reply(record: dict[str, Any]) -> bool:
    """Whether a flat record holds a non-empty reply."""
    return any(isinstance(text := record.get(key), str) and text.strip() for key in _REPLY_KEYS)


def keep_flat(draft: Draft, record: dict[str, Any]) -> None:
    """The text of a flat record: `request` or `messages` or `prompt`, and the reply."""
    replies = (text for key in _REPLY_KEYS if isinstance(text := record.get(key), str) and text)
    keep(
        draft,
        request_of(record.get("request")) or _messages(record) or _blocks(record),
        next(replies, None),
        record.get("tool_calls"),
    )


def keep(draft: Draft, request: dict[str, Any] | None, reply: str | None, tool_calls: Any) -> None:
    """Put text into a draft; what is None or empty leaves what is there."""
    if request:
        draft.fields["request"] = request
    if reply:
        draft.fields["reply"] = reply
    if isinstance(tool_calls, list) and tool_calls:
        draft.fields["tool_calls"] = tool_calls


def _messages(record: dict[str, Any]) -> dict[str, Any] | None:
    for key in _MESSAGE_KEYS:
        value = record.get(key)
        if isinstance(value, list) and value:
            return {"input" if key == "input" else "messages": value}
        if isinstance(value, str) and value:
            return {"messages": [{"role": "user", "content": value}]}
    return None


def _blocks(record: dict[str, Any]) -> dict[str, Any] | None:
    """Names of the prompt's blocks in place of its text, as in Mooncake traces."""
    blocks = record.get("hash_ids")
    return {"hash_ids": blocks} if isinstance(blocks, list) and blocks else None


def request_of(request: Any) -> dict[str, Any] | None:
    """A request body without headers and keys; of an HTTP request its body alone."""
    if not isinstance(request, dict):
        return None
    body = request.get("body")
    if isinstance(body, dict):
        return request_of(body)
    return {key: value for key, value in request.items() if not is_secret(key)} or None


def first_choice(body: dict[str, Any]) -> dict[str, Any]:
    """The first of an OpenAI-shaped body's `choices`, or an empty object."""
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def choice_message(choice: dict[str, Any]) -> dict[str, Any]:
    """A choice's message (of a stream chunk: its delta), or an empty object."""
    message = choice.get("message") or choice.get("delta")
    return message if isinstance(message, dict) else {}


def joined(content: Any) -> str | None:
    """The text of a content value: a string, or the `text` of the parts of a list; None when there is none."""
    if isinstance(content, str):
        return content or None
    if not isinstance(content, list):
        return None
    parts = (part.get("text") for part in content if isinstance(part, dict))
    return "".join(part for part in parts if isinstance(part, str)) or None


def parsed(value: Any) -> Any:
    """What a JSON text says, where a log holds an object as text; the value itself when it is no such text."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return value
