"""The user's own prices: files, discounts, settlements, exchange rates."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from tests.prices.conftest import NOW, ask, the_card

from llmmigrate.errors import ConfigError, UnknownNameError
from llmmigrate.prices import Catalog, Entry, load_catalog

Load = Callable[..., Catalog]

CONTRACT = """\
schema: 1
provider: openai
currency: EUR
models:
  - id: o3
    periods:
      - from: 2026-01-01
        to: 2026-07-01
        per_mtok: {input: "1.5", output: 6}
        source: "A: our contract"
"""


def o3(catalog: Catalog) -> Entry:
    entry = catalog.find("openai", "o3")
    assert isinstance(entry, Entry)
    return entry


@pytest.mark.parametrize(
    ("day", "price"),
    [
        ("2025-12-31", ("USD", Decimal(2))),
        ("2026-01-01", ("EUR", Decimal("1.5"))),
        ("2026-06-30", ("EUR", Decimal("1.5"))),
        ("2026-07-01", ("USD", Decimal(2))),
    ],
)
def test_a_contract_holds_while_it_runs_and_the_list_price_elsewhere(
    day: str, price: tuple[str, Decimal], load: Load
) -> None:
    catalog = load(CONTRACT)
    card = the_card(ask(catalog, o3(catalog), f"{day}T00:00:00Z"))
    assert (card.currency, card.rates["input"]) == price


def test_a_contract_keeps_what_it_does_not_repeat(load: Load) -> None:
    catalog = load(CONTRACT)
    assert (o3(catalog).context_window, catalog.find(None, "o3-2025-04-16")) == (200_000, o3(catalog))


def test_the_ends_of_a_contract_are_marks(load: Load) -> None:
    marks = load(CONTRACT).marks().instants
    assert {1_767_225_600, 1_782_864_000} <= set(marks)


def test_a_discount_is_applied_last_and_named() -> None:
    catalog = load_catalog(discounts={"openai": "12%"}, imported=False)
    card = the_card(ask(catalog, o3(catalog), "2026-11-20T00:00:00Z"))
    assert (card.multiplier, card.rates["input"], "discount × 0.88" in card.rule) == (Decimal("0.88"), Decimal(2), True)


@pytest.mark.parametrize("text", ["12", "a lot", "100%", "-3%"])
def test_a_discount_is_a_percentage(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a discount"):
        load_catalog(discounts={"openai": text}, imported=False)


def test_a_discount_of_an_unknown_provider_is_an_error() -> None:
    with pytest.raises(UnknownNameError, match="opnai"):
        load_catalog(discounts={"opnai": "12%"}, imported=False)


def test_a_relay_that_sells_credits_is_billed_in_its_own_currency(load: Load) -> None:
    catalog = load(
        """\
schema: 1
provider: relay
currency: USD
settlement: {currency: CNY, per_credit_usd: "1"}
multipliers: {vat: "1.13"}
models:
  - {id: o3, periods: [{from: 2026-01-01, per_mtok: {input: "2", output: "8"}, source: "C: its web page"}]}
"""
    )
    entry = catalog.find("relay", "o3")
    assert isinstance(entry, Entry)
    card = the_card(ask(catalog, entry, "2026-11-20T00:00:00Z"))
    assert (card.currency, card.rates["input"], card.multiplier) == ("CNY", Decimal(2), Decimal("1.13"))


def test_an_amount_is_converted_at_the_dated_rate_to_12_decimals(catalog: Catalog) -> None:
    amount, rate = catalog.convert(Decimal(1), "CNY", "USD", NOW)
    assert (amount, rate.rate) == (Decimal("0.138888888889"), Decimal("7.2"))


def test_the_same_currency_is_not_touched(catalog: Catalog) -> None:
    exact = Decimal("0.00000000000001")
    assert catalog.convert(exact, "USD", "USD", NOW)[0] == exact


@pytest.mark.parametrize(("currency", "at"), [("EUR", NOW), ("CNY", 0)])
def test_without_a_dated_rate_nothing_is_converted(currency: str, at: int, catalog: Catalog) -> None:
    with pytest.raises(UnknownNameError, match="no exchange rate"):
        catalog.convert(Decimal(1), currency, "USD", at)


def test_the_users_exchange_rates_join_ours(load: Load) -> None:
    catalog = load(
        """\
schema: 1
exchange_rates:
  - {from: 2026-01-01, base: EUR, quote: USD, rate: "1.10", source: "A: our bank"}
"""
    )
    assert catalog.convert(Decimal(2), "EUR", "USD", NOW)[0] == Decimal("2.2")
