"""The answer inside another record: found, decoded, and read by the format whose shape it has."""

from collections.abc import Callable
from typing import Any, Final

from llmmigrate.errors import AmbiguousFormatError
from llmmigrate.logs import formats, streams, texts
from llmmigrate.logs.draft import Draft
from llmmigrate.logs.formats import flat

WRAPPERS: Final = ("body", "json", "data", "content", "text", "string", "payload", "response", "output", "parsed")
_DEEPEST: Final = 4


def draft_of(body: Any, *, keep_text: bool) -> Draft | None:
    """The draft of a vendor's answer object; None when it is none that is known."""
    read = _reader_of(body)
    return None if read is None else read(body, keep_text=keep_text)


def answer_in(value: Any, depth: int = 0) -> dict[str, Any] | None:
    """The answer object in a captured response: as it is, as JSON text, as a stream, or some levels down."""
    value = decoded(value)
    if not isinstance(value, dict) or depth > _DEEPEST:
        return None
    if _reader_of(value) is not None:
        return value
    inner = (answer_in(value[key], depth + 1) for key in WRAPPERS if key in value)
    return next((answer for answer in inner if answer is not None), None)


def error_in(value: Any, depth: int = 0) -> Any:
    """What a captured response names as its error, at any level; None when it names none."""
    value = decoded(value)
    if not isinstance(value, dict) or depth > _DEEPEST:
        return None
    if value.get("error"):
        return value["error"]
    inner = (error_in(value[key], depth + 1) for key in WRAPPERS if key in value)
    return next((error for error in inner if error is not None), None)


def decoded(value: Any) -> Any:
    """A body as an object: JSON text and event streams are read, a list of events is one answer."""
    if isinstance(value, str):
        value = streams.answer(value) if streams.is_stream(value) else texts.parsed(value)
    if isinstance(value, list):
        value = streams.fold([part for part in value if isinstance(part, dict)])
    return value


def _reader_of(body: Any) -> Callable[..., Draft] | None:
    if not isinstance(body, dict):
        return None
    try:
        found = formats.detect(body)
    except AmbiguousFormatError:
        return None
    read: Callable[..., Draft] | None = getattr(found, "draft", None)
    if read is None and isinstance(body.get("usage"), dict):
        return flat.draft
    return read
