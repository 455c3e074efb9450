"""What HAProxy's health checks take for a sick provider: the real one, with providers that answer them in many ways."""

import asyncio
import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.rollout.live import ROLES, Site, site

from llmmigrate.rollout import wire
from llmmigrate.rollout.drill.traffic import one_after_another
from llmmigrate.rollout.drill.upstreams import Upstream
from llmmigrate.rollout.gateways import haproxy

CHECKS = 3
"""More than make a server down."""


@pytest.mark.parametrize("statuses", [(404, 401, 429), (500, 500, 500)])
def test_only_a_server_error_makes_a_provider_down(
    statuses: tuple[int, int, int], tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs("haproxy")
    sick = 500 in statuses
    states, served = asyncio.run(_checked(tmp_path, statuses))
    assert states == (["DOWN"] * 3 if sick else ["UP"] * 3)
    assert served == ({None} if sick else {"target", "current"})


async def _checked(directory: Path, statuses: tuple[int, int, int]) -> tuple[list[str], set[str | None]]:
    """What HAProxy thinks of the providers that answer its checks with these statuses, and who serves requests then."""
    async with site(directory, "haproxy", stage="half") as here:
        asked = [await _answering(here.upstreams[role], status) for role, status in zip(ROLES, statuses, strict=True)]
        async with asyncio.timeout(60):
            while any(len(keys) < CHECKS for keys in asked):
                await asyncio.sleep(0.05)
        assert {key for keys in asked for key in keys} == {"Bearer sk"}
        states = await asyncio.to_thread(_states, here)
        records = await one_after_another(here.load(), lanes=1, count=20)
        return states, {record.served_by if record.ok else None for record in records}


async def _answering(upstream: Upstream, status: int) -> list[str]:
    """Let a provider answer every GET with a status; the keys that it was asked with."""
    keys: list[str] = []

    async def answer(request: wire.Request, reply: wire.Reply) -> None:
        if request.method == "POST":
            await upstream._answer(request, reply)
            return
        keys.append(request.headers.get("authorization", ""))
        await reply.send(status, b"{}", {"content-type": "application/json"})

    upstream.stop()
    upstream.listening = wire.Listening(answer)
    await upstream.listening.start(upstream.port)
    return keys


def _states(here: Site) -> list[str]:
    """UP or DOWN of each provider in the chains, as the statistics say."""
    lines = haproxy._ask(here.directory, "show stat").removeprefix("# ").splitlines()
    rows = csv.DictReader(lines)
    return [row["status"].split()[0] for row in rows if row["pxname"].startswith("chain_") and row["svname"] in ROLES]
