"""Bad input: each a clear error or a clear partial result with the right exit code, never a traceback."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT, Outcome

from llmmigrate.cli.console import Console

Run = Callable[..., Outcome]
CALL = (
    '{"timestamp": "2026-10-01T10:00:00Z", "model": "o3", "input_tokens": 1234567, "output_tokens": 7654,'
    ' "cached_input_tokens": 98765, "latency_ms": 1234, "status": 200}\n'
)
COMMANDS = [["analyze"], ["estimate", "--to", "openai/gpt-4o"]]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "calls.jsonl"
    path.write_text(CALL, encoding="utf-8")
    return path


def check_error(outcome: Outcome, *words: str, code: str | None = None) -> None:
    """Exit 2, nothing on stdout, one of our errors with these words."""
    assert (2, "") == (outcome.code, outcome.out)
    assert outcome.err.startswith(f"error[{code}]: " if code else "error")
    assert [] == [word for word in words if word not in outcome.err]
    assert [] == [word for word in ("Traceback", "defect of llmmigrate") if word in outcome.err]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_file_is_an_error_with_a_suggestion(llmmigrate: Run, good: Path, command: list[str]) -> None:
    outcome = llmmigrate(command[0], str(good.with_name("cals.jsonl")), *command[1:])
    check_error(outcome, "no such file", "did you mean", "calls.jsonl", code="no_such_file")


def test_a_missing_file_beside_a_good_one_is_an_error_before_reading(llmmigrate: Run, good: Path) -> None:
    check_error(llmmigrate("analyze", str(good), "/nowhere/at/all.jsonl"), "no such file")


def test_a_directory_without_logs_is_an_error(llmmigrate: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    check_error(llmmigrate("analyze", str(tmp_path / "empty")), "no logs in the directory", code="no_records")


def test_a_pattern_that_matches_nothing_is_an_error(llmmigrate: Run, tmp_path: Path) -> None:
    check_error(llmmigrate("analyze", str(tmp_path / "*.jsonl")), "no file matches", code="no_records")


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", "no_records", "is empty"),
        (b"\n\n", "no_records", "blank"),
        (bytes(range(256)) * 20, "not_text", "binary"),
        (b"<!DOCTYPE html><html><h1>502 Bad Gateway</h1></html>\n", "no_records", "HTML"),
        (b'date,model,"cost (usd)"\n2026-01-01,o3,1.2\n', "no_records", "CSV with the headers date, model"),
        (b'{"hello": "world"}\n', "no_records", "no line that is a call"),
        (b"[]", "no_records", "no line that is a call"),
        (b"\x1f\x8b\x08\x00garbage", "no_records", ""),
    ],
    ids=["empty", "blank", "binary", "html", "csv", "other json", "empty array", "broken gzip"],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_without_calls_says_what_was_seen(
    llmmigrate: Run, tmp_path: Path, command: list[str], content: bytes, code: str, words: str
) -> None:
    path = tmp_path / "input.jsonl"
    path.write_bytes(content)
    check_error(llmmigrate(command[0], str(path), *command[1:]), words, code=code)


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="no permission bits")
def test_an_unreadable_file_is_an_error(llmmigrate: Run, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = open

    def refuse(file: Any, *rest: Any, **named: Any) -> Any:
        if str(file) == str(good):
            raise PermissionError(13, "Permission denied", str(file))
        return real(file, *rest, **named)

    monkeypatch.setattr(builtins, "open", refuse)  # root may read every file
    check_error(llmmigrate("analyze", str(good)), "Permission denied", "calls.jsonl")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--log-format", "openai_chatt"], "did you mean 'openai_chat'?"),
        (["--format", "tabel"], "did you mean"),
        (["--by", "modle"], "did you mean"),
        (["--wher", "a=b"], "--where"),
        (["--alias", "x=openai/gpt-4oo"], "did you mean"),
        (["--tz", "Europe/Berln"], "did you mean 'Europe/Berlin'?"),
        (["--since", "soon"], "is no date"),
        (["--as-of", "soon"], "is no date"),
        (["-o", "report.docx"], ".docx"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_slip_in_an_option_is_an_error_with_a_suggestion(
    llmmigrate: Run, good: Path, options: list[str], words: str
) -> None:
    check_error(llmmigrate("analyze", str(good), *options), words)


def test_an_unknown_command_is_an_error_with_a_suggestion(llmmigrate: Run) -> None:
    check_error(llmmigrate("analyse"), "analyze")


def test_an_output_that_cannot_be_written_is_an_error_before_reading(llmmigrate: Run, tmp_path: Path) -> None:
    outcome = llmmigrate("analyze", str(tmp_path / "not read.jsonl"), "-o", str(tmp_path / "missing" / "report.json"))
    check_error(outcome, "report.json")
    assert "not read" not in outcome.err


def test_a_directory_as_output_is_an_error(llmmigrate: Run, good: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    check_error(llmmigrate("analyze", str(good), "-o", str(tmp_path / "folder.json")), "folder.json")


def test_an_input_is_never_overwritten(llmmigrate: Run, good: Path) -> None:
    check_error(llmmigrate("ingest", str(good), "-o", str(good)), "calls.jsonl")
    assert CALL == good.read_text(encoding="utf-8")


def test_a_failed_run_leaves_no_output(llmmigrate: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("nothing\n", encoding="utf-8")
    for output in ("report.json", "usage.profile.json"):
        command = "ingest" if "profile" in output else "analyze"
        assert 2 == llmmigrate(command, str(tmp_path / "bad.jsonl"), "-o", str(tmp_path / output)).code
    assert ["bad.jsonl"] == sorted(path.name for path in tmp_path.iterdir())


MALFORMED = {
    "a rate that is no number": ("per_mtok: {input: cheap, output: '2'}", "input"),
    "an unknown key": ("per_mtok: {inptu: '1', output: '2'}", "inptu"),
    "no source": ("per_mtok: {input: '1', output: '2'}", "source"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_price_table_is_an_error_with_its_line(
    llmmigrate: Run, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    rates, word = MALFORMED[case]
    source = "" if case == "no source" else '\n        source: "A: our contract"'
    table = (
        "schema: 1\nprovider: acme\nname: ACME\ncurrency: USD\nchecked: 2026-11-22\nmodels:\n  - id: m\n"
        f"    periods:\n      - from: 2026-01-01\n        {rates}{source}\n"
    )
    (tmp_path / "contract.yaml").write_text(table, encoding="utf-8")
    (tmp_path / "llmmigrate.yaml").write_text("version: 1\nprices: [./contract.yaml]\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    outcome = llmmigrate("analyze", str(good))
    check_error(outcome, word, "fix:")
    assert re.search(r"--> \S*contract\.yaml:\d+", outcome.err)


def test_a_saved_profile_of_another_version_is_an_error(llmmigrate: Run, tmp_path: Path) -> None:
    path = tmp_path / "old.profile.json"
    path.write_text('{"schema":"llmmigrate.profile/99","cells":[]}\n', encoding="utf-8")
    check_error(llmmigrate("analyze", str(path)), "profile/99")


def test_a_cut_off_profile_is_an_error(llmmigrate: Run, good: Path, tmp_path: Path) -> None:
    path = tmp_path / "usage.profile.json"
    assert 0 == llmmigrate("ingest", str(good), "-o", str(path)).code
    path.write_bytes(path.read_bytes()[:500])
    check_error(llmmigrate("analyze", str(path)), "damaged")


@pytest.mark.parametrize(
    "options", [["--by", "tag.team"], ["--tz", "Asia/Tokyo"], ["--since", "2026-10-01T10:00:30"], ["--by", "hour"]],
    ids=" ".join,
)  # fmt: skip
def test_a_profile_that_cannot_answer_says_how_to_ingest_again(
    llmmigrate: Run, good: Path, tmp_path: Path, options: list[str]
) -> None:
    path = tmp_path / "usage.profile.json"
    assert 0 == llmmigrate("ingest", str(good), "-o", str(path)).code
    check_error(llmmigrate("analyze", str(path), *options), "ingest the log again with", options[0])


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_pipe_that_closes_within_a_long_result_is_141(good: Path, unbuffered: str) -> None:
    many = good.with_name("many.jsonl")
    many.write_text(
        "".join(CALL.replace('"o3"', f'"model-{number:05d}-{"x" * 90}"') for number in range(3000)), encoding="utf-8"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": unbuffered}
    tool = subprocess.Popen(
        [sys.executable, "-m", "llmmigrate", "analyze", str(many), "--format", "csv"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert tool.stdout is not None
    assert tool.stderr is not None
    tool.stdout.readline()
    tool.stdout.close()
    errors = tool.stderr.read()
    tool.stderr.close()
    assert (141, b"") == (tool.wait(timeout=60), errors)


def test_an_unknown_provider_is_said_with_a_suggestion(llmmigrate: Run, good: Path) -> None:
    outcome = llmmigrate("analyze", str(good), "--provider", "opnai")
    assert (0, True) == (outcome.code, "no table for provider; did you mean openai/o3?" in outcome.out)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("width", [40, 60, 80, 120, None])
def test_numbers_keep_every_digit_at_any_width(
    llmmigrate: Run, good: Path, monkeypatch: pytest.MonkeyPatch, width: int | None, command: list[str]
) -> None:
    monkeypatch.setattr(Console, "width", lambda self: width)
    out = llmmigrate(command[0], str(good), *command[1:]).out
    whole = {"1,234,567", "7,654"}
    numbers = set(re.findall(r"\d[\d,.]*\d", out))
    assert set() == {number for number in numbers - whole for full in whole if full.startswith(number)}
