"""Words for people: stderr, quiet, and progress that shows only where and when it helps."""

import os
import pty
import subprocess
import sys

import pytest

from llmmigrate.cli.console import Console

SLOW = """
import sys, time
from llmmigrate.cli.console import Console
with Console(quiet={quiet}).progress("reading a\\x1b[2J.jsonl", 4000) as advance:
    for _ in range(4):
        time.sleep({seconds})
        advance(1000)
print("done")
"""


def in_terminal(program: str, **environment: str) -> str:
    """What a program writes to a terminal that is its stderr."""
    main, worker = pty.openpty()
    inherited = {**os.environ, "TERM": "xterm", "COLUMNS": "80"} | environment
    subprocess.run([sys.executable, "-c", program], env=inherited, stdout=subprocess.DEVNULL, stderr=worker, check=True)
    os.write(worker, b"\n")
    written = os.read(main, 65536).decode()
    os.close(worker)
    os.close(main)
    return written


def test_a_result_goes_to_stdout_and_words_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.result("42")
    console.say("read 3 files")
    console.warn("one is \x1b[31mred")
    assert capsys.readouterr() == ("42\n", "read 3 files\nwarning: one is \\x1b[31mred\n")


def test_quiet_keeps_the_result_alone(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True)
    console.result("42\n")
    console.say("read 3 files")
    console.warn("careful")
    assert capsys.readouterr() == ("42\n", "")


def test_off_a_terminal_there_is_no_width_and_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    with console.progress("reading", 10) as advance:
        advance(10)
    assert (console.width(), capsys.readouterr()) == (None, ("", ""))


def test_a_slow_job_shows_its_bytes_in_a_terminal() -> None:
    written = in_terminal(SLOW.format(quiet=False, seconds=0.2))
    assert "reading a\\x1b[2J.jsonl" in written
    assert "/4.0 kB" in written


@pytest.mark.parametrize(
    ("program", "environment"),
    [
        (SLOW.format(quiet=False, seconds=0.01), {}),
        (SLOW.format(quiet=True, seconds=0.2), {}),
        (SLOW.format(quiet=False, seconds=0.2), {"TERM": "dumb"}),
    ],
    ids=["quick", "quiet", "dumb"],
)
def test_progress_stays_away(program: str, environment: dict[str, str]) -> None:
    assert in_terminal(program, **environment).strip() == ""
