"""Streams that a target cuts off, and when it is tried again, through a real LiteLLM with the files as emitted."""

import asyncio
import os
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from tests.rollout.live import Site, emitted, site

from llmmigrate.rollout import process
from llmmigrate.rollout.drill.traffic import one_after_another
from llmmigrate.rollout.emission import gateway_of
from llmmigrate.rollout.staging import replace_file

ALONE = """\
failover: {eject_after: 3, eject_for: 4s, eject_max: 4s}
"""
MARGIN = 1.0


def test_cut_streams_leave_the_target_alone_and_one_at_a_time_tries_it_again(
    tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs("litellm")
    asyncio.run(_cut_and_healed(tmp_path))


async def _cut_and_healed(directory: Path) -> None:
    async with site(directory, "litellm", stage="full", extra=ALONE) as here:
        await here.upstreams["target"].set("cut")
        before = here.hits("target")
        first = await one_after_another(here.load(stream_pieces=12), lanes=1, count=8)
        lost = here.hits("target") - before
        assert 3 <= lost <= 4  # the next stream may have been drawn before the third failure was heard of
        assert [record.failure for record in first] == ["cut"] * lost + [None] * (8 - lost)
        assert {record.served_by for record in first[lost:]} == {"current"}

        await asyncio.sleep(4 + MARGIN)
        again = await one_after_another(here.load(stream_pieces=12), lanes=10, count=10)
        assert [record.failure for record in again if not record.ok] == ["cut"]
        assert here.hits("target") - before == lost + 1

        await here.upstreams["target"].set("ok")
        await asyncio.sleep(4 + MARGIN)
        assert "target" in await _served_by(here)
        assert await _served_by(here) == {"target"}


def test_a_target_that_gets_requests_again_after_none_begins_anew(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("litellm")
    asyncio.run(_forgotten(tmp_path))


async def _forgotten(directory: Path) -> None:
    async with site(directory, "litellm", stage="full", extra=ALONE.replace("4s", "90s")) as here:
        await here.upstreams["target"].set("500")
        await one_after_another(here.load(), lanes=1, count=6)
        await here.upstreams["target"].set("ok")
        assert await _served_by(here) == {"current"}
        _take_up(here, Decimal("0.999"))
        assert await _served_by(here) == {"current"}
        for share in (Decimal(0), Decimal(1)):
            _take_up(here, share)
            assert await _served_by(here) == {"target" if share else "current"}


def _take_up(here: Site, share: Decimal) -> None:
    gateway = gateway_of("litellm")
    replace_file(here.directory / gateway.STAGE_FILE, gateway.files(here.plan, share)[gateway.STAGE_FILE])


async def _served_by(here: Site) -> set[str | None]:
    """Who answers four streams at one time; a lost one is None."""
    return {record.served_by for record in await one_after_another(here.load(stream_pieces=12), lanes=4, count=4)}


def test_tokenizers_are_loaded_before_the_first_stream(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("litellm")
    here = emitted(tmp_path, "litellm", [1, 2, 3, 4, 5], stage="half")
    program = gateway_of("litellm").PROGRAM
    assert program is not None
    python = str(Path(process.find(program)).with_name("python"))
    loaded = "import llmmigrate_stage, sys; print('litellm.litellm_core_utils.default_encoding' in sys.modules)"
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    line = [python, "-c", loaded]
    done = subprocess.run(line, cwd=here.directory, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"
