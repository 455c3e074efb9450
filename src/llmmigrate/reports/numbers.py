"""Numbers for people. Full digits with thousands separators; nothing that is not zero ever looks like zero."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

MISSING: Final = "—"
"""What stands where there is no number. Never a zero."""

_CENT: Final = Decimal("0.01")
_TENTH: Final = Decimal("0.1")


def money(amount: Decimal | None, currency: str | None = None) -> str:
    """`4,060.08`, with the currency behind if given; amounts below 0.10 keep two significant digits: `0.00042`."""
    if amount is None:
        return MISSING
    return _with_unit(_grouped(_cents(amount)), currency)


def signed_money(amount: Decimal | None, currency: str | None = None) -> str:
    """Like `money`, a rise with a plus: `+31.20`, `-2,379.22`."""
    return _signed(amount, money(amount, currency))


def rate(amount: Decimal | None) -> str:
    """A price as it stands in its table, all digits: `2.10`, `0.0725`."""
    if amount is None:
        return MISSING
    exact = amount.normalize()
    return _grouped(exact.quantize(_CENT) if _exponent(exact) > -2 else exact)


def count(number: int | None) -> str:
    """`1,234,567`."""
    return MISSING if number is None else f"{number:,}"


def counted(number: int, noun: str) -> str:
    """`1 call`, `2,345 calls`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def share(part: Decimal | float | None) -> str:
    """A part of 1 in per cent: `98.7 %`; what is not none or all never looks so: `<0.1 %`, `>99.9 %`."""
    if part is None:
        return MISSING
    percent = Decimal(str(part)) * 100
    if 0 < percent < Decimal("0.05"):
        return "<0.1 %"
    if Decimal("99.95") <= percent < 100:
        return ">99.9 %"
    return f"{percent:,.1f} %"


def signed_share(part: Decimal | float | None) -> str:
    """A change in per cent, a rise with a plus: `+1.0 %`; small ones keep two significant digits: `-0.012 %`."""
    if part is None:
        return MISSING
    return _signed(part, f"{_two_significant(Decimal(str(part)) * 100, _TENTH):,f} %")


def factor(times: Decimal | float | None) -> str:
    """`3.1 ×`; factors below 1 keep two significant digits."""
    return MISSING if times is None else f"{_two_significant(Decimal(str(times)), _TENTH):,f} ×"


def days(number: Decimal | float | None) -> str:
    """`30.0 days`; less than a tenth of a day is told in hours or minutes."""
    if number is None:
        return MISSING
    exact = Decimal(str(number))
    if 0 < exact < _TENTH:
        return milliseconds(exact * 86_400_000)
    return f"{exact:,.1f} days"


def milliseconds(duration: Decimal | float | None) -> str:
    """A duration given in milliseconds: `0.42 ms`, `412 ms`, `4.21 s`, `3 min 20 s`, `2 h 05 min`."""
    if duration is None:
        return MISSING
    exact = Decimal(str(duration))
    if exact < 1:
        return f"{exact:.2f} ms"
    if exact < Decimal("999.5"):
        return f"{exact:.0f} ms"
    if exact < 59_995:
        return f"{exact / 1000:.2f} s"
    seconds = int((exact / 1000).to_integral_value())
    minutes = seconds // 60
    return f"{minutes} min {seconds % 60:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _cents(amount: Decimal) -> Decimal:
    return _two_significant(amount, _CENT)


def _two_significant(number: Decimal, step: Decimal) -> Decimal:
    """`number` in whole steps, or with two significant digits where steps would be too coarse for it."""
    if number == 0 or abs(number) >= step * 10:
        return number.quantize(step, ROUND_HALF_EVEN)
    rounded = number.quantize(Decimal(1).scaleb(number.adjusted() - 1), ROUND_HALF_EVEN)
    return rounded.quantize(step) if abs(rounded) >= step * 10 else rounded


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _grouped(number: Decimal) -> str:
    return f"{number + 0:,f}"


def _with_unit(text: str, unit: str | None) -> str:
    return f"{text} {unit}" if unit else text


def _signed(number: Decimal | float | None, text: str) -> str:
    return f"+{text}" if number is not None and number > 0 else text
