"""`prices diff`: tables, dates and files held against each other."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome

Run = Callable[..., Outcome]
CONTRACT = """\
schema: 1
provider: openai
currency: USD
models:
  - id: o3
    periods:
      - from: 2026-01-01
        per_mtok: {input: "1.60", cache_read: "0.50", output: "8"}
        source: "A: our contract"
  - id: our-own
    periods:
      - from: 2026-01-01
        per_mtok: {input: "1", output: "2"}
        source: "A: our contract"
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795348800")


def found(llmmigrate: Run, *sides: str) -> dict[str, Any]:
    outcome = llmmigrate("prices", "diff", *sides, "--format", "json")
    assert outcome.code == 0, outcome.err
    document: dict[str, Any] = json.loads(outcome.out)
    return document


def lines(document: dict[str, Any]) -> list[tuple[str, str, str | None, str | None]]:
    return [(line["model"], line["token_class"], line["a"], line["b"]) for line in document["different"]]


def test_a_relay_against_the_vendor(llmmigrate: Run) -> None:
    document = found(llmmigrate, "holysheep", "openai")
    assert ("gpt-4.1", "input", "1.2", "2") in lines(document)
    assert "glm-5" in document["only_a"]


def test_two_dates_of_one_table(llmmigrate: Run) -> None:
    document = found(llmmigrate, "openai@2025-06-01", "openai@2025-07-01")
    assert lines(document) == [
        ("o3", "input", "10", "2"),
        ("o3", "cache_read", "2.5", "0.5"),
        ("o3", "output", "40", "8"),
    ]
    assert [line["change"] for line in document["different"]] == [-0.8] * 3


def test_a_table_does_not_differ_from_itself(llmmigrate: Run) -> None:
    document = found(llmmigrate, "anthropic", "anthropic")
    assert (document["different"], document["only_a"], document["only_b"]) == ([], [], [])
    assert document["equal"] > 3


def test_a_contract_against_the_public_table(llmmigrate: Run) -> None:
    Path("contract.yaml").write_text(CONTRACT)
    document = found(llmmigrate, "contract.yaml", "openai")
    assert lines(document) == [("o3", "input", "1.6", "2")]
    assert document["only_a"] == ["our-own"]


def test_another_currency_is_converted(llmmigrate: Run) -> None:
    document = found(llmmigrate, "zai", "zhipuai")
    assert document["currency"] == "USD"
    (line,) = [x for x in document["different"] if (x["model"], x["token_class"]) == ("glm-5", "input")]
    assert (line["a"], line["b"]) == ("1", "0.555555555556")


def test_two_files(llmmigrate: Run) -> None:
    Path("old.yaml").write_text(CONTRACT)
    Path("new@2.yaml").write_text(CONTRACT.replace('"1.60"', '"1.20"'))
    assert lines(found(llmmigrate, "old.yaml", "new@2.yaml")) == [("o3", "input", "1.6", "1.2")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("opnai", "did you mean 'openai'?"),
        ("no-such-file.yaml", "there is no file no-such-file.yaml"),
        ("openai@yesterday", "openai@'yesterday' is no date or time"),
        ("openai@", "openai@'' is no date or time"),
        ("openai@1999-01-01", "no model of openai has a price at 1999-01-01T00:00Z"),
        (".", ". is a folder"),
        ("fx.yaml", "this file holds exchange rates, no prices"),
        ("empty.yaml", "the price table is empty"),
    ],
)
def test_a_side_that_is_none_is_an_error(llmmigrate: Run, name: str, words: str) -> None:
    Path("empty.yaml").write_text("")
    Path("fx.yaml").write_text("schema: 1\nexchange_rates: []\n")
    done = llmmigrate("prices", "diff", name, "openai")
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_a_side_at_no_time_says_how_to_write_one(llmmigrate: Run) -> None:
    done = llmmigrate("prices", "diff", "openai@foo", "openai")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: openai@'foo' is no date or time")
    assert "write openai@2026-10-01 or openai@2026-10-01T12:00Z" in done.err
