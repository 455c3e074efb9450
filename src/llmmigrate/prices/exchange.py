"""Dated exchange rates: an amount is converted once, at the very end."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from llmmigrate.errors import UnknownNameError
from llmmigrate.prices.cards import FxRate
from llmmigrate.prices.periods import epoch
from llmmigrate.prices.tables import ExchangeSpec

TWELVE_DECIMALS = Decimal("1e-12")


def exchange_rates(specs: Iterable[ExchangeSpec]) -> tuple[FxRate, ...]:
    """The rates in order of time."""
    rates = (FxRate(spec.base, spec.quote, spec.rate, epoch(spec.from_), spec.source) for spec in specs)
    return tuple(sorted(rates, key=lambda rate: rate.start))


def convert(amount: Decimal, currency: str, to: str, at: int, rates: Sequence[FxRate]) -> tuple[Decimal, FxRate]:
    """`amount` in the currency `to`, with the rate in force at `at` (epoch seconds); 12 decimals, half-even.

    Raises `UnknownNameError` where no table has a rate between the two currencies at that time.
    """
    if currency == to:
        return amount, FxRate(currency, to, Decimal(1), at, "A: the same currency")
    rate = _in_force([rate for rate in rates if {rate.base, rate.quote} == {currency, to}], at)
    if rate is None:
        raise UnknownNameError(
            f"no exchange rate from {currency} to {to}",
            why="prices in different currencies are only added at a dated rate",
            fix="add it to a file under `prices:`, as in pricing/fx.yaml",
        )
    with localcontext(Context(prec=60)):
        exact = amount * rate.rate if rate.base == currency else amount / rate.rate
        return exact.quantize(TWELVE_DECIMALS, ROUND_HALF_EVEN), rate


def _in_force(rates: Sequence[FxRate], at: int) -> FxRate | None:
    index = bisect_right([rate.start for rate in rates], at)
    return rates[index - 1] if index else None
