"""Locks are the emitted directory's, by whatever plan, name or path it is reached; what an emission leaves alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.rollout.conftest import PLAN

from llmmigrate.errors import GatewayError
from llmmigrate.rollout.changing import take_stage
from llmmigrate.rollout.plan import load
from llmmigrate.rollout.state import Place

Run = Callable[..., Any]
STAGES = "stages: [{name: shadow, share: 0%}, {name: canary, share: 10%}, {name: half, share: 50%}]\n"


def write(path: str, *, name: str, directory: str = "gateway", more: str = STAGES) -> Place:
    """A plan file of a name that emits into a directory."""
    text = PLAN.replace(', webhook: "env:ALERT_WEBHOOK"', "").replace("o3-to-glm5", name)
    Path(path).write_text(f"{text}{more}gateway: {{directory: {directory}}}\n")
    return Place(Path(path), load(Path(path)))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def file_of(directory: str = "gateway") -> str:
    return Path(directory, "rds.json").read_text()


def test_two_plans_with_own_directories_do_not_block_each_other(llmmigrate: Run) -> None:
    one, other = write("one.yaml", name="one", directory="one"), write("other.yaml", name="other", directory="other")
    for plan in ("one.yaml", "other.yaml"):
        assert llmmigrate("rollout", "emit", plan).code == 0
        assert llmmigrate("rollout", "stage", plan, "canary").code == 0
    with one.alone():
        take_stage(load(other.plan_path), other, "half")
    assert llmmigrate("rollback", "one.yaml", "--reason", "x").code == 0
    assert llmmigrate("rollout", "stage", "other.yaml", "canary").code == 0
    assert llmmigrate("rollout", "emit", "other.yaml").code == 0
    assert llmmigrate("rollout", "stage", "one.yaml", "canary").code == 1


@pytest.mark.parametrize("path", ["gateway", "link", "./gateway/../gateway"])
def test_one_directory_by_two_plans_is_changed_by_one_at_a_time(path: str, llmmigrate: Run) -> None:
    one = write("one.yaml", name="one")
    assert llmmigrate("rollout", "emit", "one.yaml").code == 0
    Path("link").symlink_to("gateway")
    other = write("other.yaml", name="other", directory=path)
    with one.alone(), pytest.raises(GatewayError, match="another llmmigrate"):
        take_stage(load(other.plan_path), other, "canary")
    with one.alone():
        assert llmmigrate("rollout", "emit", "other.yaml").code == 2
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("llmmigrate.rollout.changing.WAITS", 0.1)
        with other.alone():
            assert llmmigrate("rollback", "one.yaml", "--reason", "x").code == 2


@pytest.mark.parametrize("path", ["gateway", "link"])
def test_a_rollback_locks_the_directory_for_every_plan_until_it_is_released(path: str, llmmigrate: Run) -> None:
    write("one.yaml", name="one")
    assert llmmigrate("rollout", "emit", "one.yaml").code == 0
    assert llmmigrate("rollout", "stage", "one.yaml", "half").code == 0
    assert llmmigrate("rollback", "one.yaml", "--reason", "answers are cut off").code == 0
    Path("link").symlink_to("gateway")
    write("other.yaml", name="other", directory=path)
    back = file_of()
    refused = llmmigrate("rollout", "stage", "other.yaml", "canary")
    assert (refused.code, file_of()) == (1, back)
    assert "under the name one" in refused.err
    assert "answers are cut off" in refused.err
    assert llmmigrate("rollout", "emit", "other.yaml").code == 1
    assert llmmigrate("rollout", "stage", "other.yaml", "canary", "--release").code == 1
    assert file_of() == back
    assert llmmigrate("rollout", "stage", "one.yaml", "canary", "--release").code == 0
    assert llmmigrate("rollout", "emit", "other.yaml", "--stage", "canary").code == 0
    assert llmmigrate("rollout", "stage", "other.yaml", "half").code == 0


def test_a_stage_of_an_earlier_name_does_not_hold_an_emission_up(llmmigrate: Run) -> None:
    """What was put in force last is what counts."""
    write("migration.yaml", name="one")
    assert llmmigrate("rollout", "emit").code == 0
    assert llmmigrate("rollout", "stage", "migration.yaml", "canary").code == 0
    write("migration.yaml", name="other")
    refused = llmmigrate("rollout", "emit", "--stage", "half")
    assert (refused.code, "stage canary is in force" in refused.err) == (1, True)
    assert llmmigrate("rollout", "emit", "--stage", "canary").code == 0
    assert llmmigrate("rollout", "stage", "migration.yaml", "half").code == 0
    assert llmmigrate("rollout", "emit").code == 0
    assert llmmigrate("rollout", "emit", "--stage", "canary").code == 1


def test_another_plan_of_the_same_name_is_not_emitted_over_the_first(llmmigrate: Run) -> None:
    write("one.yaml", name="same", directory="one")
    assert llmmigrate("rollout", "emit", "one.yaml").code == 0
    write("other.yaml", name="same", directory="other")
    refused = llmmigrate("rollout", "emit", "other.yaml")
    assert (refused.code, Path("other").exists()) == (1, False)
    assert "one.yaml was emitted under the name same" in refused.err
    assert "name: " in refused.err
    assert llmmigrate("rollout", "emit", "other.yaml", "-o", "copy").code == 0
    Path("one.yaml").unlink()
    assert llmmigrate("rollout", "emit", "other.yaml").code == 0


def test_a_plan_by_another_name_of_its_file_is_the_same_plan(llmmigrate: Run) -> None:
    write("one.yaml", name="same")
    assert llmmigrate("rollout", "emit", "one.yaml").code == 0
    Path("link.yaml").symlink_to("one.yaml")
    assert llmmigrate("rollout", "emit", "link.yaml").code == 0


def reason_of() -> str:
    reason = json.loads(Path(".llmmigrate/rollout/one/state.json").read_text())["lock"]["reason"]
    assert isinstance(reason, str)
    return reason


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("answers\nare\tcut\r\noff", "answers are cut off"),
        ("\x1b[31mred\x1b[0m \x07bell\x9b", "[31mred [0m bell"),
        ("right\u202eleft\u2028line\ufeff", "right left line"),
        ("bytes \udcff that are no text", "bytes that are no text"),
        ("Grüße, 你好 👩", "Grüße, 你好 👩"),
    ],
)
def test_the_reason_of_a_rollback_is_one_plain_line(given: str, kept: str, llmmigrate: Run) -> None:
    write("one.yaml", name="one")
    assert llmmigrate("rollout", "emit", "one.yaml").code == 0
    assert llmmigrate("rollback", "one.yaml", "--reason", given).code == 0
    assert reason_of() == kept
    journal = [json.loads(line) for line in Path(".llmmigrate/rollout/one/journal.jsonl").read_text().splitlines()]
    assert {line["reason"] for line in journal if "reason" in line} == {kept}
    assert kept in llmmigrate("rollout", "status", "one.yaml").out


@pytest.mark.parametrize("given", ["", " \n", "\x1b\u202e"])
def test_a_reason_without_a_word_is_none(given: str, llmmigrate: Run) -> None:
    write("one.yaml", name="one")
    refused = llmmigrate("rollback", "one.yaml", "--reason", given)
    assert (refused.code, "no reason given" in refused.err) == (2, True)


def two_folders(llmmigrate: Run) -> None:
    """The same plan in two folders, for one directory: by its path in one, by a link in the other; it is locked."""
    for folder in ("a", "b"):
        Path(folder).mkdir()
    write("a/migration.yaml", name="one", directory="files")
    Path("b/link").symlink_to(Path("a/files").resolve())
    write("b/migration.yaml", name="one", directory="link")
    assert llmmigrate("rollout", "emit", "a/migration.yaml").code == 0
    assert llmmigrate("rollout", "stage", "a/migration.yaml", "half").code == 0
    assert llmmigrate("rollback", "a/migration.yaml", "--reason", "answers are cut off").code == 0


@pytest.mark.parametrize("line", [["stage", "b/migration.yaml", "canary"], ["emit", "b/migration.yaml"]])
def test_a_rollback_locks_the_directory_for_plans_of_other_folders(line: list[str], llmmigrate: Run) -> None:
    two_folders(llmmigrate)
    back = file_of("a/files")
    for more in ([], ["--release"] if line[0] == "stage" else ["--force"]):
        refused = llmmigrate("rollout", *line, *more)
        assert (refused.code, file_of("a/files")) == (1, back)
        assert "answers are cut off" in refused.err
        assert "a/migration.yaml" in refused.err
    assert llmmigrate("rollback", "b/migration.yaml", "--reason", "x").code == 0
    assert llmmigrate("rollout", "stage", "b/migration.yaml", "canary", "--release").code == 1
    assert llmmigrate("rollout", "stage", "a/migration.yaml", "canary", "--release").code == 0
    assert llmmigrate("rollout", "stage", "b/migration.yaml", "half", "--release").code == 0
    assert not Path("a/files/locked.json").exists()


def test_a_lock_of_another_folder_that_cannot_be_read_holds(llmmigrate: Run) -> None:
    two_folders(llmmigrate)
    Path("a/files/locked.json").write_text("{")
    refused = llmmigrate("rollout", "stage", "b/migration.yaml", "canary")
    assert (refused.code, "locked.json" in refused.err) == (1, True)
    assert llmmigrate("rollback", "b/migration.yaml", "--reason", "x").code == 0
    assert Path("a/files/locked.json").read_text() == "{"
    assert llmmigrate("rollout", "stage", "a/migration.yaml", "canary", "--release").code == 0
    assert not Path("a/files/locked.json").exists()
    Path("a/files/locked.json").write_text("{")
    assert llmmigrate("rollback", "a/migration.yaml", "--reason", "x").code == 0


def test_a_rollback_that_was_refused_leaves_no_lock_to_others(llmmigrate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmmigrate.rollout.gateways import envoy

    write("one.yaml", name="one")
    assert llmmigrate("rollout", "emit", "one.yaml").code == 0

    def refuse(*_: object) -> None:
        raise GatewayError("no", code="refused")

    monkeypatch.setattr(envoy, "reload", refuse)
    assert llmmigrate("rollback", "one.yaml", "--reason", "x").code == 2
    assert not Path("gateway/locked.json").exists()
