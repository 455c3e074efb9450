"""Exact money: Decimal arithmetic that refuses to round, and one spelling for output."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow, localcontext
from typing import Final

EXACT: Final = Context(prec=100, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
"""A context in which an operation that would round raises instead."""

PER_MILLION: Final = -6
"""Power of ten of a rate per one million tokens."""


@contextmanager
def exact() -> Iterator[None]:
    """Compute exactly or raise `decimal.Inexact`."""
    with localcontext(EXACT):
        yield


def plain(amount: Decimal) -> str:
    """The canonical text of an amount: no exponent, no trailing zeros, `0` for zero."""
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def from_pico(pico: int) -> Decimal:
    """Whole 1e-12 of a currency as an amount, exactly."""
    return Decimal(pico).scaleb(-12, EXACT)
