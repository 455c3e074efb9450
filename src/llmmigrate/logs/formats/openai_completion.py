"""OpenAI legacy completions (`text_completion`), also of vLLM and other servers."""

from collections.abc import Iterable
from typing import Any, Final

from llmmigrate.logs.draft import finish
from llmmigrate.logs.openai_body import draft
from llmmigrate.usage.call import Call

__all__ = ["NAME", "draft", "matches", "read"]

NAME: Final = "openai_completion"


def matches(record: dict[str, Any]) -> bool:
    """`object` says so."""
    return record.get("object") == "text_completion"


def read(record: dict[str, Any], *, keep_text: bool) -> Iterable[Call]:
    """One call."""
    return (finish(draft(record, keep_text=keep_text)),)
