"""The sample clients, with the real SDKs, through an emitted gateway while the stage changes under them."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.rollout.live import Site, site

from llmmigrate.rollout.changing import roll_back, take_stage

CLIENTS = Path(__file__).parents[2] / "samples" / "clients"
REQUESTS = 80


def node_modules() -> Path | None:
    """Where the Node SDK is installed: by `make gateways`, or where NODE_PATH says."""
    places = [CLIENTS.parents[1] / ".node" / "node_modules", Path(os.environ.get("NODE_PATH") or "/nowhere")]
    return next((place for place in places if (place / "openai").is_dir()), None)


NODE_MODULES = node_modules()


@pytest.mark.parametrize("language", ["python", "node"])
def test_a_client_moves_by_configuration_alone(language: str, tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("envoy")
    line = command(language, tmp_path)
    answers, models = asyncio.run(_asked(tmp_path / "site", line))
    assert [answer["number"] for answer in answers] == list(range(REQUESTS))
    served = [answer["text"].split("|")[0] for answer in answers]
    assert served[:5] == ["current"] * 5
    assert "target" in served
    assert served[-5:] == ["current"] * 5
    assert models == {"target": {"glm-5"}, "current": {"o3"}}
    assert {answer["streamed"] for answer in answers if answer["text"].startswith("target")} == {True, False}


def command(language: str, directory: Path) -> list[str]:
    """How a client is started; skips where its SDK is not installed."""
    if language == "python":
        if find_spec("openai") is None:
            pytest.skip("the Python SDK of OpenAI is not installed")
        return [sys.executable, str(CLIENTS / "python" / "client.py")]
    node = shutil.which("node")
    if node is None or NODE_MODULES is None:
        pytest.skip("the Node SDK of OpenAI is not installed")
    program = directory / "client.mjs"
    shutil.copy(CLIENTS / "node" / "client.mjs", program)
    (directory / "node_modules").symlink_to(NODE_MODULES)
    return [node, str(program)]


async def _asked(directory: Path, line: list[str]) -> tuple[list[dict[str, Any]], dict[str, set[str]]]:
    """What a client got while everything went to the target and back; the models that providers were asked for."""
    directory.mkdir()
    async with site(directory, "envoy", stage="shadow") as here:
        for upstream in here.upstreams.values():
            upstream.hits.clear()
        variables = {"OPENAI_BASE_URL": f"http://127.0.0.1:{here.port}/v1", "OPENAI_API_KEY": "sk", "LLM_MODEL": "o3"}
        client = await asyncio.create_subprocess_exec(
            *line, str(REQUESTS), env={**os.environ, **variables}, stdout=asyncio.subprocess.PIPE
        )
        changing = asyncio.ensure_future(_change(here))
        out, _ = await client.communicate()
        await changing
        assert client.returncode == 0
        models = {str(role): {hit.model for hit in up.hits} for role, up in here.upstreams.items() if up.hits}
    return [json.loads(text) for text in out.decode().splitlines()], models


async def _change(here: Site) -> None:
    """Half of the traffic to the target once the client is under way, and everything back a while later."""
    while here.hits("current") < 8:
        await asyncio.sleep(0.02)
    await asyncio.to_thread(take_stage, here.plan, here.place, "half")
    while here.hits("target") < 6:
        await asyncio.sleep(0.02)
    await asyncio.to_thread(roll_back, here.plan, here.place, "enough")
