"""The example of a measure of one's own works as the page shows it."""

import json
import re
import sys
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.shadow.asking import asked, pair, says

from llmmigrate.shadow.own_measures import own_measure
from llmmigrate.shadow.scoring import scores

PAGE = (ROOT / "docs" / "measures.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_function_of_the_page_is_a_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "judges_of_the_page.py").write_text(block("python"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    item = own_measure("judges_of_the_page:same_city")
    told = {other: scores(pair("Paris", other), [item])[item.name].target for other in ("It is Paris.", "Lyon", "no")}
    assert told == {"It is Paris.": 1, "Lyon": 0, "no": 0}
    assert scores(pair("a", "b"), [item])[item.name].target is None


def test_the_page_shows_what_a_measure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "listener_of_the_page.py").write_text(
        "heard = []\ndef hear(told):\n    heard.append(told)\n    return 1\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    item = own_measure("listener_of_the_page:hear")
    shown = json.loads(block("json"))
    item.function(asked(**shown["request"]), says("Paris"), says("It is Paris."))
    heard = sys.modules["listener_of_the_page"].heard
    assert list(heard[0]) == list(shown)
    assert set(heard[0]["one"]) == set(shown["one"])
    assert heard[0]["request"] == shown["request"]
