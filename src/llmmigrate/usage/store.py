"""Saving and loading profiles: `*.profile.json`, gzip-compressed when large, the same bytes for the same profile."""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec

from llmmigrate.collection import uncollected
from llmmigrate.errors import InputError
from llmmigrate.usage.accounting import Accounting, Lines, Source, Tally
from llmmigrate.usage.cuts import CutMarks
from llmmigrate.usage.profile import Cell, CellKey, LoggedPeak, Profile, SizeSketches, SketchKey

SCHEMA: Final = "llmmigrate.profile/1"
SIGNATURE: Final = b'{"schema":"llmmigrate.profile/'
"""How the text of every saved profile begins, whatever its schema version."""
COMPRESS_ABOVE: Final = 1 << 16

Pairs = list[tuple[int, int]]
K = TypeVar("K", bound=tuple[Any, ...])


class CellRow(msgspec.Struct, frozen=True, array_like=True):
    """One cell as it is saved: its key, then its sums."""

    key: CellKey
    calls: int
    logical: int
    tokens: list[int]
    moments: Pairs
    searches: int = 0
    images: int = 0
    errors: dict[str, int] = {}
    logged_cost: int = 0
    logged_calls: int = 0
    logged_peak: LoggedPeak | None = None


class SketchRow(msgspec.Struct, frozen=True, array_like=True):
    """The sketches of one model and calendar unit: bucket number and count."""

    key: SketchKey
    latency_ms: Pairs
    ttft_ms: Pairs
    input_tokens: Pairs
    output_tokens: Pairs


class SessionRow(msgspec.Struct, frozen=True, array_like=True):
    """Calls and tokens by class of one session bucket of one model."""

    provider: str | None
    model: str | None
    bucket: int
    sums: list[int]


class ProfileFile(msgspec.Struct, frozen=True):
    """The document that is saved (llmmigrate.profile/1)."""

    schema: str
    tags: list[str]
    marks: CutMarks
    timed_sketches: bool
    first_ns: int | None
    last_ns: int | None
    sources: list[Source]
    lines: Lines
    rejects: dict[str, Tally]
    warnings: dict[str, Tally]
    cells: list[CellRow]
    sketches: list[SketchRow]
    sessions: list[SessionRow]
    load: list[tuple[int, list[int]]]


def dump(profile: Profile) -> bytes:
    """The bytes of a profile: one line of JSON, gzip-compressed above 64 KiB, equal for equal profiles."""
    data = msgspec.json.encode(document_of(profile)) + b"\n"
    if len(data) <= COMPRESS_ABOVE:
        return data
    import gzip

    return gzip.compress(data, compresslevel=6, mtime=0)


def load(data: bytes, path: str) -> Profile:
    """The profile in (decompressed) bytes; raises InputError for another schema or broken content."""
    with uncollected(kept=True):
        return _load(data, path)


def _load(data: bytes, path: str) -> Profile:
    try:
        document = msgspec.json.decode(data, type=ProfileFile)
    except msgspec.ValidationError as error:
        raise _unreadable(data, path, str(error)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"{path} is a damaged profile", why=str(error), fix="make it again with ingest") from error
    if document.schema != SCHEMA:
        raise _unreadable(data, path, f"it says {document.schema}")
    return _profile(document)


def _unreadable(data: bytes, path: str, why: str) -> InputError:
    written = data[:60].decode("utf-8", "replace").split('"')[3:4]
    return InputError(
        f"{path} is a profile that this version cannot read",
        why=f"{why}; this version reads {SCHEMA}, the file was written as {''.join(written)}",
        fix="make it again with `llmmigrate ingest`",
    )


def document_of(profile: Profile) -> ProfileFile:
    """A profile as it is saved, in its stable order."""
    accounting = profile.accounting
    return ProfileFile(
        schema=SCHEMA,
        tags=list(profile.tags),
        marks=profile.marks,
        timed_sketches=profile.timed_sketches,
        first_ns=profile.first_ns,
        last_ns=profile.last_ns,
        sources=accounting.sources,
        lines=accounting.lines,
        rejects=dict(sorted(accounting.rejects.items())),
        warnings=dict(sorted(accounting.warnings.items())),
        cells=[_cell_row(key, profile.cells[key]) for key in _ordered(profile.cells)],
        sketches=[_sketch_row(key, profile.sketches[key]) for key in _ordered(profile.sketches)],
        sessions=[
            SessionRow(model[0], model[1], number, profile.sessions[model][number])
            for model in _ordered(profile.sessions)
            for number in sorted(profile.sessions[model])
        ],
        load=sorted(profile.load.items()),
    )


def _cell_row(key: CellKey, cell: Cell) -> CellRow:
    return CellRow(
        key, cell.calls, cell.logical, cell.tokens, sorted(cell.moments.items()), cell.searches, cell.images,
        dict(sorted((cell.errors or {}).items())), cell.logged_cost, cell.logged_calls, cell.logged_peak,
    )  # fmt: skip


def _sketch_row(key: SketchKey, sketches: SizeSketches) -> SketchRow:
    latency, ttft, inputs, outputs = (sorted(part.items()) for part in sketches.parts())
    return SketchRow(key, latency, ttft, inputs, outputs)


def _profile(document: ProfileFile) -> Profile:
    profile = Profile(document.marks, document.tags, timed_sketches=document.timed_sketches)
    profile.first_ns, profile.last_ns = document.first_ns, document.last_ns
    profile.accounting = Accounting(document.sources, document.lines, document.rejects, document.warnings)
    for row in document.cells:
        profile.cells[row.key] = _cell(row)
    for sketch in document.sketches:
        profile.sketches[sketch.key] = SizeSketches(
            dict(sketch.latency_ms), dict(sketch.ttft_ms), dict(sketch.input_tokens), dict(sketch.output_tokens)
        )
    for session in document.sessions:
        profile.sessions.setdefault((session.provider, session.model), {})[session.bucket] = session.sums
    profile.load = dict(document.load)
    return profile


def _cell(row: CellRow) -> Cell:
    return Cell(
        row.calls, row.logical, row.tokens, dict(row.moments), row.searches, row.images, row.errors or None,
        row.logged_cost, row.logged_calls, row.logged_peak,
    )  # fmt: skip


def _ordered(keys: Iterable[K]) -> list[K]:
    return sorted(keys, key=_none_first)


def _none_first(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((part is not None, _none_first(part) if isinstance(part, tuple) else part) for part in key)
