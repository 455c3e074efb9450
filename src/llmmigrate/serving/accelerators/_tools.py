"""Asking a vendor's command line tool, and reading what such tools write."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from typing import Final

import msgspec

SECONDS = 5.0
"""How long a tool may take. A hung driver makes its tool hang, too."""

_UNKNOWN: Final = re.compile(r"\[?(n/?a|not supported|unknown error|unknown|none|x+|-)?\]?", re.IGNORECASE)


class Answer(msgspec.Struct, frozen=True):
    """What a tool wrote, or why there is nothing; both None where it is not installed."""

    text: str | None = None
    problem: str | None = None


def ask(name: str, *arguments: str) -> Answer:
    """Run a tool and give its output. It is ended, with all that it started, when it takes longer than `SECONDS`."""
    path = shutil.which(name)
    if path is None:
        return Answer()
    try:
        process = subprocess.Popen(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,
        )
    except OSError as error:
        return Answer(problem=f"{name} cannot be run: {error.strerror}")
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        _end(process)
        return Answer(problem=f"{name} did not answer within {SECONDS:g} s")
    if process.returncode:
        words = (err or out).decode(errors="replace").strip().splitlines()
        return Answer(problem=f"{name} failed with exit code {process.returncode}: {words[0] if words else 'no words'}")
    return Answer(text=out.decode(errors="replace"))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process group. One that waits inside a driver cannot be killed: it is left behind, not waited for."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1.0)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def known(text: object) -> str | None:
    """The text of a field, None for the many ways in which tools say that they do not know."""
    words = "" if text is None else str(text).strip()
    return None if _UNKNOWN.fullmatch(words) else words


def whole(text: object) -> int | None:
    """A whole number, None for what is none."""
    words = known(text)
    return int(words) if words is not None and re.fullmatch(r"[0-9]+", words) else None


def scaled(text: object, unit: int) -> int | None:
    """A whole number of `unit` bytes, in bytes."""
    number = whole(text)
    return None if number is None else number * unit


def bus_address(text: object) -> str | None:
    """A PCI address in lower case, its domain in four digits: `00000000:41:00.0` and `0000:41:00.0` are one."""
    words = known(text)
    match = re.fullmatch(r"(?:([0-9a-f]+):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])", words.lower()) if words else None
    return f"{int(match[1] or '0', 16):04x}:{match[2]}" if match else None


def rows(text: str) -> list[list[str]]:
    """The cells of every row that a box table draws between `|`."""
    lines = (line.strip() for line in text.splitlines())
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines if re.fullmatch(r"\|.*\|", line)]
