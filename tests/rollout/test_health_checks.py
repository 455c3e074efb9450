"""What HAProxy's health checks take for a sick provider: the real one, with providers that answer them in many ways."""

import asyncio
import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.rollout.live import ROLES, Site, answering_checks, site

from llmmigrate.rollout.drill.traffic import one_after_another
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
    assert states == (["DOWN", "DOWN", "no"] if sick else ["UP", "UP", "no"])  # no check of the last provider
    assert served == ({"emergency"} if sick else {"target", "current"})


async def _checked(directory: Path, statuses: tuple[int, int, int]) -> tuple[list[str], set[str | None]]:
    """What HAProxy thinks of the providers that answer its checks with these statuses, and who serves requests then."""
    async with site(directory, "haproxy", stage="half") as here:
        asked = [
            await answering_checks(here.upstreams[role], status) for role, status in zip(ROLES, statuses, strict=True)
        ]
        async with asyncio.timeout(60):
            while any(len(keys) < CHECKS for keys in asked[:2]):
                await asyncio.sleep(0.05)
        assert [set(keys) for keys in asked] == [{"Bearer sk"}, {"Bearer sk"}, set()]
        states = await asyncio.to_thread(_states, here)
        records = await one_after_another(here.load(), lanes=1, count=20)
        return states, {record.served_by if record.ok else None for record in records}


def _states(here: Site) -> list[str]:
    """UP or DOWN of each provider in the chains, as the statistics say."""
    lines = haproxy._ask(here.directory, "show stat").removeprefix("# ").splitlines()
    rows = csv.DictReader(lines)
    return [row["status"].split()[0] for row in rows if row["pxname"].startswith("chain_") and row["svname"] in ROLES]
