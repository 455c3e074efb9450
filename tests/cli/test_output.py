"""Where results go."""

import json
import os
from pathlib import Path

import pytest

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
            "end it in one of: .csv, .html, .json, .md, .txt",
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
