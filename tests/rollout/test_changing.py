"""Stages, locks, the journal, and what a kill at any moment leaves behind."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.rollout.conftest import PLAN

from llmmigrate.errors import ConfigError, GatewayError, RolloutRefusedError, UnknownNameError
from llmmigrate.rollout.changing import difference, roll_back, stage_in_file, take_stage
from llmmigrate.rollout.emission import config_hash, emit
from llmmigrate.rollout.plan import Plan, load
from llmmigrate.rollout.state import Place, Verified

KILL = """
import os, signal, sys
left = int(sys.argv[1])
def count(event, arguments):
    global left
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate") and sys.argv[2] in str(arguments):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
from llmmigrate.cli.app import main
sys.addaudithook(count)
main(sys.argv[3:])
"""
WATCH = """
import os, signal, sys
from pathlib import Path
from llmmigrate.rollout import Counts
from llmmigrate.rollout.plan import load
from llmmigrate.rollout.state import Place
from llmmigrate.rollout.watch import Options, Watch
left, path = int(sys.argv[1]), Path(sys.argv[2]) / "migration.yaml"
def count(event, arguments):
    global left
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate") and sys.argv[2] in str(arguments):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
plan = load(path)
failing = (Counts(100 * n, 50 * n, 100 * n, 0, 0) for n in range(1_000_000))
sys.addaudithook(count)
watch = Watch(plan, Place(path, plan), lambda: next(failing), Options(apply=True), print)
sys.exit(1 if watch.run() else 0)
"""


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


def prove(plan: Plan, place: Place, *, passed: bool = True) -> None:
    proof = Verified(
        config_sha256=config_hash(plan, "envoy"), version="1", at="now", quick=True, passed=passed, lost={"big": 3}
    )
    import msgspec

    place.write("verified.json", msgspec.json.encode({"envoy": proof}).decode())


def test_a_stage_is_put_in_force_and_journaled(plan: Plan, place: Place) -> None:
    change = take_stage(plan, place, "canary")
    assert (change.before, change.after) == (None, "canary")
    assert '"weight": 1000' in file_text(plan, place)
    state = place.state()
    assert state is not None
    assert (state.stage, state.lock, stage_in_file(plan, place)) == ("canary", None, "canary")
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
    assert stage_in_file(plan, place) == "back"
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


@pytest.mark.parametrize("words", [["rollout", "stage", "PLAN", "canary"], ["rollback", "PLAN", "--reason", "x"]])
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_file(words: list[str], plan: Plan, place: Place) -> None:
    take_stage(plan, place, "half")
    old = file_text(plan, place)
    line = [str(place.plan_path) if word == "PLAN" else word for word in words]
    seen, kills = set(), 0
    for moment in range(100):
        done = killed_at(moment, KILL, place, line)
        seen.add(file_text(plan, place))
        if done == 0:
            break
        kills += 1
        assert done == -9
        (place.gateway_directory(plan) / "rds.json").write_text(old)
    new = file_text(plan, place)
    assert seen == {old, new}
    assert kills >= 8
    assert stage_in_file(plan, place) == ("back" if words[0] == "rollback" else "canary")


def test_a_kill_of_the_watch_leaves_the_old_or_the_new_file(plan: Plan, place: Place) -> None:
    take_stage(plan, place, "half")
    old = file_text(plan, place)
    back = emit(plan, "envoy", "back").files["rds.json"]
    outcomes = []
    for moment in range(0, 100, 2):
        outcomes.append(killed_at(moment, WATCH, place, []))
        assert file_text(plan, place) in (old, back)
        if file_text(plan, place) == back:
            break
    assert outcomes[:-1] == [-9] * (len(outcomes) - 1)
    assert len(outcomes) >= 5


def killed_at(moment: int, script: str, place: Place, arguments: list[str]) -> int:
    """Run a script that kills itself at its so many-th look at the rollout's files; its exit code."""
    line = [sys.executable, "-c", script, str(moment), str(place.root), *arguments]
    return subprocess.run(line, capture_output=True, timeout=60, check=False).returncode
