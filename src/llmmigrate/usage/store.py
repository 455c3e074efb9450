"""Saving and loading profiles: `*.profile.json`, gzip-compressed when large, the same bytes for the same profile."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from llmmigrate.collection import uncollected
from llmmigrate.errors import InputError
from llmmigrate.usage.accounting import Accounting, Lines, Source, Tally
from llmmigrate.usage.cuts import CutMarks
from llmmigrate.usage.profile import Cell, CellKey, Profile, SizeSketches, SketchKey, TagValues

SCHEMA: Final = "llmmigrate.profile/1"
SIGNATURE: Final = b'{"schema":"llmmigrate.profile/'
"""How the text of every saved profile begins, whatever its schema version."""
COMPRESS_ABOVE: Final = 1 << 16
_START: Final = CellKey._fields.index("start")
_END: Final = CellKey._fields.index("end")

_AGAIN: Final = "make it again with `llmmigrate ingest`"

K = TypeVar("K", bound=tuple[Any, ...])


class GroupKey(NamedTuple):
    """A cell's key without its time; the fields are those of `CellKey`."""

    provider: str | None
    model: str | None
    service_tier: str
    prompt_above: int
    prompt_upto: int | None
    output_above: int
    output_upto: int | None
    mask: int
    usage: str
    billing: str
    tags: TagValues


class CellGroup(msgspec.Struct, frozen=True, array_like=True):
    """Cells that differ in nothing but time: start, end and sums of each. Most of a key is the same in thousands."""

    key: GroupKey
    cells: list[tuple[int | None, int | None, Cell]]


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
    cells: list[CellGroup]
    sketches: list[tuple[SketchKey, SizeSketches]]
    sessions: list[SessionRow]
    load: list[tuple[int, list[int]]]


def dump(profile: Profile) -> bytes:
    """The bytes of a profile: one line of JSON, gzip-compressed above 64 KiB, equal for equal profiles."""
    data = msgspec.json.encode(document_of(profile)) + b"\n"
    if len(data) <= COMPRESS_ABOVE:
        return data
    import gzip

    return gzip.compress(data, compresslevel=6, mtime=0)


def load(data: bytes, path: str, *, again: str = _AGAIN) -> Profile:
    """The profile in (decompressed) bytes; raises InputError for another schema or broken content.

    `again` says how such a file is made again.
    """
    with uncollected(kept=True):
        return _load(data, path, again)


def _load(data: bytes, path: str, again: str) -> Profile:
    try:
        document = msgspec.json.decode(data, type=ProfileFile)
    except msgspec.ValidationError as error:
        raise _unreadable(data, path, str(error), again) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"{path} is a damaged profile", why=str(error), fix=again) from error
    if document.schema != SCHEMA:
        raise _unreadable(data, path, f"it says {document.schema}", again)
    profile = _profile(document)
    if len(profile.cells) != sum(len(group.cells) for group in document.cells):
        raise InputError(f"{path} is a damaged profile", why="it has two cells of one key", fix=again)
    return profile


def _unreadable(data: bytes, path: str, why: str, again: str) -> InputError:
    written = "".join(data[:60].decode("utf-8", "replace").split('"')[3:4])
    if written == SCHEMA:
        return InputError(f"{path} is a damaged profile, or one of another build", why=why, fix=again)
    return InputError(
        f"{path} is a profile that this version cannot read",
        why=f"{why}; this version reads {SCHEMA}, the file was written as {written}",
        fix=again,
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
        cells=_groups(profile),
        sketches=[(key, _sketches(profile.sketches[key])) for key in _ordered(profile.sketches)],
        sessions=[
            SessionRow(model[0], model[1], number, profile.sessions[model][number])
            for model in _ordered(profile.sessions)
            for number in sorted(profile.sessions[model])
        ],
        load=sorted(profile.load.items()),
    )


def _groups(profile: Profile) -> list[CellGroup]:
    groups: dict[GroupKey, list[tuple[int | None, int | None, Cell]]] = {}
    for key in _ordered(profile.cells):
        group = GroupKey._make((*key[:_START], *key[_END + 1 :]))
        groups.setdefault(group, []).append((key.start, key.end, _sorted_cell(profile.cells[key])))
    return [CellGroup(key, groups[key]) for key in _ordered(groups)]


def _sorted_cell(cell: Cell) -> Cell:
    errors = None if cell.errors is None else dict(sorted(cell.errors.items()))
    return msgspec.structs.replace(cell, moments=dict(sorted(cell.moments.items())), errors=errors)


def _sketches(sketches: SizeSketches) -> SizeSketches:
    return SizeSketches(*(dict(sorted(part.items())) for part in sketches.parts()))


def _profile(document: ProfileFile) -> Profile:
    profile = Profile(document.marks, document.tags, timed_sketches=document.timed_sketches)
    profile.first_ns, profile.last_ns = document.first_ns, document.last_ns
    profile.accounting = Accounting(document.sources, document.lines, document.rejects, document.warnings)
    for group in document.cells:
        before, after = group.key[:_START], group.key[_START:]
        for start, end, cell in group.cells:
            profile.cells[CellKey._make((*before, start, end, *after))] = cell
    profile.sketches = dict(document.sketches)
    for session in document.sessions:
        profile.sessions.setdefault((session.provider, session.model), {})[session.bucket] = session.sums
    profile.load = dict(document.load)
    return profile


def _ordered(keys: Iterable[K]) -> list[K]:
    return sorted(keys, key=_none_first)


def _none_first(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((part is not None, _none_first(part) if isinstance(part, tuple) else part) for part in key)
