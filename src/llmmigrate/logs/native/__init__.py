"""Compiled code of this room and how it is built: a C compiler makes one library of it, which ctypes loads."""

import ctypes
import hashlib
import os
import shlex
import subprocess
import sysconfig
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
LIBRARY: Final = FOLDER / "scan.so"
SOURCES: Final = (FOLDER / "scan.c", FOLDER / "tokens.h")
MOST_SECONDS: Final = 120


def sources_hash() -> str:
    """The SHA-256, in hex, of what the library is made from."""
    return hashlib.sha256(b"".join(source.read_bytes() for source in SOURCES)).hexdigest()


def load() -> ctypes.CDLL | None:
    """The library; None where there is none, and where it was made from other sources than those beside it."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
        made_from = (ctypes.c_char * 64).in_dll(library, "llmmigrate_scan_sources").value
    except (OSError, ValueError):
        return None
    return library if made_from.decode(errors="replace") == sources_hash() else None


def build() -> bool:
    """Build the library unless it is there; False where no compiler does: the same is done without it, slower."""
    if load() is not None:
        return True
    compilers = dict.fromkeys((os.environ.get("CC"), sysconfig.get_config_var("CC"), "cc"))
    built = any(_built_with(shlex.split(compiler)) for compiler in compilers if compiler)
    if not built:
        LIBRARY.unlink(missing_ok=True)  # one of other sources is of no use
    return built


def _built_with(compiler: list[str]) -> bool:
    unfinished = LIBRARY.with_suffix(f".{os.getpid()}")
    flags = ["-std=c11", "-O2", "-shared", "-fPIC", f'-DSOURCES="{sources_hash()}"']
    command = [*compiler, *flags, str(SOURCES[0]), "-o", str(unfinished)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=MOST_SECONDS, check=False)
        if done.returncode == 0:
            unfinished.replace(LIBRARY)
        return done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        unfinished.unlink(missing_ok=True)
