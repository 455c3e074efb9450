"""What a served watch answers once the stage was gone back from: by itself, by a person, before it was started."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.rollout.live import Site, emitted

from llmmigrate.errors import ConfigError
from llmmigrate.rollout import Counts
from llmmigrate.rollout.changing import roll_back, take_stage
from llmmigrate.rollout.drill.lab import free_ports
from llmmigrate.rollout.watch import Options, Watch
from llmmigrate.rollout.wire import Request, ask


class Shown:
    """A watch of a target that fails or is well, and what it answers."""

    def __init__(self, here: Site, port: int, *, failing: bool, **options: Any) -> None:
        self.here, self.port, self.said = here, port, list[str]()
        self.looks = 0
        self._failing = failing
        chosen = Options(address=("127.0.0.1", port), **options)
        self.watch = Watch(here.plan, here.place, self._counts, chosen, self.said.append)

    def _counts(self) -> Counts:
        self.looks += 1
        errors = 50 * self.looks if self._failing else 0
        return Counts(100 * self.looks, errors, 100 * self.looks, 0, 0)

    async def page(self, path: str) -> str:
        pieces: list[bytes] = []
        request = Request("GET", path, {"host": "watch", "connection": "close"}, b"")
        await ask(self.port, request, timeout=20, on_piece=pieces.append)
        return b"".join(pieces).decode()

    async def until(self, verdict: str) -> dict[str, Any]:
        """The first answer with this verdict."""
        async with asyncio.timeout(60):
            while True:
                try:
                    found: dict[str, Any] = json.loads(await self.page("/verdict"))
                except ConnectionError:
                    found = {"verdict": None}
                if found["verdict"] == verdict:
                    return found
                await asyncio.sleep(0.01)


def shown(
    directory: Path,
    body: Callable[[Shown], Awaitable[None]],
    *,
    every: str = "50ms",
    failing: bool = False,
    **options: Any,
) -> Shown:
    """Run a watch of a plan whose stage is half, do something meanwhile, and end it."""
    here = emitted(directory, "envoy", [1, 2, 3, 4, 5], stage="half", extra=f"monitoring: {{every: {every}}}\n")
    take_stage(here.plan, here.place, "half")
    return asyncio.run(_shown(here, body, failing=failing, **options))


async def _shown(here: Site, body: Callable[[Shown], Awaitable[None]], **options: Any) -> Shown:
    (port,) = await free_ports(1)
    found = Shown(here, port, **options)
    running = asyncio.create_task(found.watch._run())
    try:
        await body(found)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return found


def test_a_watch_that_has_gone_back_says_so_for_two_windows_more(tmp_path: Path) -> None:
    async def body(found: Shown) -> None:
        verdict = await found.until("rolled_back")
        assert verdict["reasons"] == ["50 of 100 attempts failed, limit 5 %"]
        assert (verdict["stage"], verdict["lock"]["by"]) == ("back", "watch")
        assert verdict["lock"]["reason"] == verdict["reasons"][0]
        assert verdict["at"] == verdict["lock"]["at"]
        metrics = await found.page("/metrics")
        assert "llmmigrate_rolled_back 1\n" in metrics
        assert "llmmigrate_locked 1\n" in metrics
        async with asyncio.timeout(60):
            while not found.said[-1].startswith("/verdict shows"):
                await asyncio.sleep(0.01)

    found = shown(tmp_path, body, every="500ms", failing=True, apply=True)
    assert found.said[-1] == "/verdict shows it for another 1 s"


def test_what_is_only_due_is_shown_before_the_watch_ends(tmp_path: Path) -> None:
    async def body(found: Shown) -> None:
        verdict = await found.until("due")
        assert (verdict["stage"], verdict["lock"]) == ("half", None)
        metrics = await found.page("/metrics")
        assert "llmmigrate_rollback_due 1\n" in metrics
        assert "llmmigrate_rolled_back 0\n" in metrics

    shown(tmp_path, body, every="500ms", failing=True)


def test_a_rollback_by_a_person_shows_at_once_and_its_release_too(tmp_path: Path) -> None:
    async def body(found: Shown) -> None:
        assert (await found.until("good"))["stage"] == "half"
        await asyncio.to_thread(roll_back, found.here.plan, found.here.place, 'answers are "cut off"')
        verdict = json.loads(await found.page("/verdict"))
        assert (verdict["verdict"], verdict["stage"], verdict["reasons"]) == (
            "rolled_back",
            "back",
            ['answers are "cut off"'],
        )
        metrics = await found.page("/metrics")
        assert "llmmigrate_rolled_back 1\n" in metrics
        assert 'llmmigrate_stage_info{stage="back"} 1\n' in metrics
        assert r'llmmigrate_lock_info{by="rollback",reason="answers are \"cut off\""} 1' in metrics
        await asyncio.to_thread(take_stage, found.here.plan, found.here.place, "half", release=True)
        assert (await found.until("good"))["lock"] is None

    shown(tmp_path, body)


def test_a_restart_under_a_lock_says_rolled_back_before_its_first_window(tmp_path: Path) -> None:
    here = emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="half", extra="monitoring: {every: 1h}\n")
    take_stage(here.plan, here.place, "half")
    roll_back(here.plan, here.place, "by hand")
    state = here.place.state()
    assert state is not None

    async def body(found: Shown) -> None:
        verdict = await found.until("rolled_back")
        assert (verdict["at"], verdict["since"], verdict["window"]) == (state.since, state.since, None)
        assert "llmmigrate_locked_since_seconds 1" in await found.page("/metrics")

    asyncio.run(_shown(here, body, failing=False))


def test_a_verdict_on_an_earlier_stage_is_none_on_this_one(tmp_path: Path) -> None:
    here = emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="half", extra="monitoring: {every: 1h}\n")
    take_stage(here.plan, here.place, "half")

    async def body(found: Shown) -> None:
        verdict = await found.until("inconclusive")
        assert verdict["reasons"] == ["no window has ended in the stage in force"]
        assert "llmmigrate_rolled_back 0\n" in await found.page("/metrics")

    asyncio.run(_shown(here, body, failing=False))


def test_a_state_that_cannot_be_read_is_no_good_verdict(tmp_path: Path) -> None:
    async def body(found: Shown) -> None:
        await found.until("good")
        found.here.place.write("state.json", "{")
        verdict = json.loads(await found.page("/verdict"))
        assert (verdict["verdict"], verdict["reasons"]) == ("inconclusive", ["state.json cannot be read"])
        with pytest.raises(ConfigError):
            found.here.place.state()

    shown(tmp_path, body)
