"""Log formats, one file each: a decoded JSON object becomes calls.

A format is a module with the three names of `LogFormat`. It is found by its file name through the registry; nothing
else needs to know it. A format whose object can also be the body of a captured response offers `draft` too.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, Final, Literal, Protocol

import msgspec

from llmmigrate import registry
from llmmigrate.errors import AmbiguousFormatError
from llmmigrate.usage.call import Call

FALLBACK: Final = "flat"
"""The weakest format: read only where no other fits, so never ambiguous."""


class NotACall(msgspec.Struct, frozen=True):
    """A record slot that is no call: a known non-call (`other`) or a `rejected` one, with a stable reason code."""

    kind: Literal["other", "rejected"]
    reason: str


Slot = Call | NotACall


class LogFormat(Protocol):
    """What a format module offers."""

    NAME: str

    def matches(self, record: dict[str, Any]) -> bool:
        """Whether the record has this format's keys; cheap, looks at no text.

        It may look at the keys, at the strings under `object`, `type` and `event`, and at the types of `request` and
        `response`; nothing else, because the answer is remembered for all records alike in these (`_signature`).
        """
        ...

    def read(self, record: dict[str, Any], *, keep_text: bool) -> Iterable[Slot]:
        """The record's slots, in order: one, or one a span for container formats (never none)."""
        ...


def names() -> list[str]:
    """The names of all formats, sorted."""
    return registry.names(_ROOM)


_ROOM: Final = "logs.formats"
_MOST_REMEMBERED: Final = 4096
_DECIDING: Final = frozenset({"object", "type", "event", "request", "response"})
"""Keys whose value may decide; where none is there, the keys alone do."""
_by_keys: dict[tuple[str, ...], LogFormat | None] = {}
_by_signature: dict[tuple[Any, ...], LogFormat | None] = {}


def detect(record: dict[str, Any], *, forced: str | None = None) -> LogFormat | None:
    """The format of a record, decided by its keys and remembered; None for an object of no known format.

    `forced` allows one format only. Raises `AmbiguousFormatError` when two specific formats fit alike, and
    `UnknownNameError` for a `forced` name that does not exist.
    """
    if forced is not None:
        only = _load(forced)
        return only if only.matches(record) else None
    keys = tuple(record)
    try:
        return _by_keys[keys]
    except KeyError:
        pass
    if _DECIDING.isdisjoint(keys):
        return _remember(_by_keys, keys, record)
    signature = (*keys, *_signature(record))
    try:
        return _by_signature[signature]
    except KeyError:
        return _remember(_by_signature, signature, record)


def _signature(record: dict[str, Any]) -> tuple[Any, ...]:
    get = record.get
    kind, sort, event = get("object"), get("type"), get("event")
    return (
        kind if type(kind) is str else None,
        sort if type(sort) is str else None,
        event if type(event) is str else None,
        type(get("request")),
        type(get("response")),
    )


def _remember(memory: dict[Any, LogFormat | None], key: tuple[Any, ...], record: dict[str, Any]) -> LogFormat | None:
    if len(memory) >= _MOST_REMEMBERED:
        memory.clear()
    memory[key] = found = _decide(record)
    return found


def _decide(record: dict[str, Any]) -> LogFormat | None:
    fitting = [known for known in _specific() if known.matches(record)]
    if len(fitting) > 1:
        raise _ambiguous(fitting)
    if fitting:
        return fitting[0]
    weakest = _load(FALLBACK)
    return weakest if weakest.matches(record) else None


def _ambiguous(fitting: list[LogFormat]) -> AmbiguousFormatError:
    both = " and ".join(f"'{known.NAME}'" for known in fitting)
    choices = " or ".join(f"--log-format {known.NAME}" for known in fitting)
    return AmbiguousFormatError(
        f"a record fits the log formats {both}", why="its keys belong to each of them", fix=choices
    )


@cache
def _specific() -> tuple[LogFormat, ...]:
    return tuple(_load(name) for name in registry.names(_ROOM) if name != FALLBACK)


@cache
def _load(name: str) -> LogFormat:
    loaded: LogFormat = registry.load(_ROOM, name)
    return loaded
