"""Records on the disk that cannot be read: told with file, line and what to do; good lines of a journal are kept."""

import json
import os
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from llmmigrate.errors import ConfigError, Location
from llmmigrate.rollout.records import State

_BYTE: Final = re.compile(r"\(byte ([0-9]+)\)", re.ASCII)
_KEY: Final = re.compile(r"([A-Za-z_0-9]+)(?:\[[^\]]*\])*`$", re.ASCII)
_FIXES: Final[Mapping[str, str]] = {
    "state.json": "llmmigrate rollback goes back all the same, and writes it anew",
    "emitted.json": "llmmigrate rollout emit writes it anew; llmmigrate rollback goes by the plan meanwhile",
    "verified.json": "remove it, and drill again",
}
_FIX: Final = "remove it: it is written anew"


class Journaled(NamedTuple):
    """What a journal holds."""

    lines: list[dict[str, Any]]
    damaged: list[str]
    """What was left out, with file and line."""


def read_record(path: Path, kind: Any) -> Any:
    """A file as a record, None where there is none. ConfigError, with the line, for one that is not ours."""
    data = b""
    try:
        data = path.read_bytes()
        found = msgspec.json.decode(data, type=kind)
        if isinstance(found, State):
            _check(found)
        return found
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError, DecimalException) as error:
        where = Location(str(path), _line(data, str(error)))
        fix = _FIXES.get(path.name, _FIX)
        raise ConfigError(f"{path.name} cannot be read", where=where, why=str(error), fix=fix) from None


def told(error: ConfigError) -> str:
    """The same in one line, for a page that shows the rest."""
    return f"{error.where}: {error.what} ({error.why}): {error.fix}"


def read_journal(path: Path) -> Journaled:
    """The good lines of a journal. What a kill has cut, or somebody has damaged, is left out and told."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return Journaled([], [])
    except OSError as error:
        return Journaled([], [f"{path}: cannot be read ({error})"])
    good, damaged = [], []
    for number, line in enumerate(lines, 1):
        try:
            found = json.loads(line) if line else None
        except (ValueError, RecursionError):
            found = line
        if isinstance(found, dict):
            good.append(found)
        elif line:
            damaged.append(f"{path}:{number}: this line is damaged and was left out; remove it")
    return Journaled(good, damaged)


def append_line(path: Path, line: str) -> None:
    """Add a line to a journal, on the disk before this returns. One that a kill has cut is left as it is, by itself."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as stream:
        if stream.seek(0, os.SEEK_END):
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                line = f"\n{line}"
        stream.write(f"{line}\n".encode())
        stream.flush()
        os.fsync(stream.fileno())


def _check(state: State) -> None:
    """ValueError or DecimalException for values that are written nowhere."""
    lock, pending = state.lock, state.pending
    for moment in (state.since, *([lock.at] if lock else []), *([pending.at] if pending else [])):
        if datetime.fromisoformat(moment).tzinfo is None:
            raise ValueError(f"'{moment}' is no moment - at `$.since`")
    if state.share is not None and not 0 <= Decimal(state.share) <= 1:
        raise ValueError(f"'{state.share}' is no share - at `$.share`")
    if "\0" in f"{state.directory}{state.file}":
        raise ValueError("no path - at `$.directory`")
    if pending is not None and pending.before is not None:
        _check(pending.before)


def _line(data: bytes, why: str) -> int:
    """Where what a decoder stumbled over stands: at a byte, else at the key that it names, else at the end."""
    if (byte := _BYTE.search(why)) is not None:
        return data.count(b"\n", 0, int(byte[1])) + 1
    key = _KEY.search(why)
    if key is not None:
        place = data.find(f'"{key[1]}"'.encode())
        return data.count(b"\n", 0, max(place, 0)) + 1
    return data.count(b"\n", 0, max(0, len(data) - 1)) + 1
