"""Runs a command again and again, killed at its first, second, third … look at a rollout's files; prints what was left.

python killed.py ROOT KIND watch|stage|rollback: for each moment the exit code, the text of the gateway's stage file,
which stage that is said to be and whether it is locked, as JSON, until the command comes to its end. Everything under
ROOT is put back before each time.
"""

import contextlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from llmmigrate.cli.app import main
from llmmigrate.rollout import Counts, watch
from llmmigrate.rollout.emission import gateway_of
from llmmigrate.rollout.plan import load
from llmmigrate.rollout.state import Place

LOOKS = ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate", "os.chmod", "socket.connect", "subprocess.Popen")
LIMIT = 200


def run() -> None:
    """Every moment in turn."""
    root, kind, command = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    plan = load(root / "migration.yaml")
    stage_file = Place(root / "migration.yaml", plan).gateway_directory(plan) / gateway_of(kind).STAGE_FILE
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main(["rollout", "stage", str(root / "migration.yaml"), "canary", "--diff"])  # imports what children need
    found = []
    with tempfile.TemporaryDirectory() as copy:
        _copy(root, Path(copy))
        for moment in range(LIMIT):
            _copy(Path(copy), root)
            child = os.fork()
            if child == 0:
                _child(root, command, moment)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            state = Place(root / "migration.yaml", plan).state()
            told = [state.stage, state.lock is not None] if state is not None else [None, False]
            found.append([code, stage_file.read_text(), *told])
            if code >= 0:
                break
        _copy(Path(copy), root)
    print(json.dumps(found))


def _copy(here: Path, there: Path) -> None:
    """Files and folders, sockets left out."""
    for path in sorted(here.rglob("*")):
        if path.is_dir():
            (there / path.relative_to(here)).mkdir(exist_ok=True)
        elif path.is_file():
            shutil.copy2(path, there / path.relative_to(here))


def _child(root: Path, command: str, moment: int) -> None:
    """Run the command and die at the moment; never returns."""
    left = moment

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event not in LOOKS or str(root) not in str(arguments):
            return
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    sys.addaudithook(look)
    code = 70
    try:
        code = _command(root / "migration.yaml", command)
    finally:
        os._exit(code)


def _command(path: Path, command: str) -> int:
    if command == "watch":
        plan = load(path)
        failing = (Counts(100 * n, 50 * n, 100 * n, 0, 0) for n in range(1_000))
        watching = watch.Watch(
            plan, Place(path, plan), lambda: next(failing), watch.Options(apply=True), lambda _: None
        )
        return 0 if watching.run() else 69
    words = {"stage": ["rollout", "stage", str(path), "canary"], "rollback": ["rollback", str(path), "--reason", "x"]}
    try:
        main(words[command])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


if __name__ == "__main__":
    run()
