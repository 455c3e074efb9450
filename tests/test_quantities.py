"""Quantities as people write them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from llmmigrate import quantities
from llmmigrate.quantities import Amount, Limit


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (quantities.share, "12%", Decimal("0.12")),
        (quantities.share, "0.12", Decimal("0.12")),
        (quantities.share, "100 %", Decimal(1)),
        (quantities.share, 0, Decimal(0)),
        (quantities.percent, "-3%", Decimal("-0.03")),
        (quantities.percent, "150%", Decimal("1.5")),
        (quantities.amount, "25 USD", Amount(Decimal(25), "USD")),
        (quantities.amount, "8,000.50 EUR", Amount(Decimal("8000.50"), "EUR")),
        (quantities.size, 600, 600),
        (quantities.size, "2M", 2_000_000),
        (quantities.size, "1.5k", 1500),
        (quantities.months, "24 months", 24),
        (quantities.months, "24mo", 24),
        (quantities.months, "2 years", 24),
        (quantities.seconds, "30s", 30.0),
        (quantities.seconds, "1.5 min", 90.0),
        (quantities.seconds, "2h", 7200.0),
        (quantities.number, "2.60", Decimal("2.60")),
        (quantities.limit, 0, Limit("<=", Decimal(0), "", change=False)),
        (quantities.limit, "<= +5%", Limit("<=", Decimal(5), "%", change=True)),
        (quantities.limit, ">= -5pt", Limit(">=", Decimal(-5), "pt", change=True)),
        (quantities.limit, "<= 1.2x", Limit("<=", Decimal("1.2"), "x", change=True)),
        (quantities.limit, "< 200ms", Limit("<", Decimal(200), "ms", change=False)),
        (quantities.limit, "< 2%", Limit("<", Decimal(2), "%", change=False)),
        (quantities.limit, "<= 5 USD", Limit("<=", Decimal(5), "USD", change=False)),
    ],
)
def test_good(parse: Callable[[Any], Any], text: str | int, value: Any) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (quantities.share, "10"),
        (quantities.share, "1"),
        (quantities.share, "-1%"),
        (quantities.share, "101%"),
        (quantities.share, "nan"),
        (quantities.percent, "8"),
        (quantities.percent, "x%"),
        (quantities.amount, "25"),
        (quantities.amount, "$25"),
        (quantities.amount, "1,2,3 USD"),
        (quantities.size, "1.5"),
        (quantities.size, "2X"),
        (quantities.size, "-1"),
        (quantities.size, "٣"),
        (quantities.months, "24"),
        (quantities.months, "24 days"),
        (quantities.seconds, "30"),
        (quantities.seconds, "30 d"),
        (quantities.number, "-1"),
        (quantities.number, "Infinity"),
        (quantities.limit, "5%"),
        (quantities.limit, "=< 5%"),
        (quantities.limit, ""),
    ],
)
def test_bad(parse: Callable[[Any], Any], text: str) -> None:
    with pytest.raises(ValueError, match=r"write|is not between|is below zero"):
        parse(text)


@pytest.mark.parametrize("text", ["<= +5%", ">= -5pt", "<= 1.2x", "< 2%", "<= 100 USD"])
def test_a_limit_reads_as_it_was_written(text: str) -> None:
    assert str(quantities.limit(text)) == text
