"""Lines of one record shape, decoded into typed rows and turned into columns.

What is not perfectly regular (another shape, a count that is no plain integer …) is not decoded here.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec

from llmmigrate.arrays import np
from llmmigrate.logs import formats, names
from llmmigrate.logs.field_names import TEXT_KEYS, fields, snake
from llmmigrate.logs.records import holds_lone_surrogate
from llmmigrate.logs.values import MOST_MS, MOST_TOKENS

Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]
Duration = Annotated[float, msgspec.Meta(ge=0, le=MOST_MS)]
MOST_COST_USD: Final = 1_000_000
"""So that whole 1e-12 USD fit into 64 bits."""
Cost = Annotated[float, msgspec.Meta(ge=-MOST_COST_USD, le=MOST_COST_USD)]
Scalar = str | int | float | bool | None

COLUMN_TYPES: Final[dict[str, Any]] = {
    "timestamp": str,
    "request_id": str | None,
    "attempt": int | None,
    "provider": str | None,
    "model": str | None,
    "service_tier": str | None,
    "input_tokens": Tokens,
    "output_tokens": Tokens,
    "cached_input_tokens": Tokens | None,
    "cache_write_5m_tokens": Tokens | None,
    "cache_write_1h_tokens": Tokens | None,
    "reasoning_tokens": Tokens | None,
    "latency_ms": Duration | None,
    "ttft_ms": Duration | None,
    "status": Scalar,
    "error": Scalar,
    "finish_reason": Scalar,
    "session_id": str | None,
    "logged_cost": Cost | None,
}
REQUIRED: Final = ("timestamp", "input_tokens", "output_tokens")
UNFIT_KEYS: Final = frozenset({"object", "type", "event", "request", "response"})
"""Their values can decide the format, so a record with one is never read by its shape alone."""
WORDS: Final = frozenset({"provider", "model", "service_tier"})
"""Fields that have few words; tags are tried, too."""
MOST_WORDS: Final = 64
MOST_LESSONS: Final = 16
"""So many blocks may bring new words."""


class Shape(NamedTuple):
    """A record shape that a lane can read: the record's keys and the canonical field of each, or None for a tag.

    Keys are written in the lines as they are, without escapes.
    """

    keys: tuple[str, ...]
    columns: tuple[str | None, ...]

    def pairs(self) -> Iterator[tuple[str, str | None]]:
        """Keys with their fields."""
        return zip(self.keys, self.columns, strict=True)


def shape_of(record: dict[str, Any]) -> Shape | None:
    """The shape of a record if a lane can read such records, else None."""
    module = formats.detect(record)
    if module is None or module.NAME != formats.FALLBACK or not UNFIT_KEYS.isdisjoint(record):
        return None
    if not all(map(_is_plain, record)):
        return None
    found = fields(tuple(record)).keys
    if any(len(keys) > 1 or field not in COLUMN_TYPES for field, keys in found.items()):
        return None
    if any(field not in found for field in REQUIRED):
        return None
    if any(isinstance(value, dict | list) for key, value in record.items() if snake(key) not in TEXT_KEYS):
        return None
    column_of = {keys[0]: field for field, keys in found.items()}
    return Shape(tuple(record), tuple(column_of.get(key) for key in record))


def _is_plain(key: str) -> bool:
    """Whether JSON may write a key as it is; a half surrogate pair cannot be written at all."""
    return key.isprintable() and '"' not in key and "\\" not in key


def tag_keys(shape: Shape, tags: Sequence[str]) -> frozenset[str]:
    """The keys of a shape that are tags asked for; what may hold text or a credential never is."""
    return frozenset(key for key in fields(shape.keys).extra if key in tags and names.tag(key) is not None)


class Block(NamedTuple):
    """Decoded lines: one sequence a key of the shape."""

    values: dict[str, Sequence[Any]]
    tags: dict[str, Sequence[Any]]
    size: int


class FlatLane:
    """Reads blocks of one shape.

    Fields with few words (providers, models, tags) are decoded as one of the words seen so far: a word is then the same
    object in every row, which is neither made nor hashed again. A block with a new word is decoded without.
    """

    def __init__(self, shape: Shape, tags: tuple[str, ...]) -> None:
        self.shape = shape
        self._tags = tag_keys(shape, tags)
        self._words = {key: _Words() for key, field in shape.pairs() if field in WORDS or key in self._tags}
        self._any_words = self._decoder({})
        self._known_words: msgspec.json.Decoder[Any] | None = None
        self._lessons = MOST_LESSONS
        self._is_new = False

    def decode(self, body: bytes) -> list[Any] | None:
        """The rows of a block of whole lines, None unless every line is one regular record."""
        rows = None if self._known_words is None else _decoded(self._known_words, body)
        self._is_new = rows is None
        if rows is None:
            rows = _decoded(self._any_words, body)
        return rows if rows is not None and len(rows) == line_count(body) and is_whole_text(body) else None

    def columns(self, rows: Sequence[Any]) -> Block:
        """Rows as columns, by canonical field and by tag; each row is touched once, while it is in the cache."""
        by_field = list(zip(*map(msgspec.structs.astuple, rows), strict=True))
        if self._is_new:
            self._learn(by_field)
        values: dict[str, Sequence[Any]] = {}
        tags: dict[str, Sequence[Any]] = {}
        for column, key, field in zip(by_field, self.shape.keys, self.shape.columns, strict=True):
            if field is not None:
                values[field] = column
            elif key in self._tags:
                tags[key] = column
        return Block(values, tags, len(rows))

    def _learn(self, by_field: Sequence[Sequence[Any]]) -> None:
        """Take in the words of a block; where words are new again and again, do without."""
        self._lessons -= 1
        if self._lessons < 0:
            self._known_words = None
            return
        for column, key in zip(by_field, self.shape.keys, strict=True):
            if key in self._words:
                self._words[key].add(column)
        words = {key: found.kind() for key, found in self._words.items() if found.are_few()}
        self._known_words = self._decoder(words) if words else None

    def _decoder(self, words: dict[str, Any]) -> "msgspec.json.Decoder[Any]":
        return msgspec.json.Decoder(_row_type(self.shape, words))


class _Words:
    """The words of one field, as far as they are texts and few."""

    def __init__(self) -> None:
        self._found: set[str | None] = set()
        self._are_texts = True

    def add(self, column: Sequence[Any]) -> None:
        """Take in a block's words."""
        if self.are_few():
            found = set(column)
            self._are_texts = {type(word) for word in found} <= {str, type(None)}
            self._found |= found

    def are_few(self) -> bool:
        """Whether they are worth to be known."""
        return self._are_texts and len(self._found) <= MOST_WORDS

    def kind(self) -> Any:
        """The type that has these words only."""
        return Literal[tuple(self._found)]


def _decoded(decoder: "msgspec.json.Decoder[Any]", body: bytes) -> list[Any] | None:
    try:
        return decoder.decode_lines(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def is_whole_text(body: bytes) -> bool:
    """Whether lines are UTF-8 and spell no half surrogate pair: their strings can be written again as they are."""
    return (body.isascii() or _is_utf8(body)) and not holds_lone_surrogate(body)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def line_count(body: bytes) -> int:
    """How many newlines there are; several times as quick as `bytes.count` for short lines."""
    return int(np.count_nonzero(np.frombuffer(body, dtype=np.uint8) == 10))


def _row_type(shape: Shape, words: dict[str, Any]) -> Any:
    """The type of a row; `words` are the types of fields whose words are known."""
    typed: list[Any] = []
    for number, (key, field) in enumerate(shape.pairs()):
        kind: Any = words.get(key) or (COLUMN_TYPES[field] if field else Scalar)
        if field is None and snake(key) in TEXT_KEYS:
            kind = msgspec.Raw
        typed.append((f"f{number}", kind) if field in REQUIRED else (f"f{number}", kind, None))
    renamed = {f"f{number}": key for number, key in enumerate(shape.keys)}
    # In the order of the lines (kw_only allows it), because the decoder looks for the next field first.
    return msgspec.defstruct("Row", typed, rename=renamed, forbid_unknown_fields=True, kw_only=True, gc=False)
