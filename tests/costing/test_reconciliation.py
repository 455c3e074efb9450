"""Costs that a log states against the recomputed ones: which are equal, and what explains the others."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmmigrate.costing.bill import Biller
from llmmigrate.costing.reconciliation import Reconciler
from llmmigrate.costing.results import Reconciliation
from llmmigrate.logs import reader
from llmmigrate.logs.reader import ReadOptions, read
from llmmigrate.prices import load_catalog
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.cuts import CutMarks

NOW = 1_795_305_600
"""2026-11-22T00:00:00Z."""
O3 = {"provider": "openai", "model": "o3", "input_tokens": 10_000, "output_tokens": 1_000}
"""0.028 USD since 2025-06-10, 0.14 before."""
SONNET = {"provider": "anthropic", "model": "claude-sonnet-4-5", "input_tokens": 15_000, "output_tokens": 1_000}
"""0.06 USD, and 0.01 for a search."""
SONAR = {"provider": "perplexity", "model": "sonar", "input_tokens": 1_000, "output_tokens": 1_000}
"""0.002 USD, and a fee for the request."""


@pytest.fixture(params=["line by line", "by columns"])
def lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of reading."""
    if request.param == "by columns":
        monkeypatch.setattr(reader, "QUICK_AFTER", 0)
        monkeypatch.setattr(reader, "QUICK_FROM", 0)


def reconciled(folder: Path, *calls: dict[str, Any], discount: str | None = None) -> Reconciliation:
    path = folder / "log.jsonl"
    lines = ({"timestamp": f"2026-11-20T10:00:{i:02d}Z", "request_id": f"r{i}", **call} for i, call in enumerate(calls))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    catalog = load_catalog(discounts={} if discount is None else {"openai": discount})
    found = catalog.marks()
    marks = CutMarks(instants=found.instants, clocks=found.clocks, prompt=found.prompt, output=found.output)
    check = Reconciler(Biller(catalog, as_of=NOW))
    read([str(path)], ReadOptions(marks=marks, now_ns=NOW * NANOSECONDS, cost_check=check))
    result = check.result()
    assert result is not None
    return result


@pytest.mark.usefixtures("lane")
@pytest.mark.parametrize(
    ("call", "stated", "reason"),
    [
        (O3, 0.028, None),
        (O3, 0.0, "logged_as_free"),
        (O3, 2.8, "cost_outlier"),
        (O3, 0.14, "rates_of_another_period"),
        (O3, 0.035, "rates_of_another_model"),  # gpt-4o
        (O3, 0.0181, "cache_not_in_log"),
        (O3, 0.0321, "cache_counted_twice"),
        (O3, 0.1, "unexplained"),
        (SONNET | {"searches": 3}, 0.09, None),
        (SONNET | {"searches": 3}, 0.06, "fees_not_in_log"),
        (SONNET | {"searches": 3}, 0.085, "cache_not_in_log"),
        (SONAR, 0.002, "fees_not_in_log"),
    ],
)
def test_a_stated_cost_is_equal_or_explained(
    tmp_path: Path, call: dict[str, Any], stated: float, reason: str | None
) -> None:
    found = reconciled(tmp_path, call | {"cost": stated}, call | {"cost": stated})
    assert (2, 2 if reason is None else 0) == (found.compared, found.equal)
    assert ([] if reason is None else [reason]) == [entry.reason for entry in found.differing]


@pytest.mark.usefixtures("lane")
def test_a_discount_of_ones_own_is_in_the_recomputed_cost(tmp_path: Path) -> None:
    found = reconciled(tmp_path, O3 | {"cost": 0.0252}, O3 | {"cost": 0.028}, discount="10%")
    assert (2, 1) == (found.compared, found.equal)
    assert ["0.0252"] == [entry.recomputed_cost for entry in found.differing]
