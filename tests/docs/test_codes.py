"""That every code which a result may hold is explained in the documents."""

import re

import pytest
from tools.screens import ROOT

from llmmigrate.costing.assumptions import FROM_CLAUDE, OTHER, TO_CLAUDE
from llmmigrate.reports.invoice import WORDS as INVOICE_WORDS

SOURCES = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py"))]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def in_code(pattern: str) -> set[str]:
    return {name for text in SOURCES for name in re.findall(pattern, text)}


def explained(page_name: str) -> set[str]:
    """The codes in the first columns of a page's tables."""
    return set(re.findall(r"^\| `(\w+)` \|", page(page_name), re.MULTILINE))


@pytest.mark.parametrize(
    "pattern",
    [
        r'Unpriced\(\s*"(\w+)"',
        r'return "(logged_as_free|cost_outlier|rates_of_\w+|cache_\w+|fees_\w+)"',
        r'_reject\(\s*"(\w+)"',
    ],
    ids=["unpriced", "stated", "rejected"],
)
def test_every_reason_is_explained(pattern: str) -> None:
    found = in_code(pattern)
    assert found
    assert found - explained("analyze.md") == set()


def test_every_reason_of_a_bill_is_explained() -> None:
    told = re.findall(r"^\| (`.*?`) \|", page("invoice.md"), re.MULTILINE)
    assert set(INVOICE_WORDS) - {name for cell in told for name in re.findall(r"`(\w+)`", cell)} == set()


def test_the_page_on_estimates_has_the_ratios_of_the_code() -> None:
    text = page("estimate.md")
    for words, ratio in (("→ Claude", TO_CLAUDE), ("Claude → any other", FROM_CLAUDE), ("all others", OTHER)):
        assert re.search(rf"\| .*{words} \| {ratio.low:.2f} \| {ratio.high:.2f} \|", text)
