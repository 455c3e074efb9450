"""All rates of a period under one name each, so that two periods can be held against each other."""

from collections.abc import Iterator
from decimal import Decimal

from llmmigrate.prices.periods import Billing, Period, compile_periods, tier_rates
from llmmigrate.prices.tables import PeriodSpec

Rates = dict[str, Decimal]
"""Name, such as `input`, `batch output` or `prompt > 200000, cache_read` → the table's currency per 1M tokens."""

BASE = "base rates"


def rates_of(period: Period) -> Rates:
    """Every rate of a period: each row, each service tier, each class. Reasoning only where it differs from output."""
    return dict(_named(period))


def rates_of_spec(spec: PeriodSpec) -> Rates:
    """Every rate of a period without a clock, before a table's own factors."""
    (period,) = compile_periods([spec], Billing("", "", "", Decimal(1), ""), "", {})
    return rates_of(period)


def peak_rates_of(period: Period) -> Rates:
    """The dearest rate of each class over all hours, at the standard tier: `peak input` and so on."""
    clocked = [row.rates for row in period.rows if row.clock]
    names = dict.fromkeys(name for rates in clocked for name in rates)
    return {f"peak {name}": max(rates[name] for rates in clocked if name in rates) for name in names}


def _named(period: Period) -> Iterator[tuple[str, Decimal]]:
    for row in period.rows:
        words = row.words()
        tiers = {name: tier_rates(row.rates, tier) for name, tier in row.tiers.items()}
        for tier, rates in {"standard": row.rates, **tiers}.items():
            for name, rate in rates.items():
                if name != "reasoning" or rate != rates.get("output"):
                    yield _name(words, tier, name), rate


def _name(condition: str, tier: str, token_class: str) -> str:
    rate = token_class if tier == "standard" else f"{tier} {token_class}"
    return rate if condition == BASE else f"{condition}, {rate}"
