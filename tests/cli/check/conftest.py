"""Each test of `check` runs in a folder of its own."""

from pathlib import Path

import pytest
from tests.cli.check.project import BASELINE, Run, log


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795348800")  # 2026-11-22T12:00:00Z
    return tmp_path


@pytest.fixture
def baseline(llmmigrate: Run) -> str:
    """A baseline at the usual place, made of 600 calls."""
    outcome = llmmigrate("check", log("base.jsonl", seed=1), "--update-baseline", "--by", "tag.route")
    assert outcome.code == 0, outcome.err
    return BASELINE
