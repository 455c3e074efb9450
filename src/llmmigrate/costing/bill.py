"""Cells × rates → exact amounts. Pricing a profile equals pricing call by call, to the last digit."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Final, NamedTuple

import msgspec

from llmmigrate.money import EXACT, PER_MILLION
from llmmigrate.prices.cards import Band, Interval, RateCard, Unpriced
from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.entries import Entry
from llmmigrate.units import COUNT_CLASSES, TOKEN_CLASSES, CountClass
from llmmigrate.usage.profile import STATED_FREE, Cell, CellKey

ZERO: Final = Decimal(0)
HALF: Final = Decimal("0.5")
Pieces = Mapping[CountClass, int]
"""What is billed by the piece, and how many of it."""


class Amount(NamedTuple):
    """What is certainly at least and at most paid; equal but where a rate depends on what the log does not tell."""

    low: Decimal
    high: Decimal

    def plus(self, other: "Amount") -> "Amount":
        """The sum, bound by bound, exact."""
        return Amount(EXACT.add(self.low, other.low), EXACT.add(self.high, other.high))

    @property
    def middle(self) -> Decimal:
        """The one figure to show: exact where both bounds are equal."""
        return self.low if self.low == self.high else EXACT.multiply(EXACT.add(self.low, self.high), HALF)


NOTHING: Final = Amount(ZERO, ZERO)


class CellBill(msgspec.Struct, frozen=True):
    """What one cell costs in its table's currency, or why that is not known."""

    amount: Amount | None
    currency: str | None
    unpriced: Unpriced | None = None
    cards: tuple[RateCard, ...] = ()
    assumptions: tuple[str, ...] = ()


OPEN_RATES: Final = frozenset(("clock_unknown", "calendar_not_covered", "thinking_rate_unknown"))
"""Assumptions under which several rates are possible whatever the cell."""


def is_uncut(bill: CellBill) -> bool:
    """Whether a cell lies across a boundary of its prices: its profile was cut before the table had it."""
    return len(bill.cards) > 1 and OPEN_RATES.isdisjoint(bill.assumptions)


FREE: Final = CellBill(NOTHING, None)
"""A gateway's cache answered, or the call failed without usage: no vendor bills it."""


class Biller:
    """Prices cells at their own dates; remembers what names resolve to."""

    def __init__(self, catalog: Catalog, *, as_of: int, fall_back: bool = False) -> None:
        """Make a biller.

        `as_of` in epoch seconds prices calls without a timestamp; with `fall_back` also calls whose model has no rate
        at their own date (labelled `priced_as_of`).
        """
        self.catalog = catalog
        self.as_of = as_of
        self._fall_back = fall_back
        self._entries: dict[tuple[str | None, str | None, bool], Entry | Unpriced] = {}

    @cached_property
    def dearest_rate(self) -> Decimal:
        """The dearest token rate of any loaded table, as it stands there, per 1M tokens."""
        periods = (period for entry in self.catalog.entries() for period in entry.periods)
        return max(rate for period in periods for row in period.rows for rate in row.rates.values())

    def entry(self, key: CellKey) -> Entry | Unpriced:
        """What the cell's model is in the price tables."""
        free = bool(key.mask & STATED_FREE)
        name = (key.provider, key.model, free)
        found = self._entries.get(name)
        if found is None:
            found = self.catalog.find(key.provider, key.model, logged_cost=0 if free else None)
            self._entries[name] = found
        return found

    def bill(self, key: CellKey, cell: Cell) -> CellBill:
        """What a cell costs. A cell with missing usage has neither amount nor reason."""
        if key.billing in ("gateway_hit", "failed"):
            return FREE
        if key.usage == "missing":
            return CellBill(None, None)
        entry = self.entry(key)
        if isinstance(entry, Unpriced):
            return CellBill(None, None, entry)
        return self.bill_entry(entry, key, cell)

    def bill_entry(self, entry: Entry, key: CellKey, cell: Cell) -> CellBill:
        """What a cell costs as a model of the tables."""
        at, prompt, output = place(key)
        tier, as_of = key.service_tier, self.as_of
        labels: tuple[str, ...] = ()
        answers = self.catalog.cards(entry, at=at, as_of=as_of, prompt=prompt, output=output, tier=tier)
        if self._fall_back and any(isinstance(a, Unpriced) and a.reason == "no_price_at_date" for a in answers):
            answers = self.catalog.forward_cards(entry, at=at, as_of=as_of, prompt=prompt, output=output, tier=tier)
            labels = ("priced_as_of",)
        return bill_cards(answers, cell.tokens, pieces(cell), labels)


def place(key: CellKey) -> tuple[Interval | None, Band, Band]:
    """Where in time and size a cell lies."""
    at = None if key.start is None or key.end is None else Interval(key.start, key.end)
    return at, Band(key.prompt_above, key.prompt_upto), Band(key.output_above, key.output_upto)


def pieces(cell: Cell) -> Pieces:
    """What a cell holds that is billed by the piece."""
    return {"request": cell.calls, "search": cell.searches, "image": cell.images}


def bill_cards(
    answers: Sequence[RateCard | Unpriced],
    tokens: Sequence[int],
    counts: Pieces,
    labels: tuple[str, ...] = (),
) -> CellBill:
    """Tokens by `TOKEN_CLASSES` and pieces at each of the possible cards: one amount, or bounds over them."""
    cards: list[RateCard] = []
    amounts: list[Decimal] = []
    for answer in answers:
        if isinstance(answer, Unpriced):
            return CellBill(None, None, answer)
        cost = cost_at(answer, tokens, counts)
        if isinstance(cost, Unpriced):
            return CellBill(None, None, cost)
        cards.append(answer)
        amounts.append(cost)
    assumptions = dict.fromkeys((*labels, *(code for card in cards for code in card.assumptions)))
    return CellBill(Amount(min(amounts), max(amounts)), cards[0].currency, None, tuple(cards), tuple(assumptions))


def cost_at(card: RateCard, tokens: Sequence[int | Decimal], counts: Pieces) -> Decimal | Unpriced:
    """Σ tokens × rate + Σ pieces × fee, times the card's multiplier; exact, or the class that has no rate."""
    add, multiply = EXACT.add, EXACT.multiply
    total = ZERO
    for name, count in zip(TOKEN_CLASSES, tokens, strict=True):
        if count:
            rate = card.rates.get(name)
            if rate is None:
                return Unpriced("class_without_rate", f"{card.period} has no rate for {name} tokens")
            total = add(total, multiply(rate, count))
    total = EXACT.scaleb(total, PER_MILLION)
    for piece, count in counts.items():
        fee = card.fees.get(piece)
        if count and fee is None and piece != "request":
            return Unpriced("class_without_rate", f"{card.period} has no fee for a {piece}")
        if count and fee:
            total = add(total, multiply(fee, count))
    return multiply(total, card.multiplier)


def fees_at(card: RateCard, counts: Pieces) -> Decimal:
    """The part of `cost_at` that is billed by the piece; exact."""
    total = ZERO
    for piece, fee in card.fees.items():
        total = EXACT.add(total, EXACT.multiply(fee, counts.get(piece, 0)))
    return EXACT.multiply(total, card.multiplier)


class WholeRates(NamedTuple):
    """A card's rates as whole numbers of `10**exponent` of its currency: costs of many cells then add up as integers.

    `tokens` by `TOKEN_CLASSES`, `pieces` as those of `pieces()`; 0 where the card has no rate.
    """

    tokens: list[int]
    pieces: list[int]
    exponent: int

    def cost(self, cells: Iterable[Cell], held: Sequence[int]) -> int:
        """What cells cost that have tokens of no other classes than `held`."""
        request, search, image = self.pieces
        rates = [(i, self.tokens[i]) for i in held]
        total = 0
        for cell in cells:
            tokens = cell.tokens
            total += sum([tokens[i] * rate for i, rate in rates])
            total += cell.calls * request + cell.searches * search + cell.images * image
        return total

    def amount(self, cost: int) -> Decimal:
        """A cost in the card's currency."""
        return EXACT.scaleb(Decimal(cost), self.exponent)


def whole_rates(card: RateCard) -> WholeRates:
    """The rates of a card, its multiplier included, in the largest unit in which all of them are whole."""
    per_token = [card.rates.get(name) or ZERO for name in TOKEN_CLASSES]
    per_piece = [card.fees.get(name) or ZERO for name in COUNT_CLASSES]
    rates = [EXACT.multiply(EXACT.scaleb(rate, PER_MILLION), card.multiplier) for rate in per_token]
    fees = [EXACT.multiply(fee, card.multiplier) for fee in per_piece]
    exponent = min(int(rate.as_tuple().exponent) for rate in (*rates, *fees))
    tokens, pieces = ([int(EXACT.scaleb(rate, -exponent)) for rate in part] for part in (rates, fees))
    return WholeRates(tokens, pieces, exponent)


class Purse(msgspec.Struct):
    """Amounts by currency, converted only at the end."""

    amounts: dict[str, Amount] = msgspec.field(default_factory=dict)

    def add(self, bill: CellBill) -> None:
        """Add a priced cell."""
        if bill.amount is not None and bill.currency is not None:
            self.put(bill.amount, bill.currency)

    def put(self, amount: Amount, currency: str) -> None:
        """Add an amount."""
        self.amounts[currency] = self.amounts.get(currency, NOTHING).plus(amount)

    def merge(self, other: "Purse") -> None:
        """Add another purse."""
        for currency, amount in other.amounts.items():
            self.amounts[currency] = self.amounts.get(currency, NOTHING).plus(amount)

    def total(self, catalog: Catalog, currency: str, as_of: int) -> Amount:
        """Everything in one currency at the exchange rates of `as_of`."""
        total = NOTHING
        for held, amount in self.amounts.items():
            low, high = (catalog.convert(part, held, currency, as_of)[0] for part in amount)
            total = total.plus(Amount(low, high))
        return total
