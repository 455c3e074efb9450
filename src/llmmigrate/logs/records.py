r"""Decoded records of lines, with the arrays and wrapped pages in them.

A record slot is a physical line, but each element of an array or of a wrapped page is a slot of its own and its
container none. Lines are split on `\n` only: U+2028 and friends may stand inside strings.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

WRAPPERS: Final = ("data", "results", "items")
OWN_KEYS: Final = frozenset(
    ("usage", "model", "timestamp", "created", "created_at", "time", "ts", "start_time", "startTime", "resourceSpans")
)
"""An object with one of these is a record itself, though it may hold a list named like a wrapper."""

_decode = msgspec.json.Decoder().decode


class Record(NamedTuple):
    """One slot. `value` is a dict, or None with the reason in `fault` (`blank` for an empty line)."""

    value: dict[str, Any] | None
    line: int
    fault: str | None = None
    warnings: tuple[str, ...] = ()
    raw: bytes = b""


def line_chunks(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks cut at line ends: every chunk but the last ends in a newline."""
    pieces: list[bytes] = []
    for block in blocks:
        cut = block.rfind(b"\n") + 1
        if not cut:
            pieces.append(block)
            continue
        yield b"".join((*pieces, memoryview(block)[:cut]))
        pieces = [block[cut:]] if cut < len(block) else []
    if pieces:
        yield b"".join(pieces)


def line_records(chunk: bytes, first_line: int) -> Iterator[Record]:
    """The records of a chunk of whole lines, whose first has the number `first_line`."""
    lines = chunk.split(b"\n")
    complete = lines[-1] == b""
    if complete:
        lines.pop()
    for offset, line in enumerate(lines):
        last_cut = not complete and offset == len(lines) - 1
        yield from records_of_line(line, first_line + offset, cut=last_cut)


def records_of_line(line: bytes, number: int, *, cut: bool = False) -> Iterator[Record]:
    """The records of one physical line; `cut` marks a last line without its newline."""
    text = line.strip()
    warnings: tuple[str, ...] = ()
    if b"\0" in text:
        text, warnings = text.strip(b"\0 \t\r"), ("nul_bytes",)
        if not text:
            yield Record(None, number, "nul_bytes", warnings, line)
            return
    if not text:
        yield Record(None, number, "blank")
        return
    value, fault, odd = decode(text)
    if fault is not None:
        cut_off = cut and fault == "invalid_json"
        yield Record(None, number, "truncated_line" if cut_off else fault, (*warnings, *odd), line)
        return
    yield from _slots(value, number, (*warnings, *odd), line)


def decode(text: bytes) -> tuple[Any, str | None, tuple[str, ...]]:
    """A JSON text as (value, None, warnings), or (None, reason, warnings) when it is none.

    msgspec reads what is strictly JSON; NaN, Infinity and odd bytes go the slower way of the standard library.
    """
    try:
        value = _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError):
        value, fault, warnings = _decode_loosely(text)
        if fault is not None:
            return None, fault, warnings
    else:
        warnings = ()
    return whole(value, warnings) if holds_lone_surrogate(text) else (value, None, warnings)


_LONE_SURROGATE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)


def holds_lone_surrogate(text: bytes) -> bool:
    r"""Whether a JSON text holds half of a surrogate pair, such as `\ud800`: no string that can be written again."""
    return b"\\" in text and b"\\u" in text and _LONE_SURROGATE.search(text) is not None


def whole(value: Any, warnings: tuple[str, ...]) -> tuple[Any, str | None, tuple[str, ...]]:
    """A decoded value with U+FFFD for half surrogate pairs in its strings and keys, as `decode` returns it."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return None, "too_deep", warnings
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return (value, None, warnings) if whole == text else (json.loads(whole), None, (*warnings, "invalid_utf8"))


def _decode_loosely(text: bytes) -> tuple[Any, str | None, tuple[str, ...]]:
    warnings: tuple[str, ...] = ()
    try:
        string = text.decode()
    except UnicodeDecodeError:
        string, warnings = text.decode(errors="replace"), ("invalid_utf8",)
    try:
        return json.loads(string), None, warnings
    except RecursionError:
        return None, "too_deep", ()
    except json.JSONDecodeError:
        return None, "invalid_json", ()
    except ValueError:  # an integer of more digits than Python converts
        return None, "number_too_long", ()


def _slots(value: Any, line: int, warnings: tuple[str, ...], raw: bytes) -> Iterator[Record]:
    if isinstance(value, list):
        yield from _array(value, line, warnings, raw)
        return
    if not isinstance(value, dict):
        yield Record(None, line, "not_an_object", warnings, raw)
        return
    page = wrapped_page(value)
    if page is None:
        yield Record(value, line, None, warnings, raw)
    elif not page:
        yield Record(None, line, "empty_container", warnings, raw)
    else:
        yield from _array(page, line, warnings, raw)


def slots_of(record: Record) -> Iterator[Record]:
    """The slots of a decoded value: itself, or what it holds."""
    return iter((record,)) if record.value is None else _slots(record.value, record.line, record.warnings, record.raw)


def _array(values: list[Any], line: int, warnings: tuple[str, ...], raw: bytes) -> Iterator[Record]:
    if not values:
        yield Record(None, line, "empty_container", warnings, raw)
        return
    if not any(isinstance(value, dict) for value in values):
        yield Record(None, line, "not_an_object", warnings, raw)
        return
    for value in values:
        element = raw if len(values) == 1 else json.dumps(value).encode()[:4096]
        if isinstance(value, dict):
            yield from _slots(value, line, warnings, element)
        else:
            yield Record(None, line, "not_an_object", warnings, element)
        warnings = ()  # said once a line


def wrapped_page(value: dict[str, Any]) -> list[Any] | None:
    """The list inside a wrapper such as `{"data": [...]}`; None for an object that is a record itself."""
    if not OWN_KEYS.isdisjoint(value):
        return None
    for name in WRAPPERS:
        inner = value.get(name)
        if isinstance(inner, list) and (not inner or any(isinstance(element, dict) for element in inner)):
            return inner
    return None
