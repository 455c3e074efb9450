"""No command writes its result over its settings or over the price tables that these name."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import ROOT, Outcome

TARGET = ["--to", "zai/glm-5"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "words",
    [["analyze"], ["estimate", *TARGET], ["audit", *TARGET], ["report", *TARGET], ["ingest"], ["check"]],
    ids=lambda words: words[0],
)  # fmt: skip
@pytest.mark.parametrize("prices", ["own/table.yaml", "own"])
@pytest.mark.parametrize("target", ["own/settings.yaml", "own/tables/own/table.yaml"])
def test_no_command_writes_over_its_settings_and_prices(
    llmmigrate: Callable[..., Outcome], words: list[str], prices: str, target: str
) -> None:
    Path("own/tables/own").mkdir(parents=True)
    shutil.copy(ROOT / "samples" / "logs.jsonl", "logs.jsonl")
    shutil.copy(ROOT / "pricing" / "openai.yaml", "own/tables/own/table.yaml")
    Path("own/settings.yaml").write_text(f"prices: [tables/{prices}]\n")
    held = Path(target).read_bytes()
    output = "out.jsonl" if words == ["ingest"] else "out.json"
    Path(output).symlink_to(target)
    outcome = llmmigrate(*words, "logs.jsonl", "--config", "own/settings.yaml", "-o", output)
    assert (outcome.code, outcome.err.splitlines()[0]) == (2, f"error: {output} is also an input")
    assert Path(target).read_bytes() == held


@pytest.mark.parametrize("command", ["estimate", "report"])
@pytest.mark.parametrize(
    ("option", "value"), [("--evidence", "own.json"), ("--tokenizer", "a=own.json"), ("--calibration", "own.json")]
)
def test_no_result_is_written_over_what_is_known_of_a_target(
    llmmigrate: Callable[..., Outcome], command: str, option: str, value: str
) -> None:
    shutil.copy(ROOT / "samples" / "logs.jsonl", "logs.jsonl")
    Path("own.json").write_text("{}")
    outcome = llmmigrate(command, "logs.jsonl", *TARGET, option, value, "-o", "own.json")
    assert (outcome.code, outcome.err.splitlines()[0]) == (2, "error: own.json is also an input")
    assert Path("own.json").read_text() == "{}"
