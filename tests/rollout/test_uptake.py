"""Whether a change is said to be in force: by the gateways themselves, and plainly not where they do not tell."""

import asyncio
import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.rollout.live import Site, emitted, site

from llmmigrate.errors import GatewayError
from llmmigrate.rollout import Counts, wire
from llmmigrate.rollout.changing import Change, roll_back, take_stage
from llmmigrate.rollout.drill.lab import free_ports
from llmmigrate.rollout.drill.traffic import send
from llmmigrate.rollout.gateways import _routes_in_force, envoy, litellm
from llmmigrate.rollout.plan import Plan
from llmmigrate.rollout.watch import Options, Watch

Run = Callable[..., Any]
SAYS = {
    "envoy": (True, "Envoy says that these routes are in force"),
    "haproxy": (True, "HAProxy says that this share is in force"),
    "nginx": (None, "nginx has checked the files and was told to take them up; it does not tell when it has"),
    "litellm": (None, "LiteLLM runs and looks at the file for each request; it does not tell what it has read"),
}


@pytest.mark.parametrize("kind", SAYS)
def test_a_running_gateway_says_what_it_can(
    kind: str, tmp_path: Path, needs: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs(kind)
    monkeypatch.setattr(litellm, "WAITS_SECONDS", 20.0)  # the machine may be busy with other tests
    changes, confirmed = asyncio.run(_changed(tmp_path, kind))
    assert [(change.uptake.confirmed, change.uptake.words) for change in changes] == [SAYS[kind]] * 2
    assert confirmed == [SAYS[kind][0]] * 2


async def _changed(directory: Path, kind: str) -> tuple[list[Change], list[bool | None]]:
    async with site(directory, kind, stage="half", extra="sticky: x-user-id\n") as here:
        changes = [
            await asyncio.to_thread(take_stage, here.plan, here.place, "canary"),
            await asyncio.to_thread(roll_back, here.plan, here.place, "test"),
        ]
        return changes, [line["confirmed"] for line in here.place.journaled() if line["event"] == "done"]


def test_envoy_refuses_routes_in_its_own_words_and_keeps_the_old_ones(
    tmp_path: Path, needs: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("envoy")
    asyncio.run(_refused(tmp_path, monkeypatch))


async def _refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site(directory, "envoy", stage="half") as here:
        await asyncio.to_thread(take_stage, here.plan, here.place, "half")
        before = (here.directory / "rds.json").read_text()
        real = envoy.files

        def unweighted(plan: Plan, share: Decimal) -> dict[str, str]:
            files = dict(real(plan, share))
            routes = json.loads(files["rds.json"])
            for cluster in routes["resources"][0]["virtual_hosts"][0]["routes"][0]["route"]["weighted_clusters"][
                "clusters"
            ]:
                cluster["weight"] = 0
            return {**files, "rds.json": json.dumps(routes)}

        with monkeypatch.context() as patched:
            patched.setattr(envoy, "files", unweighted)
            with pytest.raises(GatewayError) as refused:
                await asyncio.to_thread(take_stage, here.plan, here.place, "canary")
        assert (refused.value.code, refused.value.what) == ("refused", "Envoy refuses the routes")
        assert "Sum of weights in the weighted_cluster must be greater than 0" in (refused.value.why or "")
        assert (here.directory / "rds.json").read_text() == before
        state = here.place.state()
        assert state is not None
        assert state.stage == "half"
        assert here.place.journaled(1)[0]["event"] == "refused"
        assert (await send(here.load())).ok
        assert (await asyncio.to_thread(take_stage, here.plan, here.place, "canary")).uptake.confirmed


@pytest.mark.parametrize("kind", ["envoy", "haproxy", "litellm", "nginx"])
def test_a_gateway_that_does_not_run_confirms_nothing(
    kind: str, tmp_path: Path, llmmigrate: Run, needs: Callable[[str], None]
) -> None:
    needs(kind)
    here = emitted(tmp_path, kind, [1, 2, 3, 4, 5], stage="half")
    done = llmmigrate("rollback", str(here.path), "--reason", "x")
    assert (done.code, "confirmed" in done.out) == (0, False)
    assert "warning: written, not confirmed: " in done.err
    assert any(words in done.err for words in ("does not answer at", "no HAProxy answers", "no gateway runs with"))


class OtherRoutes:
    """An admin interface like Envoy's, whose routes stay what they are."""

    def __init__(self, here: Site) -> None:
        self._text = (here.directory / "rds.json").read_text()

    async def answer(self, request: wire.Request, reply: wire.Reply) -> None:
        route = json.loads(self._text)["resources"][0]
        stats: dict[str, Any] = {"stats": [{"name": "http.front.rds.llm.update_rejected", "value": 4}]}
        found = {"configs": [{"route_config": route}]} if "config_dump" in request.path else stats
        await reply.send(200, json.dumps(found).encode(), {"content-type": "application/json"})


async def _beside_other_routes(directory: Path, body: Callable[[Site], Any], *, stages: str = "") -> Any:
    """Run something while what answers at Envoy's address never takes up another file."""
    extra = f"monitoring: {{every: 20ms}}\n{stages}"
    here = emitted(directory, "envoy", await free_ports(5), stage="half", extra=extra)
    admin = wire.Listening(OtherRoutes(here).answer)
    await admin.start(int(here.plan.gateway.admin.rpartition(":")[2]))
    try:
        return await asyncio.to_thread(body, here)
    finally:
        admin.stop()


def test_old_routes_after_the_wait_are_said_with_exit_code_3(
    tmp_path: Path, llmmigrate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_routes_in_force, "WAITS_SECONDS", 0.3)
    done = asyncio.run(
        _beside_other_routes(tmp_path, lambda here: llmmigrate("rollback", str(here.path), "--reason", "x"))
    )
    assert done.code == 3
    assert "written, not confirmed: Envoy still had other routes in force after 0.3 s" in done.err
    file = tmp_path / "gateway" / "rds.json"
    assert file.read_text() == (tmp_path / "gateway" / "stages" / "back" / "rds.json").read_text()
    status = json.loads(llmmigrate("rollout", "status", str(tmp_path / "migration.yaml"), "--format", "json").out)
    assert "is not known to be in force: Envoy still had other routes in force after 0.3 s" in status["due"]
    assert (status["stage"], status["lock"]["reason"]) == ("back", "x")
    assert [line["event"] for line in status["journal"]] == ["begun", "due"]


def test_a_run_ends_with_exit_code_3_where_its_stage_is_not_in_force(
    tmp_path: Path, llmmigrate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_routes_in_force, "WAITS_SECONDS", 0.3)
    stages = "stages: [{name: canary, share: 10%}, {name: half, share: 50%}]\n"
    done = asyncio.run(
        _beside_other_routes(tmp_path, lambda here: llmmigrate("rollout", "run", str(here.path)), stages=stages)
    )
    assert done.code == 3
    assert "error: stage canary is written, and not in force\n  why: Envoy still had other routes" in done.err
    assert "nothing watches stage canary any more: llmmigrate rollout watch" in done.err


def test_a_watch_whose_rollback_is_not_taken_up_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_routes_in_force, "WAITS_SECONDS", 0.1)
    said: list[str] = []
    counts = (Counts(100 * n, 50 * n, 100 * n, 0, 0) for n in range(1000))

    def watched(here: Site) -> Watch:
        take_stage(here.plan, here.place, "half")
        watch = Watch(here.plan, here.place, lambda: next(counts), Options(apply=True, limit=5), said.append)
        watch.run()
        return watch

    watch = asyncio.run(_beside_other_routes(tmp_path, watched))
    assert (watch.rolled_back, watch.due) == (False, "50 of 100 attempts failed, limit 5 %")
    assert sum("the rollback failed: Envoy still had other routes in force" in line for line in said) >= 2


def test_a_rollback_waits_for_a_change_that_asks_a_slow_gateway(tmp_path: Path) -> None:
    here = emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="half")

    async def both() -> Change:
        with here.place.alone():
            back = asyncio.create_task(asyncio.to_thread(roll_back, here.plan, here.place, "x"))
            await asyncio.sleep(0.3)
            assert not back.done()
        return await back

    began = time.monotonic()
    assert asyncio.run(both()).after == "back"
    assert time.monotonic() - began >= 0.3
