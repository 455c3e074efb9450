"""Asking a program of this machine: a vendor's tool for its devices, an engine for its version."""

import contextlib
import os
import shutil
import signal
import subprocess

import msgspec

SECONDS = 5.0
"""How long a program may take. A hung driver makes its tool hang, too."""


class Answer(msgspec.Struct, frozen=True):
    """What a program wrote, or why there is nothing; both None where it is not installed."""

    text: str | None = None
    problem: str | None = None
    aside: str = ""
    """What it wrote to its standard error."""


def ask(name: str, *arguments: str) -> Answer:
    """Run a program, named or by its path, and give its output.

    It is ended, with all that it started, when it takes longer than `SECONDS`.
    """
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
    return Answer(text=out.decode(errors="replace"), aside=err.decode(errors="replace"))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process group. One that waits inside a driver cannot be killed: it is left behind, not waited for."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1.0)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
