"""What the tests of this room share: the tools of the repository, and vendor tools that play recordings."""

import os
import shlex
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.loopback import no_network as no_network  # the engines of these tests are real

sys.path.insert(0, str(Path(__file__).parents[2]))

Play = Callable[..., Path]


@pytest.fixture
def port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Installs a program of this name first on the PATH; it does what the shell lines say."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def install(name: str, *lines: str) -> Path:
        program = folder / name
        program.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n")
        program.chmod(0o755)
        return program

    return install


@pytest.fixture
def recording(data: Path) -> Callable[[str], str]:
    """The shell line that prints the recording whose name starts so."""

    def line(start: str) -> str:
        (path,) = (data / "accelerator_samples").glob(f"{start}*")
        return f"cat {shlex.quote(str(path))}"

    return line
