"""Token ratios counted on the log's own text, with real tokenizers that are made here."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split, Whitespace

Run = Callable[..., Outcome]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """One that makes a token of every word, and one that makes a token of every character."""
    monkeypatch.chdir(tmp_path)
    words, letters = (Tokenizer(WordLevel({"?": 0}, unk_token="?")) for _ in range(2))
    words.pre_tokenizer = Whitespace()
    letters.pre_tokenizer = Split("", "isolated")
    words.save("words.json")
    letters.save("letters.json")
    return {"o200k_base": "words.json", "glm": "letters.json"}


@pytest.fixture
def row(llmmigrate: Run, files: dict[str, str]) -> Callable[..., dict[str, Any]]:
    def ask(*texts: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
        lines = [
            {"timestamp": f"2026-10-{day:02d}T00:00:00Z", "model": "o3", "input_tokens": 1000, "output_tokens": 100,
             "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}]}
            for day, text in enumerate(texts, start=1)
        ]  # fmt: skip
        Path("log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        given = [part for name, path in files.items() for part in ("--tokenizer", f"{name}={path}")]
        line = ["estimate", "log.jsonl", "--to", "zai/glm-5", "--as-of", "2026-11-22", "--format", "json"]
        outcome = llmmigrate(*line, *given, *options)
        assert 0 == outcome.code, outcome.err
        (found,) = json.loads(outcome.out)["targets"]
        assert isinstance(found, dict)
        return found

    return ask


Row = Callable[..., dict[str, Any]]


def ratio(found: dict[str, Any]) -> dict[str, Any]:
    (entry,) = [entry for entry in found["assumptions"] if entry["name"] == "token_ratio"]
    assert isinstance(entry, dict)
    return entry


def test_the_ratio_is_that_of_the_totals(row: Row) -> None:
    """Words of four letters: four tokens for one."""
    found = row("abcd", "efgh", "ijkl")
    entry = ratio(found)
    assert ("4.0", "4", "4", "logged") == (entry["value"], entry["low"], entry["high"], entry["source"])
    assert 4 * (Decimal("0.001") + Decimal("0.00032")) * 3 == Decimal(found["cost"])


def test_calls_that_differ_leave_an_interval_around_it(row: Row) -> None:
    entry = ratio(row("abcd", "ef", "ghijkl", "mn", "opqr"))
    assert Decimal(entry["low"]) < Decimal(entry["value"]) < Decimal(entry["high"])
    assert "counted on the text of 5 calls" in entry["why"]


def test_the_range_is_still_called_assumed(row: Row) -> None:
    """The length of answers is not measured by it."""
    assert "assumed" == row("abcd", "efgh")["range_kind"]


def test_a_log_without_text_keeps_the_published_range_and_says_so(
    llmmigrate: Run, files: dict[str, str], tmp_path: Path
) -> None:
    Path("plain.jsonl").write_text('{"model": "o3", "input_tokens": 10, "output_tokens": 1}\n', encoding="utf-8")
    given = [part for name, path in files.items() for part in ("--tokenizer", f"{name}={path}")]
    outcome = llmmigrate("estimate", "plain.jsonl", "--to", "zai/glm-5", *given)
    assert 0 == outcome.code
    assert "the log keeps no texts" in outcome.err
    assert "assumed range 0.77 … 1.3" in outcome.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["glm=letters.json"], "one tokenizer compares nothing"),
        (["glm=letters.json", "klingon=words.json"], "unknown tokenizer 'klingon'"),
        (["glm=letters.json", "o200k_base=missing.json"], "cannot read missing.json"),
        (["glm=letters.json", "o200k_base=log.jsonl"], "log.jsonl is no tokenizer.json"),
        (["glm"], "'glm' is no KEY=VALUE"),
    ],
)
def test_what_is_no_tokenizer_is_refused(llmmigrate: Run, row: Row, options: list[str], words: str) -> None:
    row("abcd", "efgh")
    given = [part for option in options for part in ("--tokenizer", option)]
    outcome = llmmigrate("estimate", "log.jsonl", "--to", "zai/glm-5", *given)
    assert (2, "") == (outcome.code, outcome.out)
    assert words in outcome.err
