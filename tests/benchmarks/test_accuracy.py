"""That the comparison on golden usages holds, and that what the documents say of it is what it says."""

import re
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from benchmarks.accuracy import Answers, ask_llmmigrate, ask_peer, is_right, read_usages, score, score_table

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ours() -> Answers:
    return ask_llmmigrate()


def test_a_log_of_all_usages_gets_the_vendors_amounts(ours: Answers) -> None:
    usages = read_usages()
    assert score(ours, usages) == (len(usages), 0, 0)


@pytest.mark.parametrize("document", ["README.md", "docs/accuracy.md"])
def test_the_scores_in_the_documents_are_those_of_now(ours: Answers, document: str) -> None:
    table = score_table(read_usages(), [ours, ask_peer("genai-prices", sys.executable)])
    written = (ROOT / document).read_text(encoding="utf-8").splitlines()
    assert [line for line in table.splitlines() if line not in written] == []


def test_the_readme_says_how_many_usages_everyone_gets_right() -> None:
    measured = re.search(r"(\d+) of them, .* everyone gets right", (ROOT / "docs" / "accuracy.md").read_text())
    quoted = re.search(r"(\d+) of the \d+ everyone gets right", (ROOT / "README.md").read_text())
    assert measured is not None
    assert quoted is not None
    assert measured[1] == quoted[1]


@pytest.mark.parametrize(
    ("cost", "expected", "right"),
    [
        (Decimal("0.195"), Decimal("0.195"), True),
        (Decimal("0.19499999999999998"), Decimal("0.195"), True),
        (Decimal("0.19500001"), Decimal("0.195"), False),
        (None, Decimal("0.195"), False),
        (Decimal(0), None, False),
        (None, None, True),
    ],
)
def test_what_counts_as_right(cost: Decimal | None, expected: Decimal | None, right: bool) -> None:
    assert is_right(cost, expected) is right
