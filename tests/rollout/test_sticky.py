"""Callers with the same value of the plan's header stay on one side, through real gateways."""

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.rollout.live import site

from llmmigrate.rollout.drill.traffic import one_after_another

CALLERS, EACH, STRANGERS = 12, 3, 20


@pytest.mark.parametrize("kind", ["envoy", "nginx", "haproxy", "litellm"])
def test_a_caller_stays_on_one_side(kind: str, tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs(kind)
    sides, strangers = asyncio.run(_sides(tmp_path, kind))
    assert all(len(served) == 1 for served in sides)
    assert {"target", "current"} == set[str | None]().union(*sides)
    assert strangers == {"target", "current"}


async def _sides(directory: Path, kind: str) -> tuple[list[set[str | None]], set[str | None]]:
    """Who has served each caller, and who has served those without the header, at a share of one half."""
    async with site(directory, kind, stage="half", extra="sticky: X-User-Id\n") as here:
        sides = []
        for caller in range(CALLERS):
            load = dataclasses.replace(here.load(), headers={"x-user-id": f"user-{caller}"})
            sides.append({record.served_by for record in await one_after_another(load, lanes=2, count=EACH)})
        strangers = await one_after_another(here.load(), lanes=2, count=STRANGERS)
        return sides, {record.served_by for record in strangers}
