"""What happens when a running gateway refuses, or is not there to be told."""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import NO_ROOT
from tests.rollout.live import Site, emitted, site

from llmmigrate.errors import GatewayError
from llmmigrate.rollout import process
from llmmigrate.rollout.changing import roll_back, take_stage
from llmmigrate.rollout.drill.traffic import send
from llmmigrate.rollout.emission import emit
from llmmigrate.rollout.gateways import haproxy

Run = Callable[..., Any]


def test_a_refused_configuration_leaves_the_old_one_and_shows_why(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("nginx")
    asyncio.run(_refused(tmp_path))


async def _refused(directory: Path) -> None:
    async with site(directory, "nginx", stage="half") as here:
        before = (here.directory / "stage.conf").read_text()
        main = here.directory / "nginx.conf"
        main.write_text(main.read_text().replace("http {", "http { no_such_thing on;"))
        with pytest.raises(GatewayError) as refused:
            await asyncio.to_thread(roll_back, here.plan, here.place, "test")
        assert refused.value.code == "refused"
        assert 'unknown directive "no_such_thing"' in (refused.value.why or "")
        assert (here.directory / "stage.conf").read_text() == before
        assert here.place.state() is None
        assert [line["event"] for line in here.place.journaled(5)] == ["begun", "refused"]
        assert (await send(here.load())).ok


@pytest.mark.parametrize("program", ["/nowhere/nginx", "junk"])
def test_a_check_that_cannot_be_made_keeps_no_rollback_up(
    program: str, tmp_path: Path, needs: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("nginx")
    asyncio.run(_unchecked(tmp_path, program, monkeypatch))


async def _unchecked(directory: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site(directory, "nginx", stage="full") as here:
        junk = directory / "junk"
        junk.write_text("no program")
        junk.chmod(0o755)
        monkeypatch.setenv("LLMMIGRATE_NGINX", program if program != "junk" else str(junk))
        change = await asyncio.to_thread(roll_back, here.plan, here.place, "test")
        assert "nginx was told, and its files were not checked before" in (change.left_to_do or "")
        state = here.place.state()
        assert state is not None
        assert state.lock is not None
        async with asyncio.timeout(20):
            while (await send(here.load())).served_by != "current":
                await asyncio.sleep(0.05)


@pytest.fixture
def untold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Files of an nginx with stage half in force; it runs, and may not be sent a signal."""
    here = emitted(tmp_path, "nginx", [11, 12, 13, 14, 15], stage="half")
    monkeypatch.setattr(process, "check", lambda *_: None)
    take_stage(here.plan, here.place, "half")
    (here.directory / "nginx.pid").write_text(str(os.getpid()))
    monkeypatch.setattr(process, "_is_another", lambda *_: False)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", refuse)
    return here


def test_a_gateway_that_cannot_be_told_of_a_stage_leaves_the_old_one(untold: Site, llmmigrate: Run) -> None:
    file, state = untold.directory / "stage.conf", untold.place.directory / "state.json"
    before = file.read_text(), state.read_text()
    done = llmmigrate("rollout", "stage", str(untold.path), "canary")
    assert (done.code, file.read_text(), state.read_text()) == (2, *before)
    assert "the gateway of" in done.err
    assert "cannot be told" in done.err
    assert "the file and the state are as they were" in done.err
    assert [line["event"] for line in untold.place.journaled(2)] == ["begun", "refused"]


def test_a_gateway_that_cannot_be_told_of_a_rollback_is_locked_and_to_be_told_by_hand(
    untold: Site, llmmigrate: Run
) -> None:
    done = llmmigrate("rollback", str(untold.path), "--reason", "x")
    assert done.code == 3
    assert "cannot be told" in done.err
    assert f"tell it by hand, in {untold.directory}: kill -HUP $(cat nginx.pid)" in done.err
    assert (untold.directory / "stage.conf").read_text() == emit(untold.plan, "nginx", "back").files["stage.conf"]
    state = untold.place.state()
    assert state is not None
    assert state.lock is not None
    assert state.pending is not None
    assert state.stage == "back"
    assert untold.place.journaled(1)[0]["event"] == "due"


def test_what_fails_after_the_gateway_was_told_is_written_and_not_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = emitted(tmp_path, "haproxy", [11, 12, 13, 14, 15], stage="half")
    answers = iter([""])

    def ask(*_: object) -> str:
        for answer in answers:
            return answer
        raise GatewayError("no HAProxy answers")

    monkeypatch.setattr(haproxy, "_ask", ask)
    change = take_stage(here.plan, here.place, "canary")
    assert (change.uptake.confirmed, change.uptake.words) == (None, "no HAProxy answers")


@pytest.mark.parametrize(("kind", "file"), [("nginx", "stage.conf"), ("haproxy", "share.map")])
def test_a_gateway_that_does_not_run_will_start_with_the_way_back(
    kind: str, file: str, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    needs(kind)
    here = emitted(tmp_path, kind, [11, 12, 13, 14, 15], stage="half")
    assert roll_back(here.plan, here.place, "test").uptake.confirmed is None
    assert (here.directory / file).read_text() == (here.directory / "stages" / "back" / file).read_text()
    state = here.place.state()
    assert state is not None
    assert state.lock is not None
    assert [line["event"] for line in here.place.journaled()] == ["begun", "done"]


@pytest.mark.parametrize("kind", ["envoy", "nginx", "haproxy", "litellm"])
def test_a_running_gateway_takes_a_stage_up(kind: str, tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs(kind)
    assert asyncio.run(_served(tmp_path, kind)) == ["current", "target", "current"]


async def _served(directory: Path, kind: str) -> list[str]:
    """Who answers before, during and after a stage with the whole traffic but a little."""
    served = []
    stages = "stages: [{name: none, share: 0%}, {name: most, share: 99.99%}]\n"
    async with site(directory, kind, stage="none", extra=stages) as here:
        for name in ("none", "most", "back"):
            await asyncio.to_thread(take_stage, here.plan, here.place, name)
            await asyncio.sleep(1)
            served.append((await send(here.load())).served_by or "nobody")
    return served


def test_root_can_start_nginx_in_a_private_directory(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("nginx")
    if os.geteuid() != 0:
        pytest.skip(NO_ROOT)
    (tmp_path / "gateway").mkdir(mode=0o700)
    assert asyncio.run(_served_as_root(tmp_path)) == "target"


async def _served_as_root(directory: Path) -> str | None:
    async with site(directory, "nginx", stage="full") as here:
        return (await send(here.load())).served_by


@pytest.mark.parametrize("kind", ["envoy", "nginx"])
def test_a_request_above_max_body_is_refused(kind: str, tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs(kind)
    assert asyncio.run(_sizes(tmp_path, kind)) == [None, "413"]
    listed = json.loads((tmp_path / "gateway" / "findings.json").read_text())["findings"]
    messages = [item["message"] for item in listed if item["asked_by"] == "failover: max_body"]
    assert messages == ["tried again up to 200,000 bytes; larger ones are refused with 413"]


async def _sizes(directory: Path, kind: str) -> list[str | None]:
    """What becomes of a request below the limit and of one above it."""
    async with site(directory, kind, stage="full", extra="failover: {max_body: 200000}\n") as here:
        return [(await send(replace(here.load(), padding=size))).failure for size in (150_000, 250_000)]
