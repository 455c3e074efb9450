"""The emitted `start.sh`: one gateway at a time in a directory."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.rollout.live import BOOT_SECONDS, Site, emitted, start

from llmmigrate.rollout.drill.lab import free_ports
from llmmigrate.rollout.drill.traffic import send


@pytest.mark.parametrize("kind", ["envoy", "haproxy", "nginx", "litellm"])
def test_a_second_start_is_refused_until_the_first_has_died(
    kind: str, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs(kind)
    asyncio.run(_started_twice(tmp_path, kind))


async def _started_twice(directory: Path, kind: str) -> None:
    here = emitted(directory, kind, await free_ports(5), stage="half")
    for upstream in here.upstreams.values():
        await upstream.start()
    try:
        async with _running(here, kind):
            sockets = sorted(here.directory.glob("*.sock"))
            second = start(here, kind, out="second")
            try:
                assert await asyncio.to_thread(second.wait, 10) == 1
            finally:
                second.kill()
            assert (here.directory / "second").read_text() == (
                f"start.sh: a gateway runs already with the files in {here.directory} and holds .running.lock\n"
            )
            assert sorted(here.directory.glob("*.sock")) == sockets
            assert all([(await send(here.load())).ok for _ in range(4)])
        async with _running(here, kind):  # whatever killed the first
            pass
    finally:
        for upstream in here.upstreams.values():
            upstream.stop()


@contextlib.asynccontextmanager
async def _running(here: Site, kind: str) -> AsyncIterator[None]:
    """A gateway that answers; it and all its processes are killed with the block."""
    program = start(here, kind, group=True)
    try:
        async with asyncio.timeout(BOOT_SECONDS):
            while not (await send(here.load())).ok:
                assert program.poll() is None, (here.directory / "out").read_text()
                await asyncio.sleep(0.1)
        yield
    finally:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait(10)


def test_without_flock_a_start_says_that_it_cannot_tell(tmp_path: Path) -> None:
    here = emitted(tmp_path, "haproxy", [11, 12, 13, 14, 15], stage="half")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dirname", "id", "rm"):
        (programs / name).symlink_to(shutil.which(name) or "")
    (programs / "haproxy").symlink_to("/bin/true")
    done = subprocess.run(
        ["./start.sh"],
        cwd=here.directory,
        env={"PATH": str(programs), "KEY": "sk"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        0,
        "start.sh: without flock (util-linux), a second start is not noticed while the gateway runs\n",
    )
    assert not (here.directory / ".running.lock").exists()
