"""Prompts and replies of a span: whole as JSON text, or one attribute a message and field."""

import re
from typing import Any, Final

from llmmigrate.logs import texts
from llmmigrate.logs.draft import Draft

_INDEXED: Final = re.compile(
    r"(gen_ai\.prompt|gen_ai\.completion|llm\.input_messages|llm\.output_messages)\.(\d{1,4})\.(?:message\.)?(role|content)"
)
_WHOLE: Final = {"input": "gen_ai.input.messages", "output": "gen_ai.output.messages"}
_ASKED: Final = frozenset({"gen_ai.prompt", "llm.input_messages"})


def keep(draft: Draft, told: dict[str, Any]) -> None:
    """Put a span's messages and reply into the draft."""
    asked, said = _indexed(told)
    asked = _whole(told, "input") or asked
    said = _whole(told, "output") or said
    reply = "".join(text for message in said if (text := texts.joined(message.get("content"))))
    texts.keep(draft, {"messages": asked} if asked else None, reply, None)


def _indexed(told: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    found: dict[tuple[bool, int], dict[str, Any]] = {}
    for key, value in told.items():
        if match := _INDEXED.fullmatch(key):
            found.setdefault((match[1] in _ASKED, int(match[2])), {})[match[3]] = value
    asked = [found[key] for key in sorted(found) if key[0]]
    return asked, [found[key] for key in sorted(found) if not key[0]]


def _whole(told: dict[str, Any], side: str) -> list[dict[str, Any]]:
    messages = texts.parsed(told.get(_WHOLE[side]))
    if not isinstance(messages, list):
        return []
    return [_message(message) for message in messages if isinstance(message, dict)]


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """A message whose `parts` are OpenTelemetry's, with their text as `content`."""
    parts = message.get("parts")
    if not isinstance(parts, list):
        return message
    said = (part.get("content") for part in parts if isinstance(part, dict) and part.get("type") == "text")
    return {"role": message.get("role"), "content": "".join(text for text in said if isinstance(text, str))}
