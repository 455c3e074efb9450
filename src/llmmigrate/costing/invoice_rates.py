"""The rates of a bill that states quantities, against those of the price tables, and what their difference makes."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final, NamedTuple

from llmmigrate.costing.invoice_files import InvoiceLine
from llmmigrate.costing.results import InvoiceRate
from llmmigrate.money import PER_MILLION, plain
from llmmigrate.units import TOKEN_CLASSES, TokenClass
from llmmigrate.usage.profile import Cell

ZERO: Final = Decimal(0)
EQUAL: Final = Decimal("0.005")
"""Bills round by the day: what differs by less than this part is the same, …"""
CENT: Final = Decimal("0.01")
"""… and what differs by less than this."""
_FACTOR: Final = 100
"""A rate that is so many times the table's is none: the bill counts something else than tokens, or thousands."""
_SHOWN: Final = Context(prec=4, rounding=ROUND_HALF_EVEN)
WORDS: Final[Mapping[str, str]] = {"input": "input", "cache_read": "cached input", "output": "output"}
"""The classes that bills tell apart, in words."""
_OF_THE_LOG: Final[Mapping[str, tuple[TokenClass, ...]]] = {"output": ("output", "reasoning")}
"""Where a bill's class is more than one of the log."""
Rates = Mapping[TokenClass, set[Decimal]]
"""USD per 1M tokens that calls were priced at, by class."""


class Item(NamedTuple):
    """What was billed for one class of tokens; `tokens` None where a line does not say for how many."""

    amount: Decimal
    tokens: Decimal | None


Items = dict[TokenClass | None, Item]
"""By class, None for what is of no known class."""


def same(billed: Decimal, cost: Decimal | None) -> bool:
    """Whether a bill states a cost, but for rounding."""
    return cost is not None and abs(billed - cost) <= max(CENT, EQUAL * max(billed, cost))


def add_line(items: Items, line: InvoiceLine) -> None:
    """Add a line of the bill to the sums by class."""
    held = items.get(line.item, Item(ZERO, ZERO))
    tokens = None if held.tokens is None or line.tokens is None else held.tokens + line.tokens
    items[line.item] = Item(held.amount + line.amount, tokens)


def differing_rates(items: Items, rates: Rates) -> list[InvoiceRate]:
    """The classes that were billed at another rate than any that the log's calls were priced at, with both rates."""
    found = [_differing(name, item, rates.get(name, set())) for name, item in items.items() if name is not None]
    return [rate for rate in found if rate is not None]


def _differing(name: TokenClass, item: Item, rates: Iterable[Decimal]) -> InvoiceRate | None:
    nearest = _nearest(item, rates)
    if nearest is None or not item.tokens:
        return None
    amount = (nearest * item.tokens).scaleb(PER_MILLION)
    if same(item.amount, amount):
        return None
    billed = _shown(item.amount / item.tokens.scaleb(PER_MILLION))
    return InvoiceRate(token_class=name, billed=billed, table=_shown(nearest), difference=plain(item.amount - amount))


def _nearest(item: Item, rates: Iterable[Decimal]) -> Decimal | None:
    """The rate that is nearest to the billed one; None where the quantity cannot be one of these tokens."""
    known = [rate for rate in rates if rate]
    if not known or not item.tokens or item.amount <= 0:
        return None
    billed = item.amount / item.tokens.scaleb(PER_MILLION)
    nearest = min(known, key=lambda rate: abs(rate - billed))
    return nearest if nearest < billed * _FACTOR and billed < nearest * _FACTOR else None


def rate_words(rates: Iterable[InvoiceRate]) -> str:
    """Both rates of every class."""
    return ", ".join(
        f"{WORDS[rate.token_class]} billed at {rate.billed} USD per 1M tokens, {rate.table} by the table"
        for rate in rates
    )


def token_words(items: Items, rates: Rates, cells: Iterable[Cell]) -> str | None:
    """Which classes have other numbers of tokens than the log; None where the bill does not tell all of them."""
    counts = zip(*(cell.tokens for cell in cells), strict=True)
    logged: dict[TokenClass, int] = dict(zip(TOKEN_CLASSES, map(sum, counts), strict=True))
    found = []
    for name, item in items.items():
        if name is None or item.tokens is None or _nearest(item, rates.get(name, set())) is None:
            return None
        held = sum(logged[part] for part in _OF_THE_LOG.get(name, (name,)))
        if abs(item.tokens - held) > EQUAL * max(item.tokens, Decimal(held)):
            found.append(f"{item.tokens:,.0f} {WORDS[name]} tokens billed, {held:,} in the log")
    return ", ".join(found) or None


def _shown(rate: Decimal) -> str:
    return plain(_SHOWN.plus(rate))
