"""A target that the gateway left alone before the watch began."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.rollout.live import Site, emitted, site
from tests.rollout.test_watch import QUICK, _watch, failing, scripted

from llmmigrate.rollout import Counts
from llmmigrate.rollout.changing import take_stage
from llmmigrate.rollout.drill.traffic import Traffic, one_after_another
from llmmigrate.rollout.watch import Options, Watch

ALONE = Counts(100, 5, 100, 0, 3, ejected=True)
AGAIN = ALONE._replace(attempts=103, errors=8, timed=103, ejections=4)
BACK = ALONE._replace(ejected=False)


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="half", extra="monitoring: {every: 10ms}\n")


@pytest.mark.parametrize(
    ("counts", "seen"),
    [
        ([ALONE] * 6, {"inconclusive": 5}),
        ([None, *[ALONE] * 5], {"inconclusive": 5}),
        ([ALONE, ALONE, AGAIN, AGAIN, AGAIN], {"inconclusive": 1, "breach": 3}),
        (
            [ALONE, BACK, ALONE._replace(ejections=4), *[ALONE._replace(ejections=4)] * 2],
            {"inconclusive": 1, "breach": 3},
        ),
        ([BACK, ALONE, ALONE, ALONE], {"breach": 3}),
    ],
    ids=["carried over", "first reading later", "ejected anew", "back and ejected", "ejected while watched"],
)
def test_only_an_ejection_that_began_while_it_was_watched_counts(
    here: Site, counts: list[Counts | None], seen: dict[str, int]
) -> None:
    take_stage(here.plan, here.place, "half")
    said: list[str] = []
    watch = Watch(here.plan, here.place, scripted(*counts), Options(apply=True, limit=5), said.append)
    assert watch.run() == ("breach" in seen)
    assert watch.windows == seen
    told = [line for line in said if "before this watch began" in line]
    assert len(told) == (counts[1] == ALONE and "inconclusive" in seen)


def test_a_watch_that_goes_on_with_a_streak_holds_the_ejection_against_the_target(here: Site) -> None:
    take_stage(here.plan, here.place, "half")
    now = datetime.now(UTC)
    readings = [failing(2), [ALONE, ALONE], [ALONE, ALONE]]
    ends = []
    for counts in readings:
        options = Options(apply=True, once=True)
        ends.append(Watch(here.plan, here.place, scripted(*counts), options, print, lambda: now).run())
    assert ends == [False, False, True]


def test_a_real_gateway_that_left_the_target_alone_before(tmp_path: Path, needs: Callable[[str], None]) -> None:
    """Of all gateways the one whose reader works out itself when an ejection began."""
    needs("nginx")
    before, after = asyncio.run(_left_alone_before(tmp_path, "nginx"))
    assert set(before) == {"inconclusive"}
    assert after["breach"] == 3


async def _left_alone_before(directory: Path, kind: str) -> tuple[dict[str, int], dict[str, int]]:
    """What windows say of a target that is left alone before the watch; then of one that is left alone meanwhile."""
    extra = QUICK.replace("eject_for: 2s", "eject_for: 15s").replace("every: 6s", "every: 2s")
    async with site(directory, kind, stage="half", extra=extra) as here:
        await asyncio.to_thread(take_stage, here.plan, here.place, "half")
        await here.upstreams["target"].set("500")
        await asyncio.sleep(6)  # for HAProxy's checks
        await one_after_another(here.load(), lanes=2, count=20)
        traffic = Traffic(here.load(), 8)
        early = _watch(here, Options(apply=True, limit=4), print)
        assert not await asyncio.to_thread(early.run)
        await here.upstreams["target"].set("ok")
        await asyncio.sleep(20)
        late = _watch(here, Options(apply=True, limit=8), print)
        watching = asyncio.create_task(asyncio.to_thread(late.run))
        await asyncio.sleep(1)
        await here.upstreams["target"].set("500")
        assert await watching
        await traffic.stop()
        return early.windows, late.windows
