"""Which stage is in force: told by what the gateway's file holds, where a change was begun and is not known to be done.

The file is the old one or the new one, whenever a kill comes; both were recorded before it was exchanged. What is
neither may still be one that was emitted. Anything else is not guessed.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from llmmigrate.rollout.plan import BACK
from llmmigrate.rollout.records import State

EMITTED: Final = "emitted.json"


class _Stages(msgspec.Struct, frozen=True, kw_only=True):
    stages: dict[str, str] = {}


def text_hash(text: str) -> str:
    """SHA-256 of a file's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_hash(path: Path) -> str | None:
    """SHA-256 of a file; None where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):
        return None


def emitted_hashes(folder: Path) -> Mapping[str, str]:
    """SHA-256 of each stage's file as it was emitted; none where that is not known."""
    try:
        return msgspec.json.decode((folder / EMITTED).read_bytes(), type=_Stages).stages
    except (OSError, msgspec.DecodeError, RecursionError):
        return {}


def in_force(record: State, root: Path, folder: Path) -> State | None:
    """What is in force by a record and the file that it speaks of; None where that is no stage yet.

    `root` is the plan's folder, `folder` that of the record. The lock of a rollback holds from its beginning on; a
    release holds with the file.
    """
    pending = record.pending
    if pending is None:
        return record
    held = file_hash(root / (record.directory or "") / (record.file or ""))
    if held is not None and held == record.sha256:
        return record
    before = pending.before
    lock = record.lock or (before.lock if before is not None else None)
    if held is not None and held == pending.sha256:
        if before is not None:
            return msgspec.structs.replace(before, lock=lock, pending=pending)
        if lock is None:
            return None
    stage = _named(held, emitted_hashes(folder)) if held is not None else None
    return msgspec.structs.replace(record, stage=stage, share=None, sha256=held, lock=lock)


def _named(held: str, emitted: Mapping[str, str]) -> str | None:
    """The stage that was emitted with this file; the way back where others have the same."""
    names = [name for name, digest in emitted.items() if digest == held]
    return BACK if BACK in names else next(iter(names), None)
