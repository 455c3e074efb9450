"""What a saving is worth: payback, present value, cumulative cash. Plain arithmetic on months, in decimals.

Month 0 is the day of the switch, when the one-off cost is paid. Month k (1, 2, …) brings, at its end,

    gross · (1 + growth)^(k − 1)  −  running

where `gross` is the saving of the first month. Docs: docs/roi.md.
"""

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Final

import msgspec

ZERO: Final = Decimal(0)
YEAR_MONTHS: Final = 12
FIVE_YEARS: Final = 60
LONGEST: Final = 1_200
"""Months after which a payback is called never."""
_MICRO: Final = Decimal("0.000001")
_PRECISION: Final = 50


class Terms(msgspec.Struct, frozen=True):
    """What a decision needs beside the traffic; money in one currency."""

    one_off: Decimal = ZERO
    """Paid once, at the switch."""
    running: Decimal = ZERO
    """Paid each month from then on: a gateway, people, machines."""
    horizon: int = 24
    """Months."""
    discount: Decimal = Decimal("0.08")
    """A year."""
    growth: Decimal = ZERO
    """Of the traffic, a month."""


class Worth(msgspec.Struct, frozen=True):
    """What a monthly saving is worth under some terms."""

    month: Decimal
    """The first month's saving after running costs."""
    year: Decimal
    """The first twelve months' saving after running costs, without the one-off cost."""
    payback: Decimal | None
    """Months until everything that was paid is back, to the part of a month; None: not within a hundred years."""
    npv: Decimal
    """Net present value over the horizon."""
    net: Decimal
    """Over the horizon, undiscounted, after the one-off cost."""
    five_years: Decimal
    """The same over sixty months."""
    break_even: Decimal | None
    """Times today's traffic at which the horizon ends at zero; None where more traffic only costs more."""


def worth(gross: Decimal, terms: Terms) -> Worth:
    """What a first month's saving of `gross`, before running costs, is worth. Rounded to 1e-6."""
    if terms.horizon < 1:
        raise ValueError(f"a horizon of at least one month is needed, not {terms.horizon}")
    with localcontext(prec=_PRECISION):
        return Worth(
            month=_rounded(gross - terms.running),
            year=_rounded(sum(_first(flows(gross, terms), YEAR_MONTHS), ZERO)),
            payback=_payback(gross, terms),
            npv=_rounded(_npv(gross, terms)),
            net=cumulative(gross, terms)[-1],
            five_years=_rounded(sum(_first(flows(gross, terms), FIVE_YEARS), -terms.one_off)),
            break_even=_break_even(gross, terms),
        )


def flows(gross: Decimal, terms: Terms) -> Iterator[Decimal]:
    """The net saving of month 1, 2, …, without end."""
    saved = gross
    while True:
        yield saved - terms.running
        saved *= 1 + terms.growth


def cumulative(gross: Decimal, terms: Terms) -> list[Decimal]:
    """What is gained or still owed after month 0, 1, …, horizon."""
    with localcontext(prec=_PRECISION):
        balance = -terms.one_off
        found = [balance]
        for flow in _first(flows(gross, terms), terms.horizon):
            balance += flow
            found.append(_rounded(balance))
        return found


def _payback(gross: Decimal, terms: Terms) -> Decimal | None:
    """Within the month in which the balance turns, its saving is taken to come evenly."""
    owed = terms.one_off
    if owed <= 0 and gross >= terms.running:
        return ZERO
    for month, flow in enumerate(_first(flows(gross, terms), LONGEST)):
        if flow > 0 and flow >= owed:
            return _rounded(month + owed / flow)
        owed -= flow
    return None


def _npv(gross: Decimal, terms: Terms) -> Decimal:
    a_month = (1 + terms.discount) ** (Decimal(1) / YEAR_MONTHS)
    present, factor = -terms.one_off, Decimal(1)
    for flow in _first(flows(gross, terms), terms.horizon):
        factor /= a_month
        present += flow * factor
    return present


def _break_even(gross: Decimal, terms: Terms) -> Decimal | None:
    """(one-off + running costs of the horizon) ÷ (gross saving of the horizon)."""
    if gross <= 0:
        return None
    saved = sum(_first(flows(gross, msgspec.structs.replace(terms, running=ZERO)), terms.horizon), ZERO)
    return _rounded((terms.one_off + terms.running * terms.horizon) / saved)


def _first(values: Iterator[Decimal], count: int) -> Iterator[Decimal]:
    return (value for value, _ in zip(values, range(count), strict=False))


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_MICRO)
