"""Starts `serve-local` as a process of its own and follows what it says."""

import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import psutil
import pytest
from tests.conftest import NO_ENGINE

SECONDS = 600.0
"""How long an engine may take for anything: it shares the processor with other work."""
NEEDS_ENGINE: Final = pytest.mark.skipif(
    any(find_spec(package) is None for package in ("torch", "transformers", "uvicorn")), reason=NO_ENGINE
)


class Served(NamedTuple):
    """A running `serve-local`."""

    process: "subprocess.Popen[bytes]"
    errors: Path
    port: int
    folder: Path


def write_tiny_glm5(folder: Path) -> None:
    """Write the checkpoint, in a process of its own: torch stays out of this one."""
    maker = Path(__file__).with_name("tiny_glm5.py")
    subprocess.run([sys.executable, str(maker), str(folder)], check=True, capture_output=True)


def start(folder: Path, model: str, port: int, *more: str) -> Served:
    """`serve-local MODEL` in this folder, without anything downloaded before."""
    errors = folder / f"stderr-{port}-{time.monotonic_ns()}"
    (folder / "hf" / "hub").mkdir(parents=True, exist_ok=True)
    arguments = [sys.executable, "-m", "llmmigrate", "serve-local", model, "--port", str(port), *more]
    with errors.open("wb") as stream:
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=stream,
            env={**os.environ, "HF_HOME": str(folder / "hf")},
        )
    return Served(process, errors, port, folder)


def end(running: Served) -> None:
    """End it, and see that nothing of it is left."""
    running.process.terminate()
    running.process.wait(timeout=60)
    assert engines(running) == []


def wait_for(running: Served, words: str) -> str:
    """What was said until `words` are among it."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        said = running.errors.read_text()
        if words in said:
            return said
        assert running.process.poll() is None, said
        time.sleep(0.1)
    raise AssertionError(f"not said within {SECONDS:g} s: {words}\n{running.errors.read_text()}")


def engines(running: Served) -> list[int]:
    """The living processes that were told to serve on this port."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = process.info["cmdline"] or []
        if str(running.port) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def members(group: int) -> list[psutil.Process]:
    """The living processes of a process group."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, ProcessLookupError):
            continue
    return found


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
