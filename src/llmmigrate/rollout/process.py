"""Gateways as programs on this machine: found, asked for their version, checked, started, told to reload."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from llmmigrate.errors import GatewayError
from llmmigrate.rollout import Program

_WORDS: Final = 400
"""Characters of a gateway's own words that an error shows."""
_CHECK_SECONDS: Final = 300


def find(program: Program) -> str:
    """The path of a gateway's program: beside this Python, else on PATH. GatewayError, with how to install it."""
    beside = str(Path(sys.executable).parent)
    wanted = os.environ.get(f"LLMMIGRATE_{program.name.upper()}") or program.name
    found = shutil.which(wanted, path=os.pathsep.join([beside, os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is None:
        raise GatewayError(f"there is no program {wanted} here", fix=program.install, code="not_installed")
    return found


def version(program: Program) -> str:
    """The version that a gateway's program says it is, or `unknown`. GatewayError where it cannot be run."""
    path = find(program)
    command = [path, *program.version]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise GatewayError(f"{path} does not say its version", fix=program.install) from None
    except OSError as error:
        raise GatewayError(f"{path} cannot be run", why=error.strerror, fix=program.install) from None
    match = re.search(r"[0-9]+\.[0-9]+\.[0-9]+", done.stdout + done.stderr)
    return match[0] if match else "unknown"


def check(program: Program, directory: Path) -> None:
    """Let a gateway check the files in a directory. GatewayError, with its words, where it refuses them (`refused`).

    Any other code: it could not be asked.
    """
    if not program.validate:
        return
    try:
        done = subprocess.run(
            [find(program), *program.validate],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=_CHECK_SECONDS,
            check=False,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        raise GatewayError(f"{program.name} did not finish its check of {directory}") from None
    except OSError as error:
        raise GatewayError(f"{program.name} cannot be run to check {directory}", why=error.strerror) from None
    if done.returncode != 0:
        raise GatewayError(
            f"{program.name} refuses the files in {directory}",
            why=(done.stderr + done.stdout).strip()[-_WORDS:],
            fix="the configuration in force has not been changed",
            code="refused",
        )


def send_hangup(pid_file: Path, program: Program) -> None:
    """Send HUP to the process of a program that a pid file names. GatewayError where there is none."""
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
        if _is_another(pid, program):
            raise ProcessLookupError(f"{pid} is another program's process")
        os.kill(pid, signal.SIGHUP)
    except (FileNotFoundError, ProcessLookupError, ValueError) as error:
        raise GatewayError(
            f"no gateway runs with {pid_file}", why=str(error), fix="start it: ./start.sh", code="not_running"
        ) from None
    except OSError as error:
        raise GatewayError(f"the gateway of {pid_file} cannot be told", why=str(error)) from None


def _is_another(pid: int, program: Program) -> bool:
    """Whether a process is surely none of a program's: numbers are used again, and HUP ends most others."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # no such process, or a system that does not tell
        return False
    return program.name.encode() not in words
