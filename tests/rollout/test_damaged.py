"""Files of a rollout that were damaged, cut off or edited: said with file, line and what to do, never a traceback."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.rollout.conftest import PLAN

Run = Callable[..., Any]
FOLDER = Path(".llmmigrate/rollout/o3-to-glm5")
BACK = Path("gateway/stages/back/rds.json")
STAGES = "stages: [{name: shadow, share: 0%}, {name: canary, share: 10%}, {name: half, share: 50%}]\n"
BROKEN = [b"", b"{", b"\xff\x00", b"[1]", b'{\n "schema": "x",\n "stage": 3\n}\n', b"[" * 100_000]


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, llmmigrate: Run) -> Run:
    """The command line in a folder whose plan is emitted, with stage half in force."""
    monkeypatch.chdir(tmp_path)
    Path("migration.yaml").write_text(PLAN.replace(', webhook: "env:ALERT_WEBHOOK"', "") + STAGES)
    assert llmmigrate("rollout", "emit").code == 0
    assert llmmigrate("rollout", "stage", "migration.yaml", "half").code == 0
    return llmmigrate


def target_weight() -> int:
    route = json.loads(Path("gateway/rds.json").read_text())["resources"][0]["virtual_hosts"][0]["routes"][0]["route"]
    weight = route["weighted_clusters"]["clusters"][0]["weight"]
    assert isinstance(weight, int)
    return weight


def went_back(run: Run) -> Any:
    done = run("rollback", "--reason", "answers are cut off")
    assert (done.code, target_weight()) == (0, 0)
    assert json.loads((FOLDER / "state.json").read_text())["lock"]["reason"] == "answers are cut off"
    return done


@pytest.mark.parametrize("name", ["state.json", "emitted.json", "verified.json", "watch.json", "journal.jsonl"])
@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_no_damaged_file_ends_in_a_traceback_or_holds_a_rollback_up(name: str, content: bytes, staged: Run) -> None:
    (FOLDER / name).write_bytes(content)
    for line in (["rollout", "status"], ["rollout", "emit"], ["rollout", "stage", "migration.yaml", "canary"]):
        done = staged(*line)
        assert done.code in (0, 1, 2)
        assert "internal" not in done.err
        (FOLDER / name).write_bytes(content)
    went_back(staged)
    assert staged("rollout", "status").code in (0, 2)


def test_a_damaged_state_is_told_with_its_line_and_what_to_do(staged: Run) -> None:
    path = FOLDER / "state.json"
    whole = path.read_text()
    path.write_text(whole.replace('"half"', "3"))
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if '"stage"' in text)
    for command in (["rollout", "status"], ["rollout", "stage", "migration.yaml", "canary"], ["rollout", "emit"]):
        done = staged(*command)
        assert (done.code, f"state.json:{line}" in done.err) == (2, True)
        assert "llmmigrate rollback" in done.err
    path.write_text(whole[:60])
    assert f"state.json:{path.read_text().count(chr(10)) + 1}" in staged("rollout", "status").err
    assert staged("rollback", "--reason", "x").out.startswith("an unknown stage → back")


@pytest.mark.parametrize(
    ("key", "value"), [("since", "noon"), ("since", "2026-11-22T12:00:00"), ("share", "much"), ("share", "NaN")]
)
def test_values_that_no_state_has_are_damage_too(key: str, value: str, staged: Run) -> None:
    path = FOLDER / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    for command in (["rollout", "status"], ["rollout", "emit"], ["rollout", "run"]):
        done = staged(*command)
        assert (done.code, f"state.json cannot be read\n  --> {path}" in done.err) == (2, True), done.err
    went_back(staged)


def test_lines_of_the_journal_that_cannot_be_read_are_told(staged: Run) -> None:
    path = FOLDER / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\xff\n[1]\n" + b"".join(lines[1:]) + b'{"event": "beg')
    found = json.loads(staged("rollout", "status", "--format", "json").out)
    told = [f"{path}:{n}: " for n in (2, 3, len(lines) + 3)]
    assert [any(words.startswith(start) for words in found["damaged"]) for start in told] == [True] * 3
    assert "left out" in found["damaged"][0]
    assert [line["event"] for line in found["journal"]] == ["emitted", "begun", "done"]
    went_back(staged)
    events = [line["event"] for line in json.loads(staged("rollout", "status", "--format", "json").out)["journal"]]
    assert events == ["emitted", "begun", "done", "begun", "done"]


@pytest.mark.parametrize("name", ["emitted.json", "verified.json", "watch.json"])
def test_what_status_leaves_out_is_said(name: str, staged: Run) -> None:
    (FOLDER / name).write_text('{\n "schema": 3')
    found = json.loads(staged("rollout", "status", "--format", "json").out)
    assert (found["stage"], len(found["damaged"])) == ("half", 1)
    assert found["damaged"][0].startswith(f"{FOLDER / name}:2: ")
    page = staged("rollout", "status").out
    assert name in page


def test_a_rollback_says_that_it_could_not_go_by_what_was_emitted(staged: Run) -> None:
    (FOLDER / "emitted.json").write_text("{")
    assert f"{FOLDER / 'emitted.json'}:1: " in went_back(staged).err


DAMAGES: dict[str, Callable[[str], str]] = {
    "cut": lambda text: text[:100],
    "edited": lambda text: text.replace('"weight": 10000', '"weight": 1'),
    "empty": lambda _: "",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_way_back_is_written_anew(damage: str, staged: Run) -> None:
    whole = BACK.read_text()
    BACK.write_text(DAMAGES[damage](whole))
    assert BACK.read_text() != whole
    done = went_back(staged)
    assert (BACK.read_text(), Path("gateway/rds.json").read_text()) == (whole, whole)
    assert "gateway/stages/back/rds.json was not what was emitted: it was written anew" in done.err


def test_a_way_back_that_is_gone_is_written_anew(staged: Run) -> None:
    whole = BACK.read_text()
    BACK.unlink()
    went_back(staged)
    assert BACK.read_text() == whole


def test_a_damaged_way_back_of_a_plan_that_cannot_be_read_is_refused(staged: Run) -> None:
    emitted = json.loads((FOLDER / "emitted.json").read_text())
    (FOLDER / "emitted.json").write_text(json.dumps({**emitted, "text": "version: ["}))
    BACK.write_text("{}")
    Path("migration.yaml").write_text("version: [")
    before = Path("gateway/rds.json").read_text()
    done = staged("rollback", "--reason", "x")
    assert (done.code, Path("gateway/rds.json").read_text()) == (2, before)
    assert "migration.yaml" in done.err
    assert "internal" not in done.err


def test_records_with_the_plan_or_a_reason_are_private_and_whole(staged: Run) -> None:
    went_back(staged)
    for name in ("emitted.json", "state.json", "journal.jsonl"):
        assert stat.S_IMODE((FOLDER / name).stat().st_mode) == 0o600, name
    assert list(FOLDER.glob(".*part")) == []
