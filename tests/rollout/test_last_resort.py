"""Who is asked when every provider has failed: the real gateways."""

import asyncio
import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.rollout.live import ROLES, answering_checks, site

from llmmigrate.rollout.drill.traffic import one_after_another, send
from llmmigrate.rollout.emission import gateway_of
from llmmigrate.rollout.gateways import haproxy
from llmmigrate.rollout.plan import Role

THREE: tuple[Role, ...] = ROLES
TWO: tuple[Role, ...] = ROLES[:2]
MANY = 8
"""More failures than eject anybody."""


@pytest.mark.parametrize("roles", [THREE, TWO], ids=["three", "two"])
@pytest.mark.parametrize("kind", ["envoy", "haproxy", "nginx"])
def test_a_target_that_is_left_alone_is_asked_where_all_others_fail(
    kind: str, roles: tuple[Role, ...], tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs(kind)
    first, served = asyncio.run(_only_the_target_left(tmp_path, kind, roles))
    assert first == dict.fromkeys(roles, 1)  # nobody twice for one request
    assert served == ["target"] * MANY


async def _only_the_target_left(
    directory: Path, kind: str, roles: tuple[Role, ...]
) -> tuple[dict[Role, int], list[str | None]]:
    """Attempts of one request while all are sick; then who serves when only the target is well, which is left alone.

    The target's health checks stay bad, and its ejection is not over: no gateway can know that it is well.
    """
    async with site(directory, kind, stage="full", roles=roles) as here:
        read = gateway_of(kind).reader(here.plan, here.directory)
        for role in roles:
            await answering_checks(here.upstreams[role], 500 if role == "target" else 404)
            await here.upstreams[role].set("500")
        before = {role: here.hits(role) for role in roles}
        await send(here.load())
        first = {role: here.hits(role) - count for role, count in before.items()}
        async with asyncio.timeout(30):
            while not (await asyncio.to_thread(read)).ejected:
                await send(here.load())
        await here.upstreams["target"].set("ok")
        records = await one_after_another(here.load(), lanes=1, count=MANY)
        return first, [record.served_by for record in records]


@pytest.mark.parametrize(("roles", "stage"), [(THREE, "full"), (TWO, "shadow")], ids=["three-full", "two-shadow"])
@pytest.mark.parametrize("kind", ["envoy", "haproxy", "nginx"])
def test_the_last_provider_of_a_chain_is_asked_however_often_it_has_failed(
    kind: str, roles: tuple[Role, ...], stage: str, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs(kind)
    served = asyncio.run(_well_again(tmp_path, kind, roles, stage))
    assert served == [roles[-1]] * MANY


async def _well_again(directory: Path, kind: str, roles: tuple[Role, ...], stage: str) -> list[str | None]:
    """Who serves the requests that come just after the last provider got well, when all had been sick for a while."""
    async with site(directory, kind, stage=stage, roles=roles) as here:
        for role in roles:
            await here.upstreams[role].set("500")  # health checks fail, too
        await one_after_another(here.load(), lanes=1, count=MANY)
        await asyncio.sleep(6)
        await one_after_another(here.load(), lanes=1, count=MANY)
        await here.upstreams[roles[-1]].set("ok")
        records = await one_after_another(here.load(), lanes=1, count=MANY)
        return [record.served_by for record in records]


@pytest.mark.parametrize("kind", ["envoy", "haproxy"])
def test_the_current_provider_is_asked_again_where_emergency_fails(
    kind: str, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs(kind)
    served = asyncio.run(_only_current_left(tmp_path, kind))
    assert served == ["current"] * MANY


async def _only_current_left(directory: Path, kind: str) -> list[str | None]:
    """Who serves when current is well again that the gateway has left alone, and nobody else is well."""
    async with site(directory, kind, stage="shadow") as here:
        await answering_checks(here.upstreams["current"], 500)
        for role in ROLES:
            await here.upstreams[role].set("500")
        await asyncio.sleep(6)  # for HAProxy's checks
        await one_after_another(here.load(), lanes=1, count=MANY)
        await here.upstreams["current"].set("ok")
        records = await one_after_another(here.load(), lanes=1, count=MANY)
        return [record.served_by for record in records]


def test_haproxy_checks_nobody_whom_it_asks_anyway(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("haproxy")
    assert asyncio.run(_unchecked(tmp_path)) == {
        "target": "UP",
        "chain-current": "no check",
        "target-anyway": "no check",
        "current": "UP",
        "emergency": "no check",
        "current-anyway": "no check",
    }


async def _unchecked(directory: Path) -> dict[str, str]:
    async with site(directory, "haproxy", stage="full") as here:
        text = await asyncio.to_thread(haproxy._ask, here.directory, "show stat")
    rows = [row for row in csv.DictReader(text.removeprefix("# ").splitlines()) if row["pxname"].startswith("chain_")]
    return {row["svname"]: row["status"].partition(" 1/2")[0] for row in rows if row["svname"] != "BACKEND"}
