"""`rollout` and `rollback` as a shell sees them: files, exit codes, JSON."""

import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.loopback import no_network as no_network
from tools.make_docs import DOCS

from llmmigrate.rollout import Counts, emitted
from llmmigrate.rollout.drill.faults import chosen

Run = Callable[..., Any]
PLAN = 'providers: {current: {base_url: "http://127.0.0.1:8/v1"}, target: {base_url: "http://127.0.0.1:7/v1"}}\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("migration.yaml").write_text(PLAN)


def valid(text: str, name: str) -> Any:
    """A result that is what its schema says."""
    document = json.loads(text)
    schema = json.loads((DOCS / "schemas" / f"llmmigrate.{name}.schema.json").read_text())
    jsonschema.validate(document, schema)
    return document


def test_from_the_plan_to_a_stage_and_back(llmmigrate: Run) -> None:
    assert llmmigrate("rollout", "emit", "--stage", "shadow").code == 0
    assert stat.S_IMODE(Path("gateway/start.sh").stat().st_mode) == 0o755
    assert llmmigrate("rollout", "stage", "migration.yaml", "canary").code == 0
    status = valid(llmmigrate("rollout", "status", "--format", "json").out, "rollout-status")
    assert (status["stage"], status["share"], status["stage_in_file"], status["lock"]) == (
        "canary",
        "0.1",
        "canary",
        None,
    )
    back = llmmigrate("rollback", "--reason", "answers are cut off")
    assert (back.code, back.out.split(" in ")[0]) == (0, "canary → back")
    status = valid(llmmigrate("rollout", "status", "--format", "json").out, "rollout-status")
    assert (status["stage"], status["lock"]["reason"]) == ("back", "answers are cut off")
    refused = llmmigrate("rollout", "stage", "migration.yaml", "canary")
    assert (refused.code, "locked" in refused.err) == (1, True)


def test_emitting_again_keeps_the_stage_in_force(llmmigrate: Run) -> None:
    llmmigrate("rollout", "emit")
    llmmigrate("rollout", "stage", "migration.yaml", "half")
    assert llmmigrate("rollout", "emit").code == 0
    assert Path("gateway/rds.json").read_text() == Path("gateway/stages/half/rds.json").read_text()


def test_emitting_cannot_pass_by_a_lock(llmmigrate: Run) -> None:
    llmmigrate("rollout", "emit", "--stage", "canary")
    llmmigrate("rollout", "stage", "migration.yaml", "canary")
    llmmigrate("rollback", "--reason", "answers are cut off")
    back = Path("gateway/rds.json").read_text()
    for arguments in (["--stage", "half"], ["--stage", "full", "-o", "./gateway/", "--force"]):
        refused = llmmigrate("rollout", "emit", *arguments)
        assert (refused.code, Path("gateway/rds.json").read_text()) == (1, back)
        assert "stage back is in force in gateway, locked" in refused.err
        assert "llmmigrate rollout stage migration.yaml" in refused.err
    assert llmmigrate("rollout", "emit").code == 0
    assert Path("gateway/rds.json").read_text() == back
    assert llmmigrate("rollout", "emit", "--stage", "half", "-o", "copy").code == 0


def test_emitting_cannot_pass_by_a_drill(llmmigrate: Run) -> None:
    llmmigrate("rollout", "emit")
    llmmigrate("rollout", "stage", "migration.yaml", "canary")
    before = Path("gateway/rds.json").read_text()
    assert llmmigrate("rollout", "emit", "--stage", "full").code == 1
    assert llmmigrate("rollout", "emit", "--to", "nginx").code == 1
    assert Path("gateway/rds.json").read_text() == before
    assert not Path("gateway/stage.conf").exists()


def test_the_way_back_of_another_gateway_is_by_hand(llmmigrate: Run) -> None:
    """`rollback` acts on the plan's gateway: who has emitted for another one is told, then and at the rollback."""
    llmmigrate("rollout", "emit", "--stage", "canary")
    emitted = llmmigrate("rollout", "emit", "--to", "nginx", "--stage", "canary", "-o", "nginx")
    assert emitted.code == 0
    assert "act on envoy in gateway, not on these files: see nginx/ROLLBACK.md" in emitted.err
    back = llmmigrate("rollback", "--reason", "answers are cut off")
    assert "nginx in nginx is as it was: this acts on envoy in gateway alone" in back.err
    sent = Path("nginx/stage.conf").read_text()
    assert sent != Path("nginx/stages/back/stage.conf").read_text()
    way = Path("nginx/ROLLBACK.md").read_text()
    assert "`llmmigrate rollback migration.yaml` does nothing here" in way
    command = way.split("`")[1]
    assert subprocess.run(command, shell=True, cwd="nginx", check=False).returncode == 0
    assert Path("nginx/stage.conf").read_text() == Path("nginx/stages/back/stage.conf").read_text()
    assert "kill -HUP $(cat nginx.pid)" in way


def test_the_plans_own_way_back_names_the_plan(llmmigrate: Run) -> None:
    Path("migration.yaml").rename("other.yaml")
    with Path("other.yaml").open("a") as plan:
        plan.write("stages: [{name: one, share: 0%}, {name: two, share: 5%}]\n")
    done = llmmigrate("rollout", "emit", "other.yaml", "-o", "gateway")
    assert "act on" not in done.err
    way = Path("gateway/ROLLBACK.md").read_text()
    assert "llmmigrate rollback other.yaml" in way
    assert "llmmigrate rollout stage other.yaml two --release" in way
    assert "act on" not in llmmigrate("rollback", "other.yaml", "--reason", "answers are cut off").err


@pytest.mark.parametrize("gateway", ["envoy", "nginx", "litellm"])
def test_strict_takes_a_gateway_that_does_what_the_plan_asks_for(gateway: str, llmmigrate: Run) -> None:
    assert llmmigrate("init", "--rollout", "--force").code == 0
    done = llmmigrate("rollout", "emit", "--to", gateway, "--strict", "--format", "json")
    assert done.code == 0
    found = {item["requirement"]: item for item in json.loads(done.out)["findings"]}
    assert (found["change of stage"]["status"], found["change of stage"]["asked_by"]) == ("exact", "stages")
    assert found["who may call"]["asked_by"] is None
    assert Path("gateway/findings.json").exists()


def test_strict_refuses_what_the_plan_asks_for_and_nothing_else(llmmigrate: Run) -> None:
    assert llmmigrate("rollout", "emit", "--to", "haproxy", "-o", "plain", "--strict").code == 0
    Path("migration.yaml").write_text(PLAN.replace(':7/v1"', ':7/v1", models: {o3: glm-5}'))
    refused = llmmigrate("rollout", "emit", "--to", "haproxy", "--strict")
    assert (refused.code, Path("gateway").exists()) == (1, False)
    assert "--strict: nothing was written: model names and parameters" in refused.err
    refused = llmmigrate("rollout", "emit", "--to", "env", "--strict")
    assert (refused.code, Path("gateway").exists()) == (1, False)
    assert "share, fallback, ejection, change of stage, metrics" in refused.err


def test_the_aliases_of_rollback(llmmigrate: Run) -> None:
    assert llmmigrate("rollback", "emit", "migration.yaml", "--to", "env", "-o", "clients").code == 0
    assert Path("clients/llm.env").exists()
    assert llmmigrate("rollback", "verify", "--faults", "hnag").code == 2


def test_a_list_of_faults_that_names_none_is_not_all_of_them(llmmigrate: Run) -> None:
    for names in (",", " ", ""):
        refused = llmmigrate("rollout", "drill", "--faults", names)
        assert (refused.code, "names no fault" in refused.err) == (2, True)


def test_the_help_counts_the_faults_of_a_quick_drill(llmmigrate: Run) -> None:
    count = len(chosen([], quick=True))
    words = {4: "Four", 5: "Five", 6: "Six"}
    assert f"{words[count]} faults in less than a minute" in llmmigrate("rollout", "drill", "--help").out


def test_a_plan_with_a_gateway_that_there_is_not(llmmigrate: Run) -> None:
    Path("migration.yaml").write_text(PLAN + "gateway: {kind: envy}\n")
    refused = llmmigrate("rollout", "lint")
    assert (refused.code, "did you mean 'envoy'?" in refused.err) == (2, True)


def test_a_lint_is_what_its_schema_says(llmmigrate: Run) -> None:
    done = llmmigrate("rollout", "lint", "--format", "json")
    assert done.code == 0
    assert valid(done.out, "lint")["remarks"][0]["code"] == "no_emergency"


def test_the_schema_is_written_beside_the_plan(llmmigrate: Run) -> None:
    assert llmmigrate("init", "--rollout", "--force").code == 0
    first = Path("migration.yaml").read_text().splitlines()[0]
    written = json.loads(Path(first.partition("$schema=")[2]).read_text())
    assert written == json.loads((DOCS / "schemas" / "llmmigrate.migration.schema.json").read_text())


@pytest.mark.parametrize(("errors", "code"), [(0, 0), (60, 3)])
def test_a_window_that_was_not_good_is_no_success(
    llmmigrate: Run, monkeypatch: pytest.MonkeyPatch, errors: int, code: int
) -> None:
    """Nothing is due yet: three windows in a row decide."""
    Path("migration.yaml").write_text(PLAN + "monitoring: {every: 20ms}\n")
    counts = iter([Counts(0, 0, 0, 0, 0), Counts(100, errors, 100, 0, 0)])
    monkeypatch.setattr(emitted, "running_reader", lambda *_: lambda: next(counts))
    assert llmmigrate("rollout", "watch", "--once").code == code
