"""Servers that are programs of their own: started, waited for, ended."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

SECONDS = 150.0
"""The longest start that is waited for: on a machine with little to spare LiteLLM takes a minute."""


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    arguments: Sequence[str], *, folder: Path, health: str, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A program while it serves: from the first answer under `health` on; ended when the context is left."""
    said = folder / "said.txt"
    with said.open("wb") as stream:
        process = subprocess.Popen(
            arguments, cwd=folder, stdout=stream, stderr=stream, env={**os.environ, **(environment or {})}
        )
    try:
        deadline = time.monotonic() + SECONDS
        while not _answers(health):
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, f"no answer within {SECONDS:g} s\n{said.read_text()}"
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
