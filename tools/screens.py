"""What command lines show: run in this process, with a clock that stands still and a terminal of any width or none.

A transcript is text in which a line `$ …` is a command and the lines below it are what it shows. Words on stderr are
marked `2> `, an exit code other than 0 is a line of its own. The files in `tests/cli/golden` are transcripts; each
holds the commands that make it, so that it can be made again.

    python -m tools.screens                 writes all of them anew (`make goldens`)
"""

import contextlib
import io
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
GOLDENS = ROOT / "tests" / "cli" / "golden"
INPUTS = GOLDENS / "inputs"
PROMPT = "$ "
NOON = 1_795_348_800
"""2026-11-22T12:00:00Z: the present in every screen."""
CLEAN = {"SOURCE_DATE_EPOCH": str(NOON), "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "80"}


class Screen(NamedTuple):
    """What a command line did."""

    code: int
    out: str
    err: str


class _Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def show(line: str) -> Screen:
    """Run one command line, such as `COLUMNS=60 llmmigrate analyze x.jsonl`; COLUMNS also makes stdout a terminal."""
    from llmmigrate.cli.app import main

    words = shlex.split(line)
    given = dict(word.split("=", 1) for word in words[: words.index("llmmigrate")])
    arguments = words[words.index("llmmigrate") + 1 :]
    out, err = (_Terminal() if "COLUMNS" in given else io.StringIO()), io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment({**CLEAN, **given}))
        stack.enter_context(_arguments(arguments))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        try:
            main(arguments)
        except SystemExit as stop:
            return Screen(int(stop.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("the command line did not exit")


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    held = dict(os.environ)
    kept = {name: value for name, value in held.items() if not name.startswith("LLMMIGRATE_") and name != "FORCE_COLOR"}
    os.environ.clear()
    os.environ.update(kept | dict(variables))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(held)


@contextlib.contextmanager
def _arguments(arguments: list[str]) -> Iterator[None]:
    """`sys.argv` as the command's own: results record the command line."""
    held, sys.argv = sys.argv, ["llmmigrate", *arguments]
    try:
        yield
    finally:
        sys.argv = held


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A new working directory with the samples and the inputs of the goldens."""
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(INPUTS, name, dirs_exist_ok=True)
        (Path(name) / "samples").symlink_to(ROOT / "samples")
        with contextlib.chdir(name):
            yield Path(name)


def transcript(text: str) -> str:
    """The transcript of the commands in `text`, run one after another in the working directory."""
    commands = [line.removeprefix(PROMPT) for line in text.splitlines() if line.startswith(PROMPT)]
    return "".join(_shown(command) for command in commands)


def _shown(command: str) -> str:
    screen = show(command)
    errors = "".join(f"2> {line}\n" for line in screen.err.splitlines())
    code = f"[exit code {screen.code}]\n" if screen.code else ""
    return f"{PROMPT}{command}\n{screen.out}{errors}{code}"


def goldens() -> list[Path]:
    """All golden transcripts."""
    return sorted(GOLDENS.glob("*.txt"))


def read(path: Path) -> str:
    """A text file with its line ends as they are: CSV has its own."""
    return path.read_bytes().decode()


if __name__ == "__main__":
    for path in goldens():
        with workplace():
            text = transcript(read(path))
        if text != read(path):
            path.write_bytes(text.encode())
            print(f"wrote {path.relative_to(ROOT)}")
