"""Stages, locks and the journal."""

from pathlib import Path

import pytest
from tests.rollout.conftest import PLAN

from llmmigrate.errors import ConfigError, GatewayError, RolloutRefusedError, UnknownNameError
from llmmigrate.rollout.changing import difference, roll_back, stage_in_file, take_stage
from llmmigrate.rollout.drill.faults import FAULTS
from llmmigrate.rollout.emission import config_hash, emit
from llmmigrate.rollout.plan import Plan, load
from llmmigrate.rollout.records import Verified
from llmmigrate.rollout.state import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An emitted directory for Envoy, which takes a file up by itself; nothing runs."""
    path = tmp_path / "migration.yaml"
    path.write_text(PLAN.replace("every: 30s", "every: 10ms").replace('webhook: "env:ALERT_WEBHOOK"', ""))
    plan = load(path)
    found = Place(path, plan)
    for name, text in emit(plan, "envoy", "shadow").files.items():
        file = found.gateway_directory(plan) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return found


@pytest.fixture
def plan(place: Place) -> Plan:
    return load(place.plan_path)


def file_text(plan: Plan, place: Place) -> str:
    return (place.gateway_directory(plan) / "rds.json").read_text()


def in_file(plan: Plan, place: Place) -> str | None:
    stage = stage_in_file(plan, place)
    return stage.name if stage is not None else None


def prove(plan: Plan, place: Place, *, passed: bool = True) -> None:
    proof = Verified(
        config_sha256=config_hash(plan, "envoy"),
        version="1",
        at="now",
        quick=True,
        passed=passed,
        lost={"big": 3},
        faults=list(FAULTS),
    )
    import msgspec

    place.write("verified.json", msgspec.json.encode({"envoy": proof}).decode())


def test_a_stage_is_put_in_force_and_journaled(plan: Plan, place: Place) -> None:
    change = take_stage(plan, place, "canary")
    assert (change.before, change.after) == (None, "canary")
    assert '"weight": 1000' in file_text(plan, place)
    state = place.state()
    assert state is not None
    assert (state.stage, state.lock, in_file(plan, place)) == ("canary", None, "canary")
    assert [line["event"] for line in place.journaled(10)] == ["begun", "done"]


def test_the_diff_names_the_weights(plan: Plan, place: Place) -> None:
    shown = difference(plan, place, "canary")
    assert '-           "weight": 10000' in shown
    assert '+           "weight": 9000' in shown
    take_stage(plan, place, "canary")
    assert difference(plan, place, "canary") == ""


def test_a_rollback_locks_until_it_is_released(plan: Plan, place: Place) -> None:
    take_stage(plan, place, "half")
    assert roll_back(plan, place, "answers are cut off").before == "half"
    assert in_file(plan, place) == "back"
    with pytest.raises(RolloutRefusedError) as refused:
        take_stage(plan, place, "canary")
    assert (refused.value.exit_code, refused.value.why) == (1, "rollback: answers are cut off")
    take_stage(plan, place, "canary", release=True)
    state = place.state()
    assert state is not None
    assert state.lock is None


def test_the_whole_traffic_needs_a_drill_that_passed(plan: Plan, place: Place) -> None:
    with pytest.raises(RolloutRefusedError, match="never drilled"):
        take_stage(plan, place, "full")
    prove(plan, place, passed=False)
    with pytest.raises(RolloutRefusedError, match="lost requests"):
        take_stage(plan, place, "full")
    prove(plan, place)
    assert take_stage(plan, place, "full").after == "full"


def test_a_drill_of_another_configuration_does_not_count(plan: Plan, place: Place) -> None:
    prove(plan, place)
    place.plan_path.write_text(place.plan_path.read_text() + "failover: {eject_after: 9}\n")
    with pytest.raises(RolloutRefusedError) as refused:
        take_stage(load(place.plan_path), place, "full")
    assert refused.value.why == "the plan has changed since the drill"


def test_a_directory_that_was_edited_is_not_built_upon(plan: Plan, place: Place) -> None:
    (place.gateway_directory(plan) / "envoy.yaml").write_text("admin: {}\n")
    with pytest.raises(RolloutRefusedError, match=r"envoy\.yaml"):
        take_stage(plan, place, "canary")


def test_an_unknown_stage_changes_nothing(plan: Plan, place: Place) -> None:
    before = file_text(plan, place)
    with pytest.raises(UnknownNameError):
        take_stage(plan, place, "canray")
    assert (file_text(plan, place), place.state(), place.journaled(5)) == (before, None, [])


def test_without_emitted_files_nothing_can_be_staged(plan: Plan, place: Place) -> None:
    (place.gateway_directory(plan) / "rds.json").unlink()
    with pytest.raises(ConfigError, match="there is no"):
        take_stage(plan, place, "canary")


def test_two_changes_at_once_are_refused(plan: Plan, place: Place) -> None:
    with place.alone(), pytest.raises(GatewayError, match="another llmmigrate"):
        take_stage(plan, Place(place.plan_path, plan), "canary")


def test_a_broken_state_file_is_said(plan: Plan, place: Place) -> None:
    place.write("state.json", "{")
    with pytest.raises(ConfigError, match=r"state\.json cannot be read"):
        take_stage(plan, place, "canary")
