"""The terminal: stdout is the result, stderr is for people."""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TextIO, get_args

ColorChoice = Literal["auto", "always", "never"]
COLOR_CHOICES: Final = get_args(ColorChoice)

PIECE: Final = 1 << 15
"""Characters written at once: with PYTHONUNBUFFERED a pipe that closes within one long write goes unnoticed."""
PROGRESS_AFTER_SECONDS: Final = 0.3
"""A job that is quicker than this shows no progress."""

_STYLES: Final = {"error": "\x1b[31m", "warning": "\x1b[33m", "fix": "\x1b[36m", "bold": "\x1b[1m"}
_RESET: Final = "\x1b[0m"


@dataclass(slots=True)
class Console:
    """Where a command's result and its words go, as the global options have it."""

    color: ColorChoice = "auto"
    quiet: bool = False
    debug: bool = False
    exit_zero: bool = False

    def result(self, text: str) -> None:
        """Write a finished result to stdout, with a line end."""
        whole = text if text.endswith("\n") else text + "\n"
        for start in range(0, len(whole), PIECE):
            sys.stdout.write(whole[start : start + PIECE])

    def say(self, text: str) -> None:
        """Tell people something, on stderr; nothing with --quiet."""
        if not self.quiet:
            print(_visible(text), file=sys.stderr)

    def warn(self, text: str) -> None:
        """Warn people, on stderr; nothing with --quiet."""
        if not self.quiet:
            print(f"{self.paint('warning', 'warning:', sys.stderr)} {_visible(text)}", file=sys.stderr)

    def width(self) -> int | None:
        """The columns of the terminal that stdout is, or None: then everything has its natural width."""
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    def colored(self, stream: TextIO) -> bool:
        """Whether `stream` gets colours: by the flag, else NO_COLOR, FORCE_COLOR, TERM=dumb, else on a terminal."""
        if self.color != "auto":
            return self.color == "always"
        if os.environ.get("NO_COLOR"):
            return False
        if os.environ.get("FORCE_COLOR"):
            return True
        return os.environ.get("TERM") != "dumb" and stream.isatty()

    def paint(self, style: str, text: str, stream: TextIO) -> str:
        """`text` in the colour of `style` (error, warning, fix, bold) where `stream` gets colours."""
        return f"{_STYLES[style]}{text}{_RESET}" if self.colored(stream) else text

    @contextlib.contextmanager
    def progress(self, label: str, total_bytes: int | None) -> Iterator[Callable[[int], None]]:
        """Show on a terminal's stderr how many bytes of a file are read; yields `advance(bytes)`."""
        if self.quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            yield _ignore
            return
        bar = _LateBar(label, total_bytes, colored=self.colored(sys.stderr))
        try:
            yield bar.advance
        finally:
            bar.stop()

    @contextlib.contextmanager
    def counting(self, label: str, total: int) -> Iterator[Callable[[int, str], None]]:
        """Show on a terminal's stderr how many of `total` are done; yields `advance(done, words)`."""
        if self.quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            yield _ignore_count
            return
        bar = _LateCount(label, total, colored=self.colored(sys.stderr))
        try:
            yield bar.advance
        finally:
            bar.stop()


def _ignore(_: int) -> None:
    """Progress that nobody sees."""


def _ignore_count(done: int, words: str) -> None:
    """Progress that nobody sees."""


class _LateCount:
    """A bar of things done, with words behind it, that appears after `PROGRESS_AFTER_SECONDS`."""

    def __init__(self, label: str, total: int, *, colored: bool) -> None:
        self._label, self._total, self._colored = _visible(label), total, colored
        self._due = time.monotonic() + PROGRESS_AFTER_SECONDS
        self._bar: Any = None
        self._task: Any = None

    def advance(self, done: int, words: str) -> None:
        if self._bar is None and time.monotonic() >= self._due:
            self._start()
        if self._bar is not None:
            self._bar.update(self._task, completed=done, words=_visible(words))

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _start(self) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = RichConsole(stderr=True, no_color=not self._colored)
        words = TextColumn("{task.fields[words]}", markup=False)
        named = TextColumn("{task.description}", markup=False)
        columns = (named, BarColumn(), MofNCompleteColumn(), words, TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task(self._label, total=self._total, words="")
        self._bar.start()


class _LateBar:
    """A byte bar that appears only once the job has taken `PROGRESS_AFTER_SECONDS`."""

    def __init__(self, label: str, total: int | None, *, colored: bool) -> None:
        self._label, self._total, self._colored = _visible(label), total, colored
        self._done = 0
        self._due = time.monotonic() + PROGRESS_AFTER_SECONDS
        self._bar: Any = None
        self._task: Any = None

    def advance(self, amount: int) -> None:
        self._done += amount
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)
        elif time.monotonic() >= self._due:
            self._start()

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _start(self) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        console = RichConsole(stderr=True, no_color=not self._colored)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task(self._label, total=self._total, completed=self._done)
        self._bar.start()


def _visible(text: str) -> str:
    from llmmigrate.reports.escape import visible

    return visible(text)


def prepare_streams() -> None:
    """Let both streams write any text: what their encoding lacks appears as an escape, not as a crash."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def abandon_streams() -> None:
    """Point both streams at nothing, so that the interpreter's last flush does not fail on a closed pipe."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(nothing, stream.fileno())
    os.close(nothing)
