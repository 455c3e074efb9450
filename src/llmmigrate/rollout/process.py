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
    """The version that a gateway's program says it is."""
    done = subprocess.run(
        [find(program), *program.version], capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False
    )
    match = re.search(r"[0-9]+\.[0-9]+\.[0-9]+", done.stdout + done.stderr)
    return match[0] if match else "unknown"


def check(program: Program, directory: Path) -> None:
    """Let a gateway check the files in a directory. GatewayError, with its words, where it refuses them."""
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
    if done.returncode != 0:
        raise GatewayError(
            f"{program.name} refuses the files in {directory}",
            why=(done.stderr + done.stdout).strip()[-_WORDS:],
            fix="the configuration in force has not been changed",
            code="refused",
        )


def send_hangup(pid_file: Path) -> None:
    """Send HUP to the process that a pid file names. GatewayError where there is none."""
    try:
        os.kill(int(pid_file.read_text(encoding="ascii")), signal.SIGHUP)
    except (FileNotFoundError, ProcessLookupError, ValueError) as error:
        raise GatewayError(
            f"no gateway runs with {pid_file}", why=str(error), fix="start it: ./start.sh", code="not_running"
        ) from None
    except OSError as error:
        raise GatewayError(f"the gateway of {pid_file} cannot be told", why=str(error)) from None
