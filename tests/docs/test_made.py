"""That whatever the documents quote from the program is what the program says now (`make docs` writes it anew)."""

import re
from pathlib import Path

import pytest
from tools.make_docs import MAKERS, command_lines, documents, made_files, reference
from tools.screens import ROOT

_MADE = re.compile(r"<!-- made: (\S+) -->\n(.*?)\n<!-- end -->", re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)|srcset=\"([^\"]+)\"|src=\"([^\"]+)\"")


def test_every_made_file_is_current() -> None:
    stale = [path.relative_to(ROOT) for path, text in made_files() if path.read_text(encoding="utf-8") != text]
    assert stale == []


@pytest.mark.parametrize("page", documents(), ids=lambda path: path.name)
def test_every_made_part_of_a_page_is_current(page: Path) -> None:
    for name, text in _MADE.findall(page.read_text(encoding="utf-8")):
        assert text == MAKERS[name]()


def test_the_reference_has_every_command() -> None:
    titles = [line.removeprefix("## ") for line in reference().splitlines() if line.startswith("## ")]
    assert titles == command_lines()
    assert "llmmigrate prices show" in titles


@pytest.mark.parametrize("page", documents(), ids=lambda path: path.name)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    links = [next(filter(None, (link[0], *link[2:]))) for link in _LINK.findall(page.read_text(encoding="utf-8"))]
    inside = [link for link in links if "://" not in link]
    assert [link for link in inside if not (page.parent / link).exists()] == []


def test_the_readme_is_short_and_shows_its_two_commands_early() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    early = "\n".join(lines[:20])
    assert "make demo" in early
    assert "make test" in early


def test_no_image_loads_anything() -> None:
    for path in (ROOT / "docs" / "img").glob("*.svg"):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert re.findall(r"https?:|@import|<script|<image|url\((?!#)", text) == []


def test_the_first_page_leads_to_every_other() -> None:
    first = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"](docs/{page.name}" not in first] == []
