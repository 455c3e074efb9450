"""Where results go: stdout or files, the format by suffix, checked before the work and written whole or not at all."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from llmmigrate import registry
from llmmigrate.cli.console import Console
from llmmigrate.errors import InputError, UsageError, nearest, unknown_name
from llmmigrate.reports import Report, ReportFormat

ROOM: Final = "reports.formats"
STDOUT: Final = "-"

_SUFFIXES: Final = {"md": "markdown", "txt": "table", "xml": "junit"}
"""Suffixes that are not the name of their format."""
_NO_FILES: Final = ("github",)
"""Formats that only a log on stdout makes sense in."""


class Destination(NamedTuple):
    """One place for a result (`-` is stdout) and the name of its format."""

    path: str
    format: str


def destinations(
    format: str | None, outputs: Sequence[str], *, inputs: Iterable[str] = (), beside: Sequence[str] = ()
) -> list[Destination]:
    """Where a result goes: to the files of `-o`, or to stdout. Checks every file before any work is done.

    `beside`: other files that are written, and checked together with these.
    UsageError for an unknown format or suffix, the same file twice, a file that cannot be written or that is an input.
    """
    if format is not None and not registry.has(ROOM, format):
        raise unknown_name("format", format, registry.names(ROOM))
    found = [Destination(path, _format_of(path, format)) for path in outputs or [STDOUT]]
    check_writable([*(item.path for item in found), *beside], inputs=inputs)
    return found


def write(report: Report, to: Iterable[Destination], console: Console) -> None:
    """Render `report` for every destination and write it there."""
    for item in to:
        renderer: ReportFormat = registry.load(ROOM, item.format)
        if item.path == STDOUT:
            console.result(renderer.render(report, width=console.width(), color=console.colored(sys.stdout)))
            continue
        with whole_file(item.path) as stream:
            stream.write(renderer.render(report).encode())
        console.say(f"wrote {item.path}")


def check_writable(paths: Iterable[str], *, inputs: Iterable[str] = ()) -> None:
    """UsageError unless every path can be written, is named once, and is none of the input files.

    Inputs are named as logs are: patterns and folders stand for the files that are read.
    """
    taken: set[str] = set()
    written = list(paths)
    read = _files_of(inputs) if any(path != STDOUT for path in written) else set()
    for path in written:
        real = path if path == STDOUT else os.path.realpath(path)
        if real in taken:
            raise UsageError(f"two results for {_name(path)}", fix="name each output once")
        if real in read:
            raise UsageError(f"{path} is also an input", fix="write to another file")
        taken.add(real)
        if path != STDOUT:
            _check_file(path)


def _files_of(inputs: Iterable[str]) -> set[str]:
    """The files behind the names of inputs; what is not there is told by the command that reads it."""
    from llmmigrate.logs.source import expand

    found: set[str] = set()
    for name in inputs:
        found.add(os.path.realpath(name))
        with contextlib.suppress(InputError):
            found.update(os.path.realpath(file) for file in expand([name]) if file != STDOUT)
    return found


@contextlib.contextmanager
def whole_file(path: str) -> Iterator[BinaryIO]:
    """A file opened for writing that appears under its name only when the block ends well.

    What is no regular file, such as a named pipe, is written directly.
    """
    if Path(path).exists() and not Path(path).is_file():  # asked by its own name: that of a pipe's end has no file
        with Path(path).open("wb") as stream:
            yield stream
        return
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
    try:
        with draft.open("xb") as stream:
            yield stream
        if target.exists():
            shutil.copymode(target, draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _format_of(path: str, format: str | None) -> str:
    """The format of one output: of stdout the one asked for, of a file its suffix, else the one asked for."""
    if path == STDOUT:
        return format or "table"
    suffix = Path(path).suffix.removeprefix(".").lower()
    name = _SUFFIXES.get(suffix, suffix)
    if name and registry.has(ROOM, name):
        return name
    if not name and format is not None:
        return format
    known = sorted({*registry.names(ROOM), *_SUFFIXES} - {*_SUFFIXES.values(), *_NO_FILES})
    near = nearest(suffix, known)
    fix = f"did you mean .{near[0]}?" if near else f"end it in one of: {', '.join('.' + name for name in known)}"
    raise UsageError(f"no format for {path}: its suffix is not known", fix=fix)


def _check_file(path: str) -> None:
    target = Path(path)
    if target.is_dir():
        raise UsageError(f"cannot write {path}: it is a directory", fix="name a file in it")
    if not target.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no directory {target.parent}", fix=f"mkdir -p {target.parent}")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise UsageError(f"cannot write {path}: permission denied")


def _name(path: str) -> str:
    return "stdout" if path == STDOUT else path
