"""The file that records are added to, as plain lines behind what is in it already."""

import os
import stat
from pathlib import Path
from typing import Final

from llmmigrate.errors import UsageError
from llmmigrate.logs.source import MAGIC

_PACKED: Final = (".gz", ".zst", ".bz2")
_STDOUT: Final = "-"
_FIX: Final = "name a plain file, such as calls.jsonl"


def ends_within_a_line(path: str | Path) -> bool:
    """Whether a line has to be ended before a record is added. What cannot be read may end anywhere.

    UsageError where plain lines cannot be added: stdout, which belongs to what is recorded, and a compressed file.
    """
    if str(path) == _STDOUT:
        raise UsageError("records are written to a file, not to stdout", fix=_FIX)
    if str(path).lower().endswith(_PACKED):
        raise UsageError(f"{path} is the name of a compressed file, and records are added as plain lines", fix=_FIX)
    try:
        return _regular(path) and _last_byte(path) not in (b"", b"\n")
    except FileNotFoundError:
        return False
    except PermissionError:
        return True


def _regular(path: str | Path) -> bool:
    return stat.S_ISREG(os.stat(path).st_mode)


def _last_byte(path: str | Path) -> bytes:
    with open(path, "rb") as file:
        head = file.read(4)
        kind = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)
        if kind is not None:
            raise UsageError(f"{path} is compressed ({kind}), and records are added as plain lines", fix=_FIX)
        file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
        return file.read(1)
