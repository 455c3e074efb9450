"""Token ratios counted on the log's own text, with real tokenizers that are made here."""

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from tests.conftest import Outcome
from tiktoken_ext import openai_public
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split, Whitespace

from llmmigrate.costing.rank_files import PATTERNS
from llmmigrate.costing.tokenizers import load_tokenizer
from llmmigrate.errors import InputError

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


PIECES = tuple(" the|he|th|the| t|in|ing| in|12|123|é|\n\n|an|and".encode().split(b"|"))


def write_ranks(path: Path, pieces: tuple[bytes, ...] = PIECES) -> dict[bytes, int]:
    """A small encoding: all single bytes, then some pairs, in the order in which they are merged."""
    tokens = [*(bytes([byte]) for byte in range(256)), *sorted(pieces, key=len)]
    ranks = {token: rank for rank, token in enumerate(tokens)}
    lines = [f"{base64.b64encode(token).decode()} {rank}" for token, rank in ranks.items()]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return ranks


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
def test_a_rank_file_counts_as_the_package_itself_does(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is given the same ranks in place of those that it would fetch; the pattern is its own."""
    ranks = write_ranks(tmp_path / "small.tiktoken")
    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", lambda *_, **__: ranks)
    made = getattr(openai_public, name)()
    assert made["pat_str"] == PATTERNS[name]
    theirs = tiktoken.Encoding(name, pat_str=made["pat_str"], mergeable_ranks=ranks, special_tokens={})
    ours = load_tokenizer(name, tmp_path / "small.tiktoken")
    texts = [
        "", "the thing and the 12345 things", "I'LL we've don't", "café  \r\n\n\tdéjà vu", "漢字かな交じり文",
        "<|endoftext|> stays text", "a" * 300, "x = {'k': [1, 2.50]}  # code\n\n    return\n", "👩‍👩‍👧 \u202e",
    ]  # fmt: skip
    assert [ours(text) for text in texts] == [len(theirs.encode(text, disallowed_special=())) for text in texts]
    assert ours("the the") == 2


def test_a_pattern_beside_the_file_is_used(tmp_path: Path) -> None:
    write_ranks(tmp_path / "kimi.tiktoken")
    with pytest.raises(InputError, match="how 'kimi' cuts a text is not known"):
        load_tokenizer("kimi", tmp_path / "kimi.tiktoken")
    (tmp_path / "kimi.pattern").write_text(".\n", encoding="utf-8")
    assert load_tokenizer("kimi", tmp_path / "kimi.tiktoken")("the") == 3
    (tmp_path / "kimi.pattern").write_text("the|.\n", encoding="utf-8")
    assert load_tokenizer("kimi", tmp_path / "kimi.tiktoken")("the") == 1


def test_a_rank_file_compares_with_a_json(row: Row, files: dict[str, str]) -> None:
    """Five letters to a word and no pair to merge: the log's text is as long in both."""
    write_ranks(Path("o200k.tiktoken"), pieces=())
    files["o200k_base"] = "o200k.tiktoken"
    assert "1.0" == ratio(row("abcd", "efgh"))["value"]
    write_ranks(Path("o200k.tiktoken"), pieces=(b"ab", b"cd", b"abcd", b"ef", b"gh"))
    assert "2.6667" == ratio(row("abcd", "efgh"))["value"]


def test_half_a_surrogate_pair_in_a_log_stops_nothing(row: Row) -> None:
    assert "logged" == ratio(row("ab\ud83dcd", "efgh"))["source"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no rank for 0x00, 0x01, 0x02 and 253 more of the 256 single bytes"),
        ("IQ== 0\nnot base64 1\n", "bad.tiktoken:2"),
        ("IQ==\n", "bad.tiktoken:1"),
        ("{}", "a line is base64 of a token, a space and its rank"),
    ],
)
def test_a_file_that_is_no_rank_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.tiktoken").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as raised:
        load_tokenizer("o200k_base", tmp_path / "bad.tiktoken")
    assert words in f"{raised.value.where}: {raised.value} {raised.value.why}"


def test_two_tokens_of_one_rank_are_refused(tmp_path: Path) -> None:
    write_ranks(tmp_path / "bad.tiktoken")
    with (tmp_path / "bad.tiktoken").open("a") as file:
        file.write(f"{base64.b64encode(b'zz').decode()} 3\n")
    with pytest.raises(InputError) as raised:
        load_tokenizer("o200k_base", tmp_path / "bad.tiktoken")
    assert raised.value.why == "two tokens have the same rank"
