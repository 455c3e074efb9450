"""JSON documents of several lines: one object or array over many lines, or several one after another."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from llmmigrate.logs.records import Record, decode, holds_lone_surrogate, slots_of, whole

DOCUMENT_ENDS: Final = (b"{", b"[", b",", b":")
LONG_LINE: Final = 1 << 19
"""Bytes of a first line above which an array is decoded element by element."""


def shows_its_kind(head: bytes) -> bool:
    """Whether so much of a text tells if it is a document: two lines, or a long one."""
    _, newline, rest = head.lstrip().partition(b"\n")
    return len(head) > LONG_LINE or (bool(newline) and b"\n" in rest.lstrip())


def starts_document(head: bytes) -> bool:
    """Whether a text, of which the head is given, is a document of several lines, or one line that is a long array.

    A document's first non-blank line is incomplete JSON that the next line can continue.
    """
    text = head.lstrip()
    first, newline, rest = text.partition(b"\n")
    if not newline:
        return text.startswith(b"[") and len(text) > LONG_LINE
    first = first.strip()
    if not first.endswith(DOCUMENT_ENDS) or decode(first)[1] != "invalid_json":
        return False
    return _continues(first, rest.lstrip().partition(b"\n")[0].strip())


def _continues(first: bytes, second: bytes) -> bool:
    """Whether the second line can stand after the first: a line that was cut off is followed by what cannot."""
    start = first.decode(errors="replace") + "\n"
    try:
        json.loads(start + second.decode(errors="replace"))
    except json.JSONDecodeError as error:
        return not second or error.pos > len(start)
    except (ValueError, RecursionError):
        pass
    return True


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
                yield from slots_of(self._next_value())

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
                yield from slots_of(record)
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
            value, _, warnings = whole(value, warnings)
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
