"""Numbers for people."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.reports import numbers

FINITE = st.decimals(min_value=Decimal("-1e12"), max_value=Decimal("1e12"), places=12)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("4060.08", "4,060.08"),
        ("4060", "4,060.00"),
        ("0", "0.00"),
        ("0.5", "0.50"),
        ("0.0999", "0.10"),
        ("0.0432", "0.043"),
        ("0.000000001234", "0.0000000012"),
        ("-0.004", "-0.0040"),
        ("-2379.219", "-2,379.22"),
        ("12345678901234.565", "12,345,678,901,234.56"),
    ],
)
def test_money(amount: str, text: str) -> None:
    assert numbers.money(Decimal(amount)) == text


def test_money_with_its_currency() -> None:
    assert numbers.money(Decimal("25"), "USD") == "25.00 USD"


def test_a_missing_number_is_a_dash_in_every_form() -> None:
    forms = [numbers.money, numbers.signed_money, numbers.rate, numbers.share, numbers.signed_share]
    forms += [numbers.factor, numbers.days, numbers.milliseconds]
    assert [form(None) for form in forms] == ["—"] * len(forms)
    assert numbers.count(None) == "—"


@given(FINITE)
def test_money_is_zero_only_for_zero(amount: Decimal) -> None:
    shown = Decimal(numbers.money(amount).replace(",", ""))
    assert (shown == 0) is (amount == 0)


@given(FINITE)
def test_money_is_right_to_half_a_cent_or_to_two_digits(amount: Decimal) -> None:
    shown = Decimal(numbers.money(amount).replace(",", ""))
    assert abs(shown - amount) <= max(Decimal("0.005") if abs(amount) >= Decimal("0.1") else 0, abs(amount) / 20)


@given(st.decimals(min_value=-1000, max_value=1000, places=8))
def test_a_change_is_zero_only_for_zero(part: Decimal) -> None:
    shown = numbers.signed_share(part)
    assert (Decimal(shown.removesuffix(" %").replace(",", "")) == 0) is (part == 0)
    assert shown.startswith("+") is (part > 0)


@pytest.mark.parametrize(("rate", "text"), [("2.1", "2.10"), ("8", "8.00"), ("0.0725", "0.0725"), ("1E+1", "10.00")])
def test_a_rate_has_all_its_digits(rate: str, text: str) -> None:
    assert numbers.rate(Decimal(rate)) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("0.987", "98.7 %"),
        ("0", "0.0 %"),
        ("1", "100.0 %"),
        ("0.00001", "<0.1 %"),
        ("0.99999", ">99.9 %"),
        ("12", "1,200.0 %"),
    ],
)
def test_share(part: str, text: str) -> None:
    assert numbers.share(Decimal(part)) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0.42, "0.42 ms"),
        (412.4, "412 ms"),
        (999.7, "1.00 s"),
        (4212, "4.21 s"),
        (59_999, "1 min 00 s"),
        (200_000, "3 min 20 s"),
        (7_500_000, "2 h 05 min"),
    ],
)
def test_milliseconds(ms: float, text: str) -> None:
    assert numbers.milliseconds(ms) == text


@pytest.mark.parametrize(
    ("days", "text"), [(30, "30.0 days"), (0.1, "0.1 days"), (0.01, "14 min 24 s"), (0, "0.0 days")]
)
def test_days(days: float, text: str) -> None:
    assert numbers.days(days) == text


def test_counts_and_factors() -> None:
    assert (numbers.count(1234567), numbers.factor(3.14), numbers.factor(0.0123)) == ("1,234,567", "3.1 ×", "0.012 ×")


def test_signed_money() -> None:
    assert [numbers.signed_money(Decimal(x)) for x in ("31.2", "-1", "0")] == ["+31.20", "-1.00", "0.00"]
