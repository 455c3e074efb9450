"""The rates of a bill that states quantities, against those of the price tables, and what their difference makes."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final, NamedTuple

import msgspec

from llmmigrate.costing.invoice_files import InvoiceLine
from llmmigrate.costing.invoice_results import InvoiceRate
from llmmigrate.money import PER_MILLION, plain
from llmmigrate.prices.cards import RateCard
from llmmigrate.units import TOKEN_CLASSES, TokenClass
from llmmigrate.usage.profile import Cell

ZERO: Final = Decimal(0)
EQUAL: Final = Decimal("0.005")
"""Bills round by the day: what differs by less than this part is the same, …"""
CENT: Final = Decimal("0.01")
"""… and what differs by less than the bill's own digits tell, but never by more than this."""
_FACTOR: Final = 100
"""A rate that is so many times the table's is none: the bill counts something else than tokens, or thousands."""
_SHOWN: Final = Context(prec=4, rounding=ROUND_HALF_EVEN)
WORDS: Final[Mapping[str, str]] = {
    "input": "input", "input_audio": "audio input", "cache_read": "cached input", "cache_write_5m": "cache write",
    "cache_write_1h": "1-hour cache write", "output": "output", "output_audio": "audio output",
}  # fmt: skip
"""The classes that bills tell apart, in words."""
_BILLED: Final[tuple[TokenClass, ...]] = tuple(name for name in TOKEN_CLASSES if name in WORDS)
_OF_THE_LOG: Final[Mapping[str, tuple[TokenClass, ...]]] = {"output": ("output", "reasoning")}
"""Where a bill's class is more than one of the log."""


class Rates(msgspec.Struct):
    """USD per 1M tokens that calls were priced at, by class: where they have such tokens, and of all cards."""

    paid: dict[TokenClass, set[Decimal]] = msgspec.field(default_factory=dict)
    listed: dict[TokenClass, set[Decimal]] = msgspec.field(default_factory=dict)

    def add(self, card: RateCard, cell: Cell) -> None:
        """Add those of a card that a cell was priced at."""
        counts = dict(zip(TOKEN_CLASSES, cell.tokens, strict=True))
        for name, rate in card.rates.items():
            for held in (self.listed, self.paid) if counts[name] else (self.listed,):
                held.setdefault(name, set()).add(rate * card.multiplier)

    def known(self, name: TokenClass) -> list[Decimal]:
        """Those of a class of the bill, the lowest first."""
        paid = {rate for part in _OF_THE_LOG.get(name, (name,)) for rate in self.paid.get(part, ())}
        return sorted(paid or self.listed.get(name, set()))


class BilledRate(NamedTuple):
    """A rate that a bill makes, in USD per 1M tokens, and the nearest of the log's: itself if it lies among them."""

    billed: Decimal
    nearest: Decimal


class Item(NamedTuple):
    """What was billed for one class of tokens, or for all; `tokens` None where a line does not say for how many.

    `rounding`: by how much the amount may be off for the digits that its lines are rounded to.
    """

    amount: Decimal = ZERO
    tokens: Decimal | None = ZERO
    rounding: Decimal = ZERO

    def plus(self, line: InvoiceLine) -> "Item":
        """The sum with a line of the bill."""
        tokens = None if self.tokens is None or line.tokens is None else self.tokens + line.tokens
        return Item(self.amount + line.amount, tokens, self.rounding + _rounding(line.amount))

    def states(self, cost: Decimal | None) -> bool:
        """Whether the amount is a cost, but for rounding. A credit is never a cost, however small both are."""
        if cost is None or self.amount * cost < 0:
            return False
        close = max(min(self.rounding, CENT), EQUAL * max(abs(self.amount), abs(cost)))
        return abs(self.amount - cost) <= close


class TokenDifference(NamedTuple):
    """How tokens on a bill differ from the log's: in words, empty where they do not, and all of them in number.

    `low` and `high`: what that makes in USD at the lowest and the highest of the log's rates.
    """

    words: str
    more: Decimal
    low: Decimal
    high: Decimal


Items = dict[TokenClass | None, Item]
"""By class, None for what is of no known class."""


def _rounding(amount: Decimal) -> Decimal:
    """Half a unit of the last digit; a bare 0 is no rounded amount."""
    exponent = int(amount.as_tuple().exponent)
    return Decimal(5).scaleb(exponent - 1) if amount or exponent < 0 else ZERO


def differing_rates(items: Items, rates: Rates) -> list[InvoiceRate]:
    """The classes that were billed below or above all rates that the log's calls were priced at, with the nearest.

    Between them may lie what calls of several tiers or sizes make together: that is no other rate.
    """
    found = [_differing(name, item, rates) for name, item in items.items() if name is not None]
    return [rate for rate in found if rate is not None]


def _differing(name: TokenClass, item: Item, rates: Rates) -> InvoiceRate | None:
    rate = _billed_rate(name, item, rates)
    if rate is None or item.tokens is None:
        return None
    amount = (rate.nearest * item.tokens).scaleb(PER_MILLION)
    if item.states(amount):
        return None
    made = plain(item.amount - amount)
    return InvoiceRate(token_class=name, billed=_shown(rate.billed), table=_shown(rate.nearest), difference=made)


def _billed_rate(name: TokenClass, item: Item, rates: Rates) -> BilledRate | None:
    """The rate that an amount and its quantity make; None where the quantity cannot be one of these tokens."""
    known = [rate for rate in rates.known(name) if rate]
    if not known or not item.tokens or item.tokens < 0 or item.amount < 0:
        return None
    billed = item.amount / item.tokens.scaleb(PER_MILLION)
    if billed and not known[0] / _FACTOR < billed < known[-1] * _FACTOR:
        return None
    return BilledRate(billed, min(max(billed, known[0]), known[-1]))


def rate_words(rates: Iterable[InvoiceRate]) -> str:
    """Both rates of every class."""
    return ", ".join(
        f"{WORDS[rate.token_class]} billed at {rate.billed} USD per 1M tokens, {rate.table} by the table"
        for rate in rates
    )


def token_difference(items: Items, rates: Rates, cells: Iterable[Cell]) -> TokenDifference | None:
    """How the tokens that were billed differ from those of calls; None where the bill does not tell all of its own.

    A class that is on no line of such a bill was billed for 0 tokens.
    """
    if not _tells_all_tokens(items, rates):
        return None
    words, more, low, high = [], ZERO, ZERO, ZERO
    for name, held in _counts(cells).items():
        tokens = _billed_tokens(items, name)
        if abs(tokens - held) <= EQUAL * max(tokens, Decimal(held)):
            continue
        words.append(f"{tokens:,.0f} {WORDS[name]} tokens billed, {held:,} in the log")
        known = rates.known(name) or [ZERO]
        ends = [(rate * (tokens - held)).scaleb(PER_MILLION) for rate in (known[0], known[-1])]
        more, low, high = more + tokens - held, low + min(ends), high + max(ends)
    return TokenDifference(", ".join(words), more, low, high)


def can_hold(items: Items, rates: Rates, cells: Iterable[Cell], others: Iterable[Cell]) -> bool:
    """Whether the tokens of a bill can be those of calls and of a part of others; so it is where it does not tell."""
    if not _tells_all_tokens(items, rates):
        return True
    least, more = _counts(cells), _counts(others)
    near = 1 - EQUAL
    return all(
        held * near <= _billed_tokens(items, name) and _billed_tokens(items, name) * near <= held + more[name]
        for name, held in least.items()
    )


def _counts(cells: Iterable[Cell]) -> dict[TokenClass, int]:
    """The tokens of calls by class of the bill."""
    held = list(cells)
    sums = {name: sum(cell.tokens[place] for cell in held) for place, name in enumerate(TOKEN_CLASSES)}
    return {name: sum(sums[part] for part in _OF_THE_LOG.get(name, (name,))) for name in _BILLED}


def _billed_tokens(items: Items, name: TokenClass) -> Decimal:
    return items[name].tokens or ZERO if name in items else ZERO


def _tells_all_tokens(items: Items, rates: Rates) -> bool:
    """Whether a bill has quantities, and of all that it has amounts for."""
    told = any(name is not None and item.tokens is not None for name, item in items.items())
    return told and all(_tells_tokens(name, item, rates) for name, item in items.items())


def _tells_tokens(name: TokenClass | None, item: Item, rates: Rates) -> bool:
    """Whether it is known for how many tokens an item is: for none where it is of nothing."""
    if not item.amount and not item.tokens:
        return True
    return name is not None and _billed_rate(name, item, rates) is not None


def _shown(rate: Decimal) -> str:
    return plain(_SHOWN.plus(rate))
