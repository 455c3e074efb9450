"""The lock of a rollback as it lies in the emitted directory itself: for plans of other folders that have it, too.

Who has locked it goes by its own record (`state.json`), whatever lies there.
"""

import contextlib
from pathlib import Path
from typing import Final

import msgspec

from llmmigrate.errors import ConfigError, RolloutRefusedError
from llmmigrate.rollout.damage import read_record
from llmmigrate.rollout.records import Lock
from llmmigrate.rollout.staging import replace_file
from llmmigrate.rollout.state import Place

FILE: Final = "locked.json"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Whose rollback has locked a directory."""

    plan: str
    record: str
    """The folder with the state of that plan."""
    lock: Lock


def keep_lock(directory: Path, place: Place, lock: Lock | None, *, before: Lock | None) -> None:
    """Write this plan's lock into the directory, or take it away; another plan's is left as it is.

    `before` is the lock that this plan had. Where nothing can be written going back matters more: the plan's own record
    has the lock.
    """
    path = directory / FILE
    with contextlib.suppress(OSError):
        if _of_another(path, place, before):
            return
        if lock is None:
            path.unlink(missing_ok=True)
            return
        held = Held(plan=str(place.plan_path.resolve()), record=_record(place), lock=lock)
        replace_file(path, msgspec.json.format(msgspec.json.encode(held), indent=1).decode() + "\n", mode=0o600)


def check_unlocked(directory: Path, place: Place) -> None:
    """RolloutRefusedError for a directory that a plan of another folder, or name, has locked."""
    path = directory / FILE
    state = place.state()
    if not _of_another(path, place, state.lock if state is not None else None):
        return
    try:
        held: Held = read_record(path, Held)
        what, why = f"{directory} is locked since {held.lock.at} by {held.plan}", f"{held.lock.by}: {held.lock.reason}"
    except ConfigError as error:
        what, why = f"{directory} is locked, and by whom cannot be read", f"{path}: {error.why}"
    fix = f"release it with that plan; where there is none any more, remove {path}"
    raise RolloutRefusedError(what, why=why, fix=fix, code="locked")


def _of_another(path: Path, place: Place, own: Lock | None) -> bool:
    """Whether a lock lies there that is not this plan's; one that cannot be read is, where it has one of its own."""
    try:
        held: Held | None = read_record(path, Held)
    except ConfigError:
        return own is None
    return held is not None and held.record != _record(place)


def _record(place: Place) -> str:
    return str(place.directory.resolve())
