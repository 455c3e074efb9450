"""Every screen, help text and error as it was last looked at. `make goldens` writes them anew for review.

A golden file begins with the commands that make it. To add one, write a file with its `$ ` lines alone.
"""

from pathlib import Path

import pytest
from tools.screens import goldens, read, show, transcript, workplace


@pytest.mark.parametrize("golden", goldens(), ids=lambda path: path.stem)
def test_a_screen_is_as_it_was(golden: Path) -> None:
    expected = read(golden)
    with workplace():
        assert expected == transcript(expected)


@pytest.mark.parametrize("golden", goldens(), ids=lambda path: path.stem)
def test_no_line_is_wider_than_its_terminal_but_for_what_must_not_break(golden: Path) -> None:
    width = 0
    for line in read(golden).splitlines():
        if line.startswith("$ "):
            name, _, columns = line.split()[1].partition("=")
            width = int(columns) if name == "COLUMNS" and "--help" not in line else 0
        elif width and not line.startswith(("→ ", "2> ")):
            assert len(line) <= width


def test_the_clock_of_a_screen_stands_still() -> None:
    with workplace():
        first, second = (show("llmmigrate estimate relay.jsonl --format json") for _ in range(2))
    assert first == second
    assert '"as_of": "2026-11-22T12:00:00Z"' in first.out


def test_a_clock_that_is_no_number_is_an_error() -> None:
    with workplace():
        screen = show("SOURCE_DATE_EPOCH=noon llmmigrate estimate relay.jsonl")
    assert (screen.code, screen.err.splitlines()[0]) == (2, "error: SOURCE_DATE_EPOCH is 'noon'")
