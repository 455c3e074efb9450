"""Providers that are reached with TLS, through real gateways."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.rollout.live import site
from tests.rollout.tls import Tls, signed

from llmmigrate.rollout.drill.lab import free_ports
from llmmigrate.rollout.drill.traffic import one_after_another

ALMOST_ALL = "stages: [{name: most, share: 99.99%}]\n"


@pytest.mark.parametrize("kind", ["envoy", "nginx", "haproxy"])
@pytest.mark.parametrize(("name", "served_by"), [("localhost", "target"), ("elsewhere.example", "current")])
def test_only_the_right_certificate_is_taken(
    kind: str, name: str, served_by: str, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs(kind)
    served, hits = asyncio.run(_served(tmp_path, kind, name))
    assert served == {served_by}
    assert (hits > 0) == (served_by == "target")


async def _served(directory: Path, kind: str, name: str) -> tuple[set[str | None], int]:
    """Who answered a few requests, and how many reached the target, whose certificate is for `name`."""
    (port,) = await free_ports(1)
    tls = Tls(port, signed(directory, name))
    async with site(directory, kind, stage="most", extra=ALMOST_ALL, tls=tls) as here:
        records = await one_after_another(here.load(), lanes=1, count=6)
        assert [record.failure for record in records] == [None] * 6
        return {record.served_by for record in records}, here.hits("target")
