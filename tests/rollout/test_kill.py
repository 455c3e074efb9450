"""kill -9 of `stage`, `rollback` and `watch` at every moment: the gateway's file is entirely the old or the new one.

Which one is told, and the way up is locked wherever the file is the way back's.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.rollout.live import Site, emitted, site

from llmmigrate.rollout.changing import take_stage
from llmmigrate.rollout.emission import emit, gateway_of

SCRIPT = Path(__file__).with_name("killed.py")
RUNNING = ("nginx", "haproxy")
"""Those that are told of a change, and so have to run; the others look at the file by themselves."""
COMMANDS = (("stage", "canary"), ("watch", "back"), ("rollback", "back"))
"""What the watch does in the end is what `rollback` does: that is tried with one gateway alone."""
SHORT = "monitoring: {every: 10ms}\n"


@pytest.mark.parametrize("kind", ["envoy", "litellm", "nginx", "haproxy"])
def test_a_kill_leaves_the_old_or_the_new_file(kind: str, tmp_path: Path, needs: Callable[[str], None]) -> None:
    if kind in RUNNING:
        needs(kind)
    asyncio.run(_killed(tmp_path, kind))


async def _killed(directory: Path, kind: str) -> None:
    async with _prepared(directory, kind) as here:
        await asyncio.to_thread(take_stage, here.plan, here.place, "half")
        file = gateway_of(kind).STAGE_FILE
        texts = {name: emit(here.plan, kind, name).files[file] for name in ("half", "canary", "back")}
        for command, after in COMMANDS[: None if kind == "envoy" else 2]:
            outcomes = await asyncio.to_thread(_outcomes, here, kind, command)
            *killed, last = outcomes
            back = after == "back"
            assert last == [0, texts[after], after, back]
            assert {code for code, *_ in killed} == {-9}
            old, new = (texts["half"], "half"), (texts[after], after)
            assert {(text, told) for _, text, told, _ in killed} == {old, new}
            assert {locked for _, text, _, locked in killed if text == texts[after]} == {back}
            assert len(killed) >= 8


@contextlib.asynccontextmanager
async def _prepared(directory: Path, kind: str) -> AsyncIterator[Site]:
    """Emitted files, and the gateway where it has to run."""
    if kind not in RUNNING:
        yield emitted(directory, kind, [1, 2, 3, 4, 5], stage="half", extra=SHORT)
        return
    async with site(directory, kind, stage="half", extra=SHORT) as here:
        yield here


def _outcomes(here: Site, kind: str, command: str) -> list[list[object]]:
    """Exit code, text of the stage file, stage told and lock for a kill at each moment, the whole run last."""
    line = [sys.executable, str(SCRIPT), str(here.path.parent), kind, command]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found: list[list[object]] = json.loads(done.stdout)
    return found
