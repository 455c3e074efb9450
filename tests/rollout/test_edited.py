"""A plan that was edited after its files were emitted: said by every command, and no hindrance to going back."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.rollout.conftest import PLAN
from tests.rollout.live import site

from llmmigrate.errors import RolloutRefusedError
from llmmigrate.rollout.changing import roll_back, stage_in_file, take_stage
from llmmigrate.rollout.emission import gateway_of
from llmmigrate.rollout.emitted import differences, emitted_plan, keep_emitted, settings_changed, way_back
from llmmigrate.rollout.gateways import envoy
from llmmigrate.rollout.plan import load, parse
from llmmigrate.rollout.state import Place

Run = Callable[..., Any]
FILE = Path("migration.yaml")
STAGES = "stages: [{name: shadow, share: 0%}, {name: canary, share: 10%}, {name: half, share: 50%}]\n"


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, llmmigrate: Run) -> Run:
    """The command line in a folder whose plan is emitted, with stage canary in force."""
    monkeypatch.chdir(tmp_path)
    FILE.write_text(PLAN.replace(', webhook: "env:ALERT_WEBHOOK"', "") + STAGES)
    assert llmmigrate("rollout", "emit").code == 0
    assert llmmigrate("rollout", "stage", "migration.yaml", "canary").code == 0
    return llmmigrate


def edit(before: str, after: str) -> None:
    text = FILE.read_text()
    assert before in text
    FILE.write_text(text.replace(before, after))


def weights(file: str = "gateway/rds.json") -> list[int]:
    route = json.loads(Path(file).read_text())["resources"][0]["virtual_hosts"][0]["routes"][0]["route"]
    return [cluster["weight"] for cluster in route["weighted_clusters"]["clusters"]]


def shown(run: Run) -> Any:
    return json.loads(run("rollout", "status", "--format", "json").out)


def test_an_unchanged_plan_differs_in_nothing(staged: Run) -> None:
    assert shown(staged)["differs"] == []
    assert "differ" not in staged("rollout", "status").out
    assert "differ" not in staged("rollback", "--reason", "x").err


def test_before_an_emission_nothing_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, llmmigrate: Run) -> None:
    monkeypatch.chdir(tmp_path)
    FILE.write_text(PLAN)
    assert shown(llmmigrate)["differs"] == []


def test_what_is_only_watched_otherwise_is_no_difference(staged: Run) -> None:
    edit("every: 30s", "every: 20s")
    edit("rollback: {latency_p95: 200ms}", "rollback: {latency_p95: 200ms, windows: 5}")
    edit("share: 10%", "share: 10%, for: 2h")
    assert shown(staged)["differs"] == []


def test_a_setting_of_the_files_is_named_by_all_and_refused_by_stage(staged: Run) -> None:
    edit("latency_p95: 200ms", "latency_p95: 300ms")
    edit("every: 30s", "every: 1s")
    assert shown(staged)["differs"] == ["rollback.latency_p95: 0.2 → 0.3"]
    assert "rollback.latency_p95: 0.2 → 0.3" in staged("rollout", "status").out
    refused = staged("rollout", "stage", "migration.yaml", "half")
    assert (refused.code, weights()) == (1, [1000, 9000])
    assert "gateway is not what the plan makes of it: envoy.yaml" in refused.err
    assert "rollback.latency_p95: 0.2 → 0.3" in refused.err
    watched = staged("rollout", "watch", "--once")
    assert "rollback.latency_p95: 0.2 → 0.3): llmmigrate rollout emit" in watched.err
    back = staged("rollback", "--reason", "x")
    assert (back.code, weights()) == (0, [0, 10000])
    assert "went back by what was emitted" in back.err
    assert staged("rollout", "emit").code == 0
    assert shown(staged)["differs"] == []
    assert staged("rollout", "stage", "migration.yaml", "half", "--release").code == 0


def test_the_share_of_the_stage_in_force_is_that_of_its_file(staged: Run) -> None:
    edit("share: 10%", "share: 20%")
    status = shown(staged)
    assert (status["stage"], status["stage_in_file"], status["share"]) == ("canary", "canary", "0.1")
    assert status["differs"] == ["stages.canary.share: 0.1 → 0.2"]
    refused = staged("rollout", "emit")
    assert (refused.code, weights()) == (1, [1000, 9000])
    assert "stage canary is in force in gateway with 10 %: the plan now says 20 %" in refused.err
    taken = staged("rollout", "stage", "migration.yaml", "canary")
    assert (taken.code, weights()) == (0, [2000, 8000])
    assert "stages.canary.share: 0.1 → 0.2" in taken.err
    assert shown(staged)["share"] == "0.2"
    assert staged("rollout", "emit").code == 0
    assert (shown(staged)["differs"], weights("gateway/stages/canary/rds.json")) == ([], [2000, 8000])


ELSEWHERE = "gateway: {kind: nginx, directory: elsewhere}\nstages: ["
EDITS = {
    "broken": ("version: 1", "version: [", "went back by the plan as it was emitted"),
    "renamed": ("name: o3-to-glm5", "name: renamed", "nothing was emitted under the name renamed"),
    "elsewhere": ("stages: [", ELSEWHERE, "gateway.directory: gateway → elsewhere"),
    "unknown": ("stages: [", "gateway: {kind: envy}\nstages: [", "gateway.kind 'envy' is not known: went back"),
    "sticky": ("stages: [", "sticky: x-user\nstages: [", "sticky: none → x-user"),
}


@pytest.mark.parametrize("which", EDITS)
def test_a_rollback_works_whatever_became_of_the_plan(which: str, staged: Run) -> None:
    before, after, said = EDITS[which]
    edit(before, after)
    back = staged("rollback", "--reason", "answers are cut off")
    assert (back.code, weights()) == (0, [0, 10000])
    assert Path("gateway/rds.json").read_text() == Path("gateway/stages/back/rds.json").read_text()
    assert back.out.startswith("canary → back in ")
    assert said in back.err
    state = json.loads(Path(".llmmigrate/rollout/o3-to-glm5/state.json").read_text())
    assert state["lock"]["reason"] == "answers are cut off"


def test_a_status_of_a_plan_for_another_gateway_tells_of_the_one_that_runs(staged: Run) -> None:
    edit("stages: [", ELSEWHERE)
    status = shown(staged)
    assert (status["gateway"], status["directory"], status["stage_in_file"]) == ("envoy", "gateway", "canary")
    assert "gateway.kind: envoy → nginx" in status["differs"]


def test_a_plan_that_was_never_emitted_and_cannot_be_read_is_said(tmp_path: Path, llmmigrate: Run) -> None:
    path = tmp_path / "migration.yaml"
    path.write_text("version: [")
    assert llmmigrate("rollback", str(path), "--reason", "x").code == 2


def test_files_of_a_plan_that_was_not_kept_are_named(staged: Run) -> None:
    Path(".llmmigrate/rollout/o3-to-glm5/emitted.json").unlink()
    edit("latency_p95: 200ms", "latency_p95: 300ms")
    assert shown(staged)["differs"] == ["gateway: envoy.yaml"]
    assert staged("rollback", "--reason", "x").code == 0
    assert weights() == [0, 10000]


@pytest.mark.parametrize("kept", [True, False])
def test_a_plan_that_makes_no_files_any_more_is_gone_back_from(kept: bool, tmp_path: Path, llmmigrate: Run) -> None:
    path = tmp_path / "migration.yaml"
    path.write_text(PLAN.replace(', webhook: "env:ALERT_WEBHOOK"', "") + STAGES + "gateway: {kind: litellm}\n")
    assert llmmigrate("rollout", "emit", str(path), "--stage", "half").code == 0
    assert llmmigrate("rollout", "stage", str(path), "half").code == 0
    if not kept:
        next(tmp_path.glob(".llmmigrate/rollout/*/emitted.json")).unlink()
    path.write_text(
        path.read_text().replace("models: {o3: glm-5}", "models: {}").replace("models: {o3: local-glm}", "models: {}")
    )
    status = json.loads(llmmigrate("rollout", "status", str(path), "--format", "json").out)
    assert "LiteLLM needs the names" in status["differs"][0] or "models.o3: glm-5 → none" in status["differs"][0]
    assert status["stage_in_file"] == ("half" if kept else None)
    assert llmmigrate("rollback", str(path), "--reason", "x").code == 0
    assert json.loads((tmp_path / "gateway" / "stage.json").read_text())["parts"] == 0


def test_a_state_that_cannot_be_read_holds_no_rollback_up(staged: Run) -> None:
    Path(".llmmigrate/rollout/o3-to-glm5/state.json").write_text("{")
    assert staged("rollout", "stage", "migration.yaml", "half").code == 2
    back = staged("rollback", "--reason", "x")
    assert (back.code, weights()) == (0, [0, 10000])
    assert shown(staged)["lock"]["reason"] == "x"


@pytest.mark.parametrize("held", [None, b"\xff\x00"])
def test_a_stage_file_that_is_gone_or_damaged_holds_no_rollback_up(held: bytes | None, staged: Run) -> None:
    file = Path("gateway/rds.json")
    file.unlink() if held is None else file.write_bytes(held)
    assert shown(staged)["stage_in_file"] is None
    refused = staged("rollout", "stage", "migration.yaml", "half")
    assert (refused.code, "internal" in refused.err) == (2, False)
    assert staged("rollback", "migration.yaml", "--reason", "x").code == 0
    assert file.read_text() == Path("gateway/stages/back/rds.json").read_text()


def test_an_edited_share_is_never_emitted_past_the_stage_in_force(staged: Run) -> None:
    """Not after a change that the emitted plan does not know of, either."""
    edit("share: 10%", "share: 20%")
    assert staged("rollout", "stage", "migration.yaml", "canary").code == 0
    edit("share: 20%", "share: 30%")
    refused = staged("rollout", "emit")
    assert (refused.code, weights()) == (1, [2000, 8000])
    assert "stage canary is in force in gateway with 20 %: the plan now says 30 %" in refused.err


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        ("name: o3-to-glm5", "name: renamed", ()),
        ("stages: [", "gateway: {directory: elsewhere}\nstages: [", ("-o", "gateway")),
    ],
)
def test_what_is_locked_is_not_emitted_anew_under_another_name_or_directory(
    before: str, after: str, more: tuple[str, ...], staged: Run
) -> None:
    assert staged("rollback", "migration.yaml", "--reason", "x").code == 0
    edit(before, after)
    back = weights()
    refused = staged("rollout", "emit", "--stage", "half", "--force", *more)
    assert (refused.code, weights()) == (1, back)
    assert "stage back is in force in gateway, locked" in refused.err


def test_every_setting_has_a_path() -> None:
    one, other = parse(PLAN, "p"), parse(PLAN.replace("o3: glm-5", "o3: glm-4, o4: x").replace("64k", "32k"), "p")
    assert settings_changed(one, other) == [
        "providers.target.models.o3: glm-5 → glm-4",
        "providers.emergency.context: 64000 → 32000",
        "providers.target.models.o4: none → x",
    ]


def test_envoy_counts_no_times_against_a_limit_that_it_does_not_run_with() -> None:
    buckets = [{"upper_bound": 200, "cumulative": 3}, {"upper_bound": 1000, "cumulative": 9}]
    stats = [{"histograms": [{"name": "cluster.up-target.upstream_rq_time", "buckets": buckets}]}]
    plan = parse(PLAN, "p")
    limit = plan.rollback.latency_p95
    assert limit is not None
    assert envoy._times(stats, limit) == (9, 6)
    assert envoy._times(stats, limit * 2) == (0, 0)
    assert envoy._times(stats, None) == (9, 0)


def test_a_running_gateway_is_gone_back_from_by_what_was_emitted(tmp_path: Path, needs: Callable[[str], None]) -> None:
    needs("envoy")
    asyncio.run(_gone_back(tmp_path))


async def _gone_back(directory: Path) -> None:
    from datetime import UTC, datetime

    async with site(directory, "envoy", stage="half") as here:
        keep_emitted(here.place, datetime.now(UTC))
        await asyncio.to_thread(take_stage, here.plan, here.place, "half")
        here.path.write_text(here.path.read_text().replace('"kind": "envoy"', '"kind": "haproxy"') + "sticky: x-user\n")
        edited = load(here.path)
        place = Place(here.path, edited)
        assert emitted_plan(place) == here.plan
        assert "gateway.kind: envoy → haproxy" in differences(edited, place)
        with pytest.raises(RolloutRefusedError):
            await asyncio.to_thread(take_stage, edited, place, "canary")
        change = await asyncio.to_thread(roll_back, *way_back(here.path)[:2], "x")
        assert change.uptake.confirmed
        found = stage_in_file(edited, place)
        assert found is not None
        assert (found.name, gateway_of("envoy").STAGE_FILE) == ("back", "rds.json")
