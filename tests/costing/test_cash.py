"""The arithmetic of a saving: the playbooks' worked examples, and what holds for any figures."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.costing.cash import Terms, cumulative, worth

CENT = Decimal("0.01")
MONEY = st.decimals(Decimal("-1e6"), Decimal("1e6"), places=2)
PAID = st.decimals(0, Decimal("1e6"), places=2)
HORIZON = st.integers(1, 120)


def test_the_start_up_of_the_playbooks_never_sees_its_money_again_in_five_years() -> None:
    """108.00 → 16.80 USD a year against 5,000: they print 657.9 months and −4,544.00."""
    found = worth((Decimal("108") - Decimal("16.80")) / 12, Terms(one_off=Decimal(5000)))
    assert (Decimal("91.20"), Decimal("657.9"), Decimal("-4544.00")) == (
        found.year.quantize(CENT), found.payback.quantize(Decimal("0.1")) if found.payback else None,
        found.five_years.quantize(CENT),
    )  # fmt: skip


def test_the_enterprise_of_the_playbooks_pays_back_within_a_year() -> None:
    """6,600.00 → 993.60 USD a year against 5,000: they print 10.7 months and 23,032.00."""
    found = worth((Decimal(6600) - Decimal("993.60")) / 12, Terms(one_off=Decimal(5000)))
    assert found.payback is not None
    assert (Decimal("5606.40"), Decimal("10.7"), Decimal("23032.00")) == (
        found.year.quantize(CENT), found.payback.quantize(Decimal("0.1")), found.five_years.quantize(CENT),
    )  # fmt: skip


def test_the_relay_of_the_playbooks_saves_4644_a_year() -> None:
    """450.00 → 63.00 USD a month."""
    found = worth(Decimal(450) - 63, Terms())
    assert (Decimal(387), Decimal(4644), Decimal(0)) == (found.month, found.year, found.payback)


def test_the_usage_analyser_of_the_playbooks_saves_1509_60_a_year() -> None:
    assert Decimal("1509.60") == worth(Decimal("148.00") - Decimal("22.20"), Terms()).year


def test_a_present_value_by_hand() -> None:
    """100 at the end of each of two months, at 12 % a year: 100/1.12^(1/12) + 100/1.12^(2/12) − 150."""
    found = worth(Decimal(100), Terms(one_off=Decimal(150), horizon=2, discount=Decimal("0.12")))
    assert abs(float(found.npv) - (100 / 1.12 ** (1 / 12) + 100 / 1.12 ** (2 / 12) - 150)) < 1e-6


def test_growth_brings_the_payback_nearer() -> None:
    """10 a month against 21: 2.1 months; growing by half: 10 + 15 > 21, so (21 − 10) ÷ 15 of the second month."""
    paid = Decimal(21)
    grown = worth(Decimal(10), Terms(one_off=paid, growth=Decimal("0.5"))).payback
    assert (Decimal("2.1"), Decimal("1.733333")) == (worth(Decimal(10), Terms(one_off=paid)).payback, grown)


def test_running_costs_above_the_saving_never_pay_back() -> None:
    found = worth(Decimal(10), Terms(one_off=Decimal(100), running=Decimal(11)))
    assert found.payback is None
    assert Decimal("-1") == found.month


def test_a_loss_has_no_break_even_volume() -> None:
    assert worth(Decimal(-1), Terms(one_off=Decimal(100))).break_even is None


def test_a_horizon_of_no_month_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one month"):
        worth(Decimal(1), Terms(horizon=0))


@given(MONEY, PAID, PAID, HORIZON)
def test_without_discount_the_present_value_is_the_last_balance(
    gross: Decimal, one_off: Decimal, running: Decimal, horizon: int
) -> None:
    terms = Terms(one_off=one_off, running=running, horizon=horizon, discount=Decimal(0))
    found = worth(gross, terms)
    assert found.npv == found.net == cumulative(gross, terms)[-1] == (gross - running) * horizon - one_off


@given(PAID.filter(bool), PAID.filter(bool), HORIZON)
def test_at_the_break_even_volume_the_horizon_ends_at_zero(gross: Decimal, one_off: Decimal, horizon: int) -> None:
    terms = Terms(one_off=one_off, running=Decimal(5), horizon=horizon)
    volume = worth(gross, terms).break_even
    assert volume is not None
    assert abs(worth(gross * volume, terms).net) <= gross * horizon * Decimal("1e-6") + Decimal("1e-4")


@given(PAID.filter(bool), PAID.filter(bool), st.decimals(Decimal("-0.02"), Decimal("0.1"), places=3))
def test_the_balance_turns_in_the_month_of_the_payback(gross: Decimal, one_off: Decimal, growth: Decimal) -> None:
    terms = Terms(one_off=one_off, growth=growth, horizon=60)
    payback, balances = worth(gross, terms).payback, cumulative(gross, terms)
    turned = next((k for k, (a, b) in enumerate(pairwise(balances), start=1) if a < 0 <= b), None)
    if turned is None:
        assert payback is None or payback >= 60 or balances[0] >= 0
    else:
        assert payback is not None
        assert turned - 1 - Decimal("1e-6") <= payback <= turned + Decimal("1e-6")
