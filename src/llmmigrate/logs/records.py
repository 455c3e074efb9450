r"""Decoded records of one text: lines, arrays, concatenated or wrapped documents.

A record slot is a physical line, but each element of an array or of a wrapped page is a slot of its own and its
container none. Lines are split on `\n` only: U+2028 and friends may stand inside strings.
"""

import codecs
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
DOCUMENT_ENDS: Final = (b"{", b"[", b",", b":")
LONG_LINE: Final = 1 << 19
"""Bytes of a first line above which an array is decoded element by element."""

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
        pieces.append(block[:cut])
        yield b"".join(pieces)
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
    return _whole(value, warnings) if holds_lone_surrogate(text) else (value, None, warnings)


_LONE_SURROGATE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)


def holds_lone_surrogate(text: bytes) -> bool:
    r"""Whether a JSON text holds half of a surrogate pair, such as `\ud800`: no string that can be written again."""
    return b"\\" in text and b"\\u" in text and _LONE_SURROGATE.search(text) is not None


def _whole(value: Any, warnings: tuple[str, ...]) -> tuple[Any, str | None, tuple[str, ...]]:
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


def _slots_of(record: Record) -> Iterator[Record]:
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
        yield from (
            _slots(value, line, warnings, element)
            if isinstance(value, dict)
            else iter((Record(None, line, "not_an_object", warnings, element),))
        )


def wrapped_page(value: dict[str, Any]) -> list[Any] | None:
    """The list inside a wrapper such as `{"data": [...]}`; None for an object that is a record itself."""
    if not OWN_KEYS.isdisjoint(value):
        return None
    for name in WRAPPERS:
        inner = value.get(name)
        if isinstance(inner, list) and (not inner or any(isinstance(element, dict) for element in inner)):
            return inner
    return None


def starts_document(head: bytes) -> bool:
    """Whether a text, of which the head is given, is a document of several lines, or one line that is a long array.

    A document's first non-blank line is incomplete JSON that can go on in the next line.
    """
    text = head.lstrip()
    first, newline, rest = text.partition(b"\n")
    if not newline:
        return text.startswith(b"[") and len(text) > LONG_LINE
    first = first.strip()
    if not first.endswith(DOCUMENT_ENDS) or decode(first)[1] != "invalid_json":
        return False
    return not _ends_here(first, rest.lstrip().partition(b"\n")[0].strip())


def _ends_here(first: bytes, second: bytes) -> bool:
    """Whether a line that was cut off is followed by a record that cannot stand at that place of a document."""
    if decode(second)[1] is not None:
        return False
    try:
        json.loads(first + b"\n" + second)
    except json.JSONDecodeError as error:
        return error.pos <= len(first.decode(errors="replace")) + 1
    except (ValueError, RecursionError):
        pass
    return False


class Documents:
    """JSON values that stand one after another in a stream, each over any number of lines.

    The elements of a top-level array are decoded one by one, so a file that is one huge array needs no memory.
    """

    _space = re.compile(r"[\s,]*")

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._blocks = blocks
        self._text = ""
        self._at = 0
        self._line = 1
        self._replaced = False
        self._damaged = False
        self._json = json.JSONDecoder()

    def records(self) -> Iterator[Record]:
        """The records, until the end or until damage after which nothing can be told apart."""
        while not self._damaged and self._skip_space():
            if self._text[self._at] == "[":
                yield from self._array()
            else:
                yield from _slots_of(self._next_value())

    def _array(self) -> Iterator[Record]:
        """The elements of an array; one without any object is one reject, an empty one a container."""
        opened = self._line
        self._at += 1
        waiting: list[Record] | None = []  # until an object shows that this is a list of records
        while self._skip_space() and self._text[self._at] != "]":
            record = self._next_value()
            if waiting is not None and record.fault == "not_an_object":
                waiting.append(record)
            else:
                yield from waiting or ()
                waiting = None
                yield from _slots_of(record)
            if self._damaged:
                return
        if self._at == len(self._text):
            yield Record(None, self._line, "truncated_line")
            return
        self._at += 1
        if waiting is not None:
            yield Record(None, opened, "not_an_object" if waiting else "empty_container")

    def _next_value(self) -> Record:
        """The next value; what is no object and no document can have is a fault, and damage is noted."""
        line = self._line
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except RecursionError:
                return self._damage(line, "too_deep")
            except ValueError:
                if not self._more(len(self._text) - self._at):
                    return self._damage(line, "invalid_json")
                continue
            if end == len(self._text) and not isinstance(value, dict | list) and self._more(1):
                continue  # a number may go on in the next block
            raw = self._text[self._at : end]
            self._go_to(end)
            return self._record(value, line, raw)

    def _damage(self, line: int, fault: str) -> Record:
        self._damaged = True
        return Record(None, line, fault, (), self._text[self._at : self._at + 4096].encode())

    def _record(self, value: Any, line: int, text: str) -> Record:
        warnings: tuple[str, ...] = ("invalid_utf8",) if self._replaced and "\ufffd" in text else ()
        raw = text.encode()
        if holds_lone_surrogate(raw):
            value, _, warnings = _whole(value, warnings)
        if not isinstance(value, dict):
            return Record(None, line, "not_an_object", warnings, raw)
        return Record(value, line, None, warnings, raw)

    def _skip_space(self) -> bool:
        while True:
            match = self._space.match(self._text, self._at)
            if match:
                self._go_to(match.end())
            if self._at < len(self._text):
                return True
            if not self._more(1):
                return False

    def _more(self, at_least: int) -> bool:
        """Read on, doubling what is held, so that a long value is not decoded again for every block."""
        pieces, size = [self._text[self._at :]], 0
        while size < at_least:
            block = next(self._blocks, None)
            if block is None:
                break
            pieces.append(self._decoder.decode(block))
            self._replaced |= pieces[-1].count("\ufffd") > block.count("\ufffd".encode())
            size += len(pieces[-1])
        self._text, self._at = "".join(pieces), 0
        return size > 0

    def _go_to(self, position: int) -> None:
        self._line += self._text.count("\n", self._at, position)
        self._at = position
