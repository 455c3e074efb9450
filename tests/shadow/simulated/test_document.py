"""That the page quotes what the simulation says now; the quick tables stand for all."""

from pathlib import Path

import pytest
from benchmarks.simulate_verdict import TABLES, calibration_table, outlook_table

PAGE = Path(__file__).parents[3] / "docs" / "shadow-statistics.md"


@pytest.mark.parametrize("table", [outlook_table, calibration_table])
def test_the_page_has_the_figures_of_now(table: object) -> None:
    assert table in TABLES
    assert callable(table)
    assert table() in PAGE.read_text(encoding="utf-8")
