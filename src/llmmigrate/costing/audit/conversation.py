"""A request's history and tools in no dialect: what all three can be read into and written from.

Only the history and the tools pass through here; parameters stay in `requests.Features`.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Role = Literal["system", "user", "assistant"]
MediaKind = Literal["image", "audio", "file"]

_SHOWN: Final = 40
_BASE64: Final = ";base64"


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A picture, a piece of audio or a file: by its address or by its bytes, exactly one of both."""

    kind: MediaKind
    url: str | None = None
    data: str | None = None
    """base64."""
    media_type: str | None = None
    name: str | None = None
    detail: str | None = None
    """How closely a picture is to be looked at."""

    @property
    def address(self) -> str:
        """The address, or the bytes as a `data:` address."""
        return self.url if self.url is not None else f"data:{self.media_type}{_BASE64},{self.data}"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model called."""

    id: str
    name: str
    arguments: str
    """JSON text."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered."""

    id: str
    parts: tuple[Text | Media, ...]


Part = Text | Media | ToolCall | ToolResult


@dataclass(frozen=True, slots=True)
class Turn:
    """One message; tool results are the user's."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that the model may call."""

    name: str
    description: str | None
    schema: Mapping[str, Any]
    strict: bool | None


@dataclass(frozen=True, slots=True)
class Conversation:
    """History and tools."""

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...]


def media_at(kind: MediaKind, url: str, *, name: str | None = None, detail: str | None = None) -> Media | None:
    """A picture or file at an address; a `data:` address becomes its bytes, None when these are no base64."""
    if not url.startswith("data:"):
        return Media(kind=kind, url=url, name=name, detail=detail)
    head, comma, data = url.removeprefix("data:").partition(",")
    if not comma or not head.endswith(_BASE64) or not is_base64(data):
        return None
    media_type = head.removesuffix(_BASE64).partition(";")[0] or "application/octet-stream"
    return Media(kind=kind, data=data, media_type=media_type, name=name, detail=detail)


def is_base64(data: str) -> bool:
    """Whether a text is base64 as the vendors take it."""
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def shown(value: object) -> str:
    """A name from a log for a message: short, and never the whole of what may be a prompt."""
    text = value if isinstance(value, str) else type(value).__name__
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
