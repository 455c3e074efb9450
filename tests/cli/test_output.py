"""Where results go."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import ROOT, Outcome

from llmmigrate.cli.console import Console
from llmmigrate.cli.output import Destination, check_writable, destinations, whole_file, write
from llmmigrate.errors import LlmmigrateError, UsageError
from llmmigrate.reports import Report
from llmmigrate.reports.tables import Paragraph

REPORT = Report(document={"schema": "x/1"}, page=[Paragraph("Hello.")], records=[{"a": 1}])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_file_a_table_goes_to_stdout() -> None:
    assert destinations(None, []) == [Destination("-", "table")]


def test_the_format_of_a_file_is_its_suffix() -> None:
    found = destinations("csv", ["a.json", "b.md", "c.csv", "d.txt", "-", "bare"])
    assert [item.format for item in found] == ["json", "markdown", "csv", "table", "csv", "csv"]


def test_every_destination_gets_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    write(REPORT, destinations(None, ["a.json", "b.csv", "-"]), Console())
    assert json.loads(Path("a.json").read_text()) == {"schema": "x/1"}
    assert Path("b.csv").read_bytes() == b"a\r\n1\r\n"
    assert capsys.readouterr() == ("Hello.\n", "wrote a.json\nwrote b.csv\n")


@pytest.mark.parametrize(
    ("format", "outputs", "what", "fix"),
    [
        ("jsn", [], "unknown format 'jsn'", "did you mean 'json'?"),
        (None, ["a.jsn"], "no format for a.jsn: its suffix is not known", "did you mean .json?"),
        (
            None,
            ["bare"],
            "no format for bare: its suffix is not known",
            "end it in one of: .csv, .html, .json, .md, .txt, .xml",
        ),
        (None, ["a.json", "./a.json"], "two results for ./a.json", "name each output once"),
        (None, ["no/a.json"], "cannot write no/a.json: there is no directory no", "mkdir -p no"),
    ],
)
def test_what_cannot_be_written_is_refused_first(format: str | None, outputs: list[str], what: str, fix: str) -> None:
    with pytest.raises(LlmmigrateError) as error:
        destinations(format, outputs)
    assert (error.value.what, error.value.fix) == (what, fix)


def test_an_input_is_never_overwritten() -> None:
    Path("logs.json").write_text("{}")
    os.symlink("logs.json", "link.json")
    with pytest.raises(UsageError, match="also an input"):
        check_writable(["link.json"], inputs=["logs.json"])


@pytest.mark.parametrize("named", ["logs/n*.jsonl", "logs", "logs/**/now.jsonl"])
def test_an_input_of_a_pattern_or_a_folder_is_never_overwritten(named: str) -> None:
    Path("logs").mkdir()
    Path("logs/now.jsonl").write_text("{}")
    Path("logs/notes.md").write_text("no log")
    with pytest.raises(UsageError, match="also an input"):
        check_writable(["logs/now.jsonl"], inputs=[named])
    check_writable(["new.md", "logs/notes.md"], inputs=[named])


def test_an_input_that_is_not_there_is_told_by_who_reads_it() -> None:
    check_writable(["-", "new.md"], inputs=["-", "none.jsonl", "none*.jsonl"])
    with pytest.raises(UsageError, match="also an input"):
        check_writable(["none.jsonl"], inputs=["none*.jsonl", "none.jsonl"])


def test_a_directory_is_no_output() -> None:
    with pytest.raises(UsageError, match="it is a directory"):
        check_writable(["."])


def test_a_failed_write_leaves_the_old_file_and_nothing_else() -> None:
    Path("a.json").write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file("a.json") as stream:
        stream.write(b"new")
        raise ZeroDivisionError
    assert {path.name: path.read_text() for path in Path().iterdir()} == {"a.json": "old"}


def test_a_rewritten_file_keeps_its_mode_and_its_link() -> None:
    Path("real.json").write_text("old")
    Path("real.json").chmod(0o640)
    os.symlink("real.json", "a.json")
    with whole_file("a.json") as stream:
        stream.write(b"new")
    assert (Path("real.json").read_text(), Path("real.json").stat().st_mode & 0o777) == ("new", 0o640)
    assert Path("a.json").is_symlink()


def test_a_device_is_written_not_replaced() -> None:
    with whole_file("/dev/null") as stream:
        stream.write(b"x")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ["analyze", "-o", "mine.json"],
        ["estimate", "--to", "zai/glm-5", "-o", "mine.json"],
        ["audit", "--to", "zai/glm-5", "-o", "mine.json"],
        ["report", "--to", "zai/glm-5", "-o", "mine.json"],
        ["ingest", "-o", "mine.jsonl"],
        ["ingest", "-o", "new.jsonl", "--rejects", "mine.jsonl"],
    ],
)
@pytest.mark.parametrize("logs", [[], ["logs"], ["logs/*.jsonl"]])
def test_no_command_writes_over_its_logs(llmmigrate: Callable[..., Outcome], words: list[str], logs: list[str]) -> None:
    Path("logs").mkdir()
    shutil.copy(ROOT / "samples" / "logs.jsonl", "logs/mine.jsonl")
    Path("llmmigrate.yaml").write_text("logs: [logs]\n")
    for name in ("mine.json", "mine.jsonl"):
        Path(name).symlink_to("logs/mine.jsonl")
    held = Path("logs/mine.jsonl").read_bytes()
    outcome = llmmigrate(*words, *logs)
    assert (outcome.code, outcome.err.splitlines()[0]) == (2, f"error: {words[-1]} is also an input")
    assert Path("logs/mine.jsonl").read_bytes() == held


def test_a_result_goes_into_a_pipe_by_the_name_that_a_shell_gives_it() -> None:
    read, write = os.pipe()
    try:
        with whole_file(f"/dev/fd/{write}") as stream:
            stream.write(b"result\n")
        assert os.read(read, 100) == b"result\n"
    finally:
        os.close(read)
        os.close(write)
