"""Bytes of one input: compression found by its magic bytes, text encoding by its byte-order mark.

The raw bytes are hashed and counted on the way. Memory stays flat: blocks go through, whatever the file's size.
"""

import bz2
import codecs
import hashlib
import itertools
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Final, Protocol

from llmmigrate.errors import InputError

BLOCK: Final = 1 << 21
PACKED: Final = 1 << 16
"""So many compressed bytes are decompressed at one time."""
MAGIC: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}

Progress = Callable[[int], None]
"""Told how many raw bytes were read."""


class Decompressor(Protocol):
    """What zlib's and bz2's decompress objects share."""

    @property
    def eof(self) -> bool:
        """Whether a member ended."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What follows the member's end."""
        ...

    def decompress(self, data: bytes, /) -> bytes:
        """The bytes that this part of the stream gives."""
        ...


class ByteSource:
    """One input as blocks of decompressed UTF-8 bytes without a byte-order mark.

    After it was read to its end, `bytes` and `sha256` describe the raw input and `warnings` holds codes such as
    `truncated_gzip`.
    """

    def __init__(self, path: str, *, progress: Progress | None = None) -> None:
        self.path = path
        self.bytes = 0
        self.warnings: list[str] = []
        self._hash = hashlib.sha256()
        self._progress = progress

    @property
    def sha256(self) -> str:
        """Hash of the raw bytes read so far, in hex."""
        return self._hash.hexdigest()

    def blocks(self) -> Iterator[bytes]:
        """The text, block by block."""
        if self.path == "-":
            yield from self._text(sys.stdin.buffer)
            return
        with open(self.path, "rb") as file:
            yield from self._text(file)

    def _text(self, file: IO[bytes]) -> Iterator[bytes]:
        blocks = filter(None, self._decompressed(file))  # a decompressor may swallow a block and give nothing yet
        head = next(blocks, b"")
        while len(head) < 4 and (more := next(blocks, b"")):
            head += more
        encoding = UTF16.get(head[:2])
        if encoding is not None:
            yield from _transcoded(head[2:], blocks, encoding)
            return
        yield head.removeprefix(codecs.BOM_UTF8)
        yield from blocks

    def _decompressed(self, file: IO[bytes]) -> Iterator[bytes]:
        raw = self._raw(file)
        head = next(raw, b"")
        while 0 < len(head) < 4 and (more := next(raw, b"")):
            head += more
        kind = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)
        if kind is None:
            yield head
            yield from raw
        else:
            yield from self._members(head, raw, kind)

    def _raw(self, file: IO[bytes]) -> Iterator[bytes]:
        while block := file.read(BLOCK):
            self.bytes += len(block)
            self._hash.update(block)
            if self._progress is not None:
                self._progress(len(block))
            yield block

    def _members(self, head: bytes, raw: Iterator[bytes], kind: str) -> Iterator[bytes]:
        """Decompress a stream of one or more members; what decompresses before damage or a cut is kept."""
        stream, failures = _decompressor(kind), _failures(kind)
        packed = _pieces(itertools.chain((head,), raw))
        data = next(packed)
        while True:
            try:
                yield stream.decompress(data)
            except failures:
                self.warnings.append(f"truncated_{kind}")
                return
            if stream.eof:
                data = stream.unused_data or next(packed, b"")
                if not data.strip(b"\0"):
                    return
                stream = _decompressor(kind)
                continue
            data = next(packed, b"")
            if not data:
                self.warnings.append(f"truncated_{kind}")
                return


def _pieces(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks in small pieces: a log may grow fifty times when it is decompressed."""
    for block in blocks:
        for start in range(0, len(block), PACKED):
            yield block[start : start + PACKED]


def _decompressor(kind: str) -> Decompressor:
    if kind == "gzip":
        return zlib.decompressobj(wbits=31)
    if kind == "bz2":
        return bz2.BZ2Decompressor()
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj()


def _failures(kind: str) -> tuple[type[Exception], ...]:
    """What a decompressor raises for damage."""
    if kind != "zstd":
        return zlib.error, OSError, EOFError
    import zstandard

    return (zstandard.ZstdError,)


def _transcoded(head: bytes, blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    yield decoder.decode(head).encode()
    for block in blocks:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


SUFFIXES: Final = tuple(
    f".{kind}{packed}"
    for kind in ("jsonl", "ndjson", "json", "log", "csv", "tsv")
    for packed in ("", ".gz", ".zst", ".bz2")
)


def expand(paths: list[str]) -> list[str]:
    """The files that paths, globs and directories name, in a stable order; raises InputError for what is not there."""
    found: list[str] = []
    for path in paths:
        found.extend(_expand_one(path))
    return list(dict.fromkeys(found))


def _expand_one(path: str) -> list[str]:
    if path == "-":
        return [path]
    place = Path(path)
    if place.is_dir():
        return _directory(place)
    if place.exists():
        return [path]
    if any(sign in path for sign in "*?["):
        return _glob(path)
    raise _missing(place)


def _directory(place: Path) -> list[str]:
    files = sorted(
        str(file)
        for file in place.rglob("*")
        if file.is_file()
        and file.name.endswith(SUFFIXES)
        and not any(part.startswith(".") for part in file.relative_to(place).parts)
    )
    if not files:
        raise InputError(
            f"no logs in the directory {place}",
            why="looked for .jsonl, .ndjson, .json, .log and .csv files (also .gz, .zst, .bz2), at any depth",
            fix="name the files themselves",
            code="no_records",
        )
    return files


def _glob(pattern: str) -> list[str]:
    import glob

    files = sorted(glob.glob(pattern, recursive=True))
    if not files:
        raise InputError(f"no file matches {pattern}", fix="check the pattern", code="no_records")
    return [file for path in files for file in _expand_one(path)]


def _missing(place: Path) -> InputError:
    from llmmigrate.errors import nearest

    siblings = [file.name for file in place.parent.iterdir()] if place.parent.is_dir() else []
    near = nearest(place.name, siblings, limit=1)
    fix = f"did you mean {place.with_name(near[0])}?" if near else "check the path, or try `llmmigrate analyze --demo`"
    return InputError(f"no such file: {place}", fix=fix, code="no_such_file")
