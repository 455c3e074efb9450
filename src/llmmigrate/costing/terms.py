"""The terms of a decision as a user writes them: costs, horizon, discount, growth, and what must stay."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from llmmigrate import quantities
from llmmigrate.config import ReportSettings
from llmmigrate.costing.cash import Terms
from llmmigrate.costing.roi_results import Paid, TermsUsed
from llmmigrate.costing.tables import exchange_words
from llmmigrate.errors import UsageError
from llmmigrate.money import plain
from llmmigrate.prices.catalog import Catalog
from llmmigrate.quantities import Amount

DEFAULT_CURRENCY: Final = "USD"
LONGEST: Final = 600
"""Months of a horizon."""
_NOTHING: Final = Amount(Decimal(0), DEFAULT_CURRENCY)


class Given(msgspec.Struct, frozen=True):
    """Terms in the currencies that they were given in."""

    one_off: Amount = _NOTHING
    running: Amount = _NOTHING
    horizon: int = 24
    discount: Decimal = Decimal("0.08")
    growth: Decimal = Decimal(0)
    stay: Decimal = Decimal(0)
    origins: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Where each term came from: its option, or the settings; those that are missing are defaults."""


def given_terms(flags: Mapping[str, str | None], configured: ReportSettings) -> Given:
    """The terms by flag over settings over default. UsageError for what cannot be meant."""
    settings = {"one_off": configured.one_off_cost, "horizon": configured.horizon, "discount": configured.discount}
    values: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    origins = dict.fromkeys(values, "llmmigrate.yaml")
    for name, (option, parse) in _PARSERS.items():
        text = flags.get(name)
        if text is not None:
            values[name], origins[name] = _parsed(text, option, parse), option
    found = Given(**values, origins=origins)
    if not 1 <= found.horizon <= LONGEST:
        raise UsageError(
            f"a horizon of {found.horizon} months is none", fix=f"give between 1 and {LONGEST} months, such as 24mo"
        )
    if found.discount <= -1 or found.growth <= -1:
        raise UsageError("a rate of -100 % or less leaves nothing", fix="give a rate above -100%, such as 8%")
    if found.stay >= 1:
        raise UsageError("--stay 100% leaves nothing that moves", fix="give the part that must stay, such as 6%")
    return found


def _parsed(text: str, option: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _money(text: str) -> Amount:
    """`8000`, `8,000.50` or `8000 EUR`; without a currency in USD."""
    written = text.strip()
    if written.startswith("-"):
        raise ValueError(f"'{text}' is below zero: a cost is zero or more")
    return quantities.amount(written if written[-1:].isalpha() else f"{written} {DEFAULT_CURRENCY}")


_PARSERS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "one_off": ("--one-off-cost", _money),
    "running": ("--monthly-cost", _money),
    "horizon": ("--horizon", quantities.months),
    "discount": ("--discount", quantities.percent),
    "growth": ("--growth", quantities.percent),
    "stay": ("--stay", quantities.share),
}


def in_currency(given: Given, catalog: Catalog, currency: str, as_of: int) -> tuple[Terms, TermsUsed]:
    """The terms in one currency at the exchange rates of `as_of` (epoch seconds), and how they came about."""
    one_off, one_off_paid = _paid(given.one_off, catalog, currency, as_of, "one_off" in given.origins)
    running, running_paid = _paid(given.running, catalog, currency, as_of, "running" in given.origins)
    terms = Terms(one_off=one_off, running=running, horizon=given.horizon, discount=given.discount, growth=given.growth)
    used = TermsUsed(
        one_off_cost=one_off_paid,
        monthly_cost=running_paid,
        horizon_months=given.horizon,
        discount_per_year=float(given.discount),
        growth_per_month=float(given.growth),
        stay_share=float(given.stay),
        origins={name: given.origins.get(name, "default") for name in _PARSERS},
    )
    return terms, used


def _paid(amount: Amount, catalog: Catalog, currency: str, as_of: int, was_given: bool) -> tuple[Decimal, Paid]:
    converted, rate = catalog.convert(amount.value, amount.currency, currency, as_of)
    told = None
    if amount.currency != currency:
        told = exchange_words(rate)
    return converted, Paid(amount=plain(converted), given=str(amount) if was_given else None, rate=told)
