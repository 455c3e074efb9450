"""The frame of the command line: help, errors, exit codes."""

import os
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import typer

from llmmigrate import __version__
from llmmigrate.cli import app as frame
from llmmigrate.cli.options import new_app
from llmmigrate.errors import ConfigError, InputError, Location

Run = Callable[..., Any]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Adds a command `job` that does what the test says."""

    def add(work: Callable[[], Any]) -> None:
        module = ModuleType("llmmigrate.cli.job")
        job = new_app()
        job.command()(work)
        module.app = job  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "llmmigrate.cli.job", module)
        monkeypatch.setitem(frame.COMMANDS, "job", "A job.")

    return add


def raising(error: BaseException) -> Callable[[], Any]:
    def work() -> int:
        raise error

    return work


def test_version(llmmigrate: Run) -> None:
    assert llmmigrate("--version") == (0, f"llmmigrate {__version__}\n", "")


def test_without_a_command_shows_the_help(llmmigrate: Run) -> None:
    assert llmmigrate() == llmmigrate("--help")


@pytest.mark.parametrize("name", sorted(frame.COMMANDS))
def test_help_of_each_command_opens_with_examples(llmmigrate: Run, name: str) -> None:
    code, out, _ = llmmigrate(name, "--help")
    assert code == 0
    assert out.index(f"llmmigrate {name} ") < out.index("Examples:") < out.index("Options:")


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        (["analyz"], "unknown command 'analyz'", "did you mean 'analyze'?"),
        (["analyze", "--sinc", "x"], "no such option '--sinc'", "did you mean '--since'?"),
        (["analyze", "--colour", "never"], "no such option '--colour'", "did you mean '--color'?"),
        (["--color", "blue"], "--color 'blue' is not known", "choose one of: auto, always, never"),
        (["ingest", "x.jsonl"], "missing option '--output' / '-o'", "see llmmigrate ingest --help"),
    ],
)
def test_a_wrong_line_is_a_usage_error_with_a_fix(llmmigrate: Run, line: list[str], what: str, fix: str) -> None:
    assert llmmigrate(*line) == (2, "", f"error: {what}\n  fix: {fix}\n")


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_exit_code_of_a_command(llmmigrate: Run, command: Run, code: int) -> None:
    command(lambda: code)
    assert llmmigrate("job").code == code


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 0), (2, 2), (3, 0)])
@pytest.mark.parametrize("line", [["--exit-zero", "job"], ["job", "--exit-zero"]])
def test_exit_zero_never_hides_a_two(llmmigrate: Run, command: Run, line: list[str], code: int, expected: int) -> None:
    command(lambda: code)
    assert llmmigrate(*line).code == expected


def test_exit_zero_does_not_hide_an_error(llmmigrate: Run, command: Run) -> None:
    command(raising(ConfigError("no")))
    assert llmmigrate("job", "--exit-zero").code == 2


def test_an_error_says_what_where_why_and_how_to_fix(llmmigrate: Run, command: Run) -> None:
    where = Location("a.yaml", 3, 5, "  a: b")
    command(raising(InputError("no records", where=where, why="it is empty", fix="name another", code="no_records")))
    assert llmmigrate("job").err.splitlines() == [
        "error[no_records]: no records",
        "  --> a.yaml:3:5",
        "    3 │   a: b",
        "            ^",
        "  why: it is empty",
        "  fix: name another",
    ]


def test_the_caret_of_a_long_line_stays_under_its_column(llmmigrate: Run, command: Run) -> None:
    command(raising(InputError("bad", where=Location("x", 1, 901, "a" * 900 + "!" + "b" * 900))))
    shown, caret = llmmigrate("job").err.splitlines()[2:4]
    assert len(shown) < 120
    assert shown[caret.index("^")] == "!"


def test_log_content_in_an_error_cannot_steer_the_terminal(llmmigrate: Run, command: Run) -> None:
    command(raising(InputError("bad \x1b[2J\u202e", where=Location("\x1b]0;x", 1, 1, "\x9b31m"))))
    assert "\\x1b[2J\\u202e" in llmmigrate("job").err


def test_a_defect_is_exit_2_without_a_traceback(llmmigrate: Run, command: Run) -> None:
    command(raising(KeyError("oops")))
    code, _, err = llmmigrate("job")
    assert (code, err.splitlines()[0]) == (2, "error[internal]: unexpected KeyError: 'oops'")
    assert "Traceback" not in err


def test_debug_shows_the_traceback(llmmigrate: Run, command: Run) -> None:
    command(raising(KeyError("oops")))
    assert "Traceback" in llmmigrate("job", "--debug").err


def test_a_full_disk_is_no_defect(llmmigrate: Run, command: Run) -> None:
    command(raising(OSError(28, "No space left on device", "out.json")))
    assert llmmigrate("job") == (2, "", "error[os]: out.json: No space left on device\n")


def test_an_interrupt_is_130(llmmigrate: Run, command: Run) -> None:
    command(raising(KeyboardInterrupt()))
    assert llmmigrate("job") == (130, "", "interrupted\n")


def test_a_typer_exit_keeps_its_code(llmmigrate: Run, command: Run) -> None:
    command(raising(typer.Exit(3)))
    assert llmmigrate("job").code == 3


def test_a_closed_pipe_is_141() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "llmmigrate", "--help"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("environment", "flags", "colored"),
    [
        ({}, [], False),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
        ({"FORCE_COLOR": "1"}, ["--color", "never"], False),
        ({"NO_COLOR": "1"}, ["--color", "always"], True),
    ],
)
def test_colours(
    llmmigrate: Run,
    command: Run,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    flags: list[str],
    colored: bool,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    command(raising(ConfigError("no")))
    assert ("\x1b[" in llmmigrate("job", *flags).err) is colored


def test_an_interrupt_while_it_is_loaded_is_answered_too() -> None:
    program = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from llmmigrate.__main__ import run\n"
        "run()\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (found.returncode, found.stdout, found.stderr) == (130, "", "interrupted\n")
