"""What a person sees in a terminal of a given width, and that off one nothing depends on a width."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

SETTINGS = "aliases: {a-very-long-deployment-name-of-somebody: openai/gpt-4o-2024-08-06}\nlogs: [a/b/c/d/e/f/*.jsonl]\n"


def in_terminal(directory: Path, columns: int, **environment: str) -> str:
    """The output of `analyze --show-config` in a terminal."""
    main, worker = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "llmmigrate", "analyze", "--show-config"],
        cwd=directory,
        env=inherited | {"COLUMNS": str(columns), "LINES": "50", "TERM": "xterm"} | environment,
        stdout=worker,
        stderr=worker,
    )
    os.close(worker)
    written = b""
    try:
        while chunk := os.read(main, 65536):
            written += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(main)
    assert process.wait() == 0
    return written.decode().replace("\r\n", "\n")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "llmmigrate.yaml").write_text(SETTINGS)
    return tmp_path


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_table_fits_the_terminal(directory: Path, columns: int) -> None:
    lines = in_terminal(directory, columns, NO_COLOR="1").splitlines()
    assert max(cell_len(line) for line in lines) <= columns


def test_a_terminal_gets_colours(directory: Path) -> None:
    assert "\x1b[1m" in in_terminal(directory, 80)


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_wants_no_colours_gets_none(directory: Path, environment: dict[str, str]) -> None:
    assert "\x1b[" not in in_terminal(directory, 80, **environment)


def test_off_a_terminal_the_width_is_natural(directory: Path) -> None:
    arguments = [sys.executable, "-m", "llmmigrate", "analyze", "--show-config"]
    done = subprocess.run(
        arguments, cwd=directory, env={**os.environ, "COLUMNS": "30"}, capture_output=True, check=True
    )
    assert "a-very-long-deployment-name-of-somebody: openai/gpt-4o-2024-08-06" in done.stdout.decode()
