"""Usages whose cost the vendor itself states, four of them published bills."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.prices.conftest import NOW, exactly, second, the_card

from llmmigrate.prices import Catalog, Entry, Unpriced

USAGES = [json.loads(line) for line in (Path(__file__).parent / "golden_usages.jsonl").read_text().splitlines()]


def bill(catalog: Catalog, entry: Entry, usage: dict[str, Any]) -> Decimal:
    """The cost of one usage, added up class by class."""
    cached, written = usage["cached_input_tokens"], usage["cache_write_5m_tokens"]
    written_1h, reasoning = usage["cache_write_1h_tokens"], usage["reasoning_tokens"]
    tokens = {
        "input": usage["input_tokens"] - cached - written - written_1h,
        "cache_read": cached,
        "cache_write_5m": written,
        "cache_write_1h": written_1h,
        "output": usage["output_tokens"] - reasoning,
        "reasoning": reasoning,
    }
    answers = catalog.cards(
        entry,
        at=second(usage["timestamp"]),
        as_of=NOW,
        prompt=exactly(usage["input_tokens"]),
        output=exactly(usage["output_tokens"]),
        tier=usage["service_tier"],
    )
    card = the_card(answers)
    return sum((card.rates[name] * count for name, count in tokens.items() if count), Decimal(0)) / 1_000_000  # type: ignore[index]


@pytest.mark.parametrize("usage", [item for item in USAGES if item["expected_cost_usd"]], ids=lambda item: item["id"])
def test_a_usage_costs_what_the_vendor_says(usage: dict[str, Any], catalog: Catalog) -> None:
    entry = catalog.find(usage["provider"], usage["model"])
    assert isinstance(entry, Entry)
    assert Decimal(usage["expected_cost_usd"]) == bill(catalog, entry, usage)


def test_the_usage_of_an_unknown_model_has_no_price(catalog: Catalog) -> None:
    (usage,) = (item for item in USAGES if item["expected_cost_usd"] is None)
    found = catalog.find(usage["provider"], usage["model"])
    assert isinstance(found, Unpriced)
    assert found.reason == "unknown_model"


def test_no_golden_usage_is_missing(data: Path) -> None:
    assert (data / "golden_usages.jsonl").read_text() == (Path(__file__).parent / "golden_usages.jsonl").read_text()
