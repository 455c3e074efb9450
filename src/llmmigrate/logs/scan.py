"""Blocks of flat lines read by compiled code (native/scan.c), which gives the same fields as decoded rows.

The library is built when the package is installed, where there is a C compiler (tools/build_hook.py), and it is used
only while it was made from the sources beside it. Where there is none, or for a block that it does not vouch for, rows
are decoded (rows.py): the result is the same.
"""

import ctypes
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec

from llmmigrate.arrays import np
from llmmigrate.logs import names, native
from llmmigrate.logs.lane import COUNTS, ODD_SHARE, Codes, Fields
from llmmigrate.logs.rows import MOST_COST_USD, REQUIRED, Shape, is_whole_text, tag_keys
from llmmigrate.logs.values import MOST_MS, MOST_TOKENS
from llmmigrate.usage.calls_by_column import Integers

# As in native/scan.c.
MOST_FIELDS: Final = 64
MOST_WORDS: Final = 16
MOST_COMBINATIONS: Final = 4096
SKIPPED, INSTANT, COUNT, NUMBER, TEXT, WORD, SCALAR_WORD = range(7)
SERIES, OUTCOME = range(2)

ALL_COUNTS: Final = (*COUNTS, "attempt")
DURATIONS: Final = ("latency_ms", "ttft_ms")
NUMBERS: Final = (*DURATIONS, "logged_cost")
TEXTS: Final = ("request_id", "session_id")
SERIES_WORDS: Final = ("provider", "model", "service_tier")
OUTCOME_WORDS: Final = ("status", "error")
SHORTEST_LINE: Final = 64
"""Bytes on average, less than any regular line has. Room for more rows would cost memory, though it is not written."""


class _Field(ctypes.Structure):
    _fields_ = [
        ("key", ctypes.c_char_p),
        ("length", ctypes.c_int64),
        ("kind", ctypes.c_int32),
        ("column", ctypes.c_int32),
        ("group", ctypes.c_int32),
        ("required", ctypes.c_int32),
        ("low", ctypes.c_double),
        ("high", ctypes.c_double),
    ]


class _Texts(ctypes.Structure):
    _fields_ = [("signs", ctypes.c_void_p), ("room", ctypes.c_int64), ("size", ctypes.c_int64)]


class _Group(ctypes.Structure):
    _fields_ = [
        ("numbers", ctypes.c_void_p),
        ("words", ctypes.c_void_p),
        ("width", ctypes.c_int32),
        ("count", ctypes.c_int32),
    ]


class _Columns(ctypes.Structure):
    _fields_ = [
        ("capacity", ctypes.c_int64),
        ("most_odd", ctypes.c_int64),
        ("odd", ctypes.c_void_p),
        ("instants", ctypes.c_void_p),
        ("counts", ctypes.c_void_p),
        ("numbers", ctypes.c_void_p),
        ("texts", _Texts * len(TEXTS)),
        ("groups", _Group * 2),
    ]


@cache
def library() -> ctypes.CDLL | None:
    """The compiled library; None where there is none."""
    found = native.load()
    if found is not None:
        found.llmmigrate_scan.argtypes = (
            ctypes.c_char_p,
            ctypes.c_int64,
            ctypes.POINTER(_Field),
            ctypes.c_int32,
            ctypes.POINTER(_Columns),
        )
        found.llmmigrate_scan.restype = ctypes.c_int64
    return found


class _Buffers:
    """Room for the rows of a block of so many bytes; used again for the next one."""

    def __init__(self, size: int, widths: Sequence[int]) -> None:
        self.size = size
        rows = size // SHORTEST_LINE + 1
        self.odd = np.empty(rows, dtype=np.uint8)
        self.instants = np.empty(rows, dtype=np.int64)
        self.counts = np.empty((len(ALL_COUNTS), rows), dtype=np.int64)
        self.numbers = np.empty((len(NUMBERS), rows), dtype=np.float64)
        self.texts = [np.empty(size + rows, dtype=np.uint8) for _ in TEXTS]
        self.groups = [np.empty(rows, dtype=np.int32) for _ in widths]
        self.words = [np.empty((MOST_COMBINATIONS, MOST_WORDS, 2), dtype=np.uint32) for _ in widths]
        self._widths = widths

    def columns(self, most_odd: int) -> _Columns:
        """Where compiled code is to write."""
        texts = (_Texts(text.ctypes.data, len(text), 0) for text in self.texts)
        groups = zip(self.groups, self.words, self._widths, strict=True)
        return _Columns(
            len(self.odd),
            most_odd,
            self.odd.ctypes.data,
            self.instants.ctypes.data,
            self.counts.ctypes.data,
            self.numbers.ctypes.data,
            (_Texts * len(TEXTS))(*texts),
            (_Group * 2)(
                *(_Group(numbers.ctypes.data, words.ctypes.data, width, 0) for numbers, words, width in groups)
            ),
        )


class _Word(NamedTuple):
    """Which word of its group a key's value is."""

    group: int
    column: int
    kind: int


class Scanner:
    """Reads blocks of one shape. What it returns is good until the next block is read."""

    def __init__(self, found: ctypes.CDLL, shape: Shape, tags: Sequence[str]) -> None:
        self._library = found
        self._names = set(shape.columns)
        self._widths = [len(SERIES_WORDS) + len(tags), len(OUTCOME_WORDS)]
        allowed = tag_keys(shape, tags)
        fields = [_field(key, field, _word(key, field, allowed, tags)) for key, field in shape.pairs()]
        self._fields = (_Field * len(fields))(*fields)
        self._buffers = _Buffers(0, self._widths)
        self._classes: dict[tuple[bytes, ...], str | None] = {}

    @classmethod
    def of(cls, shape: Shape, tags: Sequence[str]) -> "Scanner | None":
        """A scanner for records of this shape, None where compiled code is not there or has no room for it."""
        found = library()
        fits = len(shape.keys) <= MOST_FIELDS and len(SERIES_WORDS) + len(tags) <= MOST_WORDS
        return cls(found, shape, tags) if found and fits else None

    def read(self, block: bytes, codes: Codes) -> Fields | None:
        """The fields of a block of whole lines; None unless almost all of them are regular records of the shape."""
        if not is_whole_text(block):
            return None
        if len(block) > self._buffers.size:
            self._buffers = _Buffers(len(block) * 9 // 8, self._widths)  # blocks differ a little
        buffers = self._buffers
        columns = buffers.columns(most_odd=int(len(buffers.odd) / ODD_SHARE))
        size = self._library.llmmigrate_scan(block, len(block), self._fields, len(self._fields), ctypes.byref(columns))
        if size < 0:
            return None
        numbers = dict(zip(NUMBERS, buffers.numbers[:, :size].copy(), strict=True))
        return Fields(
            buffers.instants[:size].copy(),
            buffers.odd[:size] != 0,
            self._series(block, columns, size, codes),
            dict(zip(ALL_COUNTS, buffers.counts[:, :size], strict=True)),
            self._errors(block, columns, size),
            numbers["latency_ms"],
            numbers["ttft_ms"],
            numbers["logged_cost"],
            self._texts(columns, 0) or [None] * size,
            self._texts(columns, 1),
        )

    def _texts(self, columns: _Columns, place: int) -> list[str] | None:
        """One text a line, empty where it has none; None where no line has one."""
        if TEXTS[place] not in self._names:
            return None
        signs = self._buffers.texts[place][: columns.texts[place].size - 1]
        return signs.tobytes().decode().split("\n")

    def _series(self, block: bytes, columns: _Columns, size: int, codes: Codes) -> Integers:
        found = []
        for words in self._combinations(block, columns, SERIES):
            code = codes.known.get(words)
            if code is None:
                provider, model, tier, *tags = map(_value, words)
                code = codes.add(words, provider, model, tier, tags)
            found.append(code)
        return np.array(found, dtype=np.int64)[self._buffers.groups[SERIES][:size]]

    def _errors(self, block: bytes, columns: _Columns, size: int) -> dict[int, str]:
        if self._names.isdisjoint(OUTCOME_WORDS):
            return {}
        if len(self._classes) > MOST_COMBINATIONS:  # words such as messages, each of them once
            self._classes.clear()
        found = []
        for words in self._combinations(block, columns, OUTCOME):
            if words not in self._classes:
                self._classes[words] = names.error(*map(_value, words))
            found.append(self._classes[words])
        numbers = self._buffers.groups[OUTCOME][:size]
        failed = np.array([name is not None for name in found])[numbers]
        rows = np.flatnonzero(failed)
        return {row: found[number] or "" for row, number in zip(rows.tolist(), numbers[rows].tolist(), strict=True)}

    def _combinations(self, block: bytes, columns: _Columns, group: int) -> Iterator[tuple[bytes, ...]]:
        """The distinct combinations of a group's words, as they are written; nothing for a missing one."""
        places = self._buffers.words[group][: columns.groups[group].count, : self._widths[group]]
        for combination in places.tolist():
            yield tuple(block[begin:end] for begin, end in combination)


def _word(key: str, field: str | None, allowed: Collection[str], tags: Sequence[str]) -> _Word | None:
    if field in SERIES_WORDS:
        return _Word(SERIES, SERIES_WORDS.index(field), WORD)
    if field in OUTCOME_WORDS:
        return _Word(OUTCOME, OUTCOME_WORDS.index(field), SCALAR_WORD)
    return _Word(SERIES, len(SERIES_WORDS) + tags.index(key), SCALAR_WORD) if key in allowed else None


def _field(key: str, field: str | None, word: _Word | None) -> _Field:
    kind, column, low, high = SKIPPED, 0, 0.0, 0.0
    if word is not None:
        kind, column = word.kind, word.column
    elif field == "timestamp":
        kind = INSTANT
    elif field in ALL_COUNTS:
        kind, column, high = COUNT, ALL_COUNTS.index(field), MOST_TOKENS
    elif field in DURATIONS:
        kind, column, high = NUMBER, NUMBERS.index(field), MOST_MS
    elif field == "logged_cost":
        kind, column, low, high = NUMBER, NUMBERS.index(field), -MOST_COST_USD, MOST_COST_USD
    elif field in TEXTS:
        kind, column = TEXT, TEXTS.index(field)
    name = key.encode()
    return _Field(name, len(name), kind, column, word.group if word else 0, field in REQUIRED, low, high)


def _value(word: bytes) -> Any:
    return msgspec.json.decode(word) if word else None
