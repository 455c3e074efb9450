"""Every command line in the documents runs as it stands, and shows what its page says."""

import re
from pathlib import Path

import pytest
from tools.make_docs import commands, documents, refreshed, run_shell
from tools.screens import ROOT, workplace

_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_UNKNOWN_FENCE = re.compile(r"^```(bash|shell|zsh|cmd|powershell)\b", re.MULTILINE)


def _with(pattern: re.Pattern[str]) -> list[Path]:
    return [page for page in documents() if pattern.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", _with(_CONSOLE), ids=lambda path: path.name)
def test_a_page_shows_what_its_commands_show(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == refreshed(text)


@pytest.mark.parametrize("page", _with(_SHELL), ids=lambda path: path.name)
def test_the_commands_of_a_page_run(page: Path) -> None:
    blocks = _SHELL.findall(page.read_text(encoding="utf-8"))
    with workplace():
        for line in (line for block in blocks for line in block.splitlines() if not line.startswith("#")):
            done = run_shell(runnable(line))
            assert done.returncode == 0, f"{line}\n{done.stdout}"


def runnable(line: str) -> str:
    """A line as it can be tried here: a checkout is there already, and make says what it would do."""
    return re.sub(r"^git clone \S+ && cd llmmigrate && ", "", line).replace("make ", f"make -n -C {ROOT} ")


def test_a_job_that_is_copied_fails_where_the_check_fails() -> None:
    blocks = _SHELL.findall((ROOT / "docs" / "ci.md").read_text(encoding="utf-8"))
    lines = [line for block in blocks for line in block.splitlines() if "llmmigrate check" in line]
    assert lines
    assert [line for line in lines if "--exit-zero" in line] == []


def test_no_page_hides_a_command_line_in_another_kind_of_block() -> None:
    assert [page.name for page in _with(_UNKNOWN_FENCE)] == []


@pytest.mark.parametrize("page", _with(_CONSOLE), ids=lambda path: path.name)
def test_a_console_block_holds_a_command(page: Path) -> None:
    blocks = _CONSOLE.findall(page.read_text(encoding="utf-8"))
    assert [block for block in blocks if not commands(block)] == []
