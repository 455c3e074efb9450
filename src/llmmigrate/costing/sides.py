"""One side of a comparison: its priced calls in exact USD, at their own rates and at the rates of another time.

Cells that no price tells apart are priced as one, and calls that share all their rates are one lot: a comparison works
on some dozen lots rather than on thousands of cells. Everything is a fraction here, so that parts add up to their whole
exactly.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

import msgspec

from llmmigrate.costing.alike import Cells, priced_alike
from llmmigrate.costing.analysis import UnpricedSums, add_unpriced
from llmmigrate.costing.bill import FREE, ZERO, Biller, CellBill, bill_cards, cost_at, is_uncut, pieces, place
from llmmigrate.costing.slices import summed
from llmmigrate.prices.cards import RateCard, Unpriced
from llmmigrate.prices.catalog import Catalog
from llmmigrate.units import COUNT_CLASSES, TOKEN_CLASSES
from llmmigrate.usage.profile import Cell, CellKey, Profile, TagValues
from llmmigrate.usage.sketch import merge

NO_TOKENS: Final = (0,) * len(TOKEN_CLASSES)
_MILLION: Final = 10**6


class Price(NamedTuple):
    """What a cell costs, and whose names and dates decide it."""

    bill: Callable[[CellKey, Cell], CellBill]
    biller: Biller


class Group(NamedTuple):
    """Calls whose share of the traffic is part of the mix."""

    provider: str | None
    model: str | None
    tags: TagValues


class Rates(msgspec.Struct, frozen=True):
    """Exact USD a token by `TOKEN_CLASSES` and a piece by `COUNT_CLASSES`; None where there is no rate."""

    tokens: tuple[Fraction | None, ...]
    pieces: tuple[Fraction, ...]


NOTHING: Final = Rates((Fraction(0),) * len(TOKEN_CLASSES), (Fraction(0),) * len(COUNT_CLASSES))


class Lot(msgspec.Struct):
    """Sums of calls that share their rates: `own` at their own date, `then` at the other side's."""

    own: Rates
    then: Rates
    calls: int = 0
    tokens: list[int] = msgspec.field(default_factory=lambda: list(NO_TOKENS))
    pieces: list[int] = msgspec.field(default_factory=lambda: [0] * len(COUNT_CLASSES))
    moments: dict[int, int] = msgspec.field(default_factory=dict)
    """As those of a cell: the variance of cost and tokens a call."""
    aggregated: int = 0
    """Calls of which the log has only sums over many: they tell nothing about variance."""

    def add(self, key: CellKey, cell: Cell) -> None:
        """Add a cell's calls."""
        self.calls += cell.calls
        self.aggregated += cell.calls if key.usage == "aggregate" else 0
        merge(self.moments, cell.moments)
        self.tokens = [a + b for a, b in zip(self.tokens, cell.tokens, strict=True)]
        self.pieces = [self.pieces[0] + cell.calls, self.pieces[1] + cell.searches, self.pieces[2] + cell.images]


def joined(lots: Sequence[Lot]) -> Lot:
    """Lots as one, at the rates of the first."""
    made = Lot(lots[0].own, lots[0].then)
    for lot in lots:
        made.calls += lot.calls
        made.aggregated += lot.aggregated
        merge(made.moments, lot.moments)
        made.tokens = [a + b for a, b in zip(made.tokens, lot.tokens, strict=True)]
        made.pieces = [a + b for a, b in zip(made.pieces, lot.pieces, strict=True)]
    return made


class Part(msgspec.Struct):
    """The lots of one group and service tier (None: answered by a gateway's cache), and the cells behind them."""

    lots: dict[tuple[int, ...], Lot] = msgspec.field(default_factory=dict)
    cells: list[Cells] = msgspec.field(default_factory=list)
    """Together those that no price tells apart."""

    def all_lots(self) -> list[Lot]:
        """The lots alone."""
        return list(self.lots.values())

    @property
    def calls(self) -> int:
        """Requests."""
        return sum(lot.calls for lot in self.lots.values())

    def cost(self) -> Fraction:
        """USD at the calls' own rates."""
        return sum((cost(lot.own, lot) for lot in self.lots.values()), Fraction(0))

    def cost_then(self) -> Fraction:
        """USD at the other side's rates."""
        return sum((cost(lot.then, lot) for lot in self.lots.values()), Fraction(0))


class Side(msgspec.Struct):
    """The priced calls of a profile by group and service tier, and the calls that are not among them."""

    parts: dict[Group, dict[str | None, Part]] = msgspec.field(default_factory=dict)
    bare: dict[Group, Part] = msgspec.field(default_factory=dict)
    """Calls with known usage and no price: they have tokens, but are in no cost."""
    unpriced: UnpricedSums = msgspec.field(default_factory=dict)
    assumptions: dict[str, int] = msgspec.field(default_factory=dict)
    """Code of what pricing had to assume → calls."""
    missing: int = 0
    uncut: int = 0
    """Calls across a boundary that their profile was not cut at: priced at the mean of both sides of it."""
    failed: int = 0
    """Failures without usage: no answer, no cost, and no call here."""

    @property
    def calls(self) -> int:
        """Priced requests."""
        return sum(part.calls for group in self.parts.values() for part in group.values())

    @property
    def unpriced_calls(self) -> int:
        """Requests without a price."""
        return sum(sums[0] for _, sums in self.unpriced.values())

    def cost(self) -> Fraction:
        """USD at the calls' own rates."""
        return sum((part.cost() for group in self.parts.values() for part in group.values()), Fraction(0))


def cost(rates: Rates, lot: Lot) -> Fraction:
    """USD of a lot at some rates."""
    return sum(token_costs(rates, lot.tokens), Fraction(0)) + piece_cost(rates, lot.pieces)


def token_costs(rates: Rates, tokens: Sequence[int]) -> list[Fraction]:
    """USD by token class. The classes that have tokens have rates: else the lot would be unpriced."""
    return [rate * count if count and rate else Fraction(0) for rate, count in zip(rates.tokens, tokens, strict=True)]


def piece_cost(rates: Rates, counts: Sequence[int]) -> Fraction:
    """USD of requests, searches and images."""
    return sum((rate * count for rate, count in zip(rates.pieces, counts, strict=True)), Fraction(0))


class Pricer:
    """Makes sides: prices every cell at its own rates and, where asked, at those of another time."""

    def __init__(self, catalog: Catalog, *, currency: str, exchange_at: int) -> None:
        self.catalog = catalog
        self._currency = currency
        self._exchange_at = exchange_at
        self._exchange: dict[str, Fraction] = {}
        self._rates: dict[tuple[int, int], tuple[Rates, RateCard, RateCard]] = {}

    def side(self, profile: Profile, own: Price, then: Price | None = None) -> Side:
        """The side of a profile; without `then` its rates are the only ones."""
        side = Side()
        for cells in priced_alike(profile, own.biller):
            self._add(side, cells, own, then)
        return side

    def part(self, parts: Iterable[Part], price: Price) -> Part | None:
        """The cells of some parts priced in another way; None where one of them then has no price."""
        made = Part()
        for cells in (cells for part in parts for cells in part.cells):
            for same, cell, (bill,) in _bills(cells, [price]):
                rates = self.rates(bill, cell)
                if rates is None:
                    return None
                made.lots.setdefault((id(rates),), Lot(rates, rates)).add(same[0][0], cell)
        return made

    def tables(self) -> list[str]:
        """The providers whose tables gave a rate so far."""
        return sorted({card.table for _, low, high in self._rates.values() for card in (low, high)})

    def rates(self, bill: CellBill, cell: Cell) -> Rates | None:
        """The rates that a cell was billed at; the mean of the lowest and the dearest where several are possible."""
        if bill.amount is None:
            return None
        if not bill.cards:
            return NOTHING
        low, high = bill.cards[0], bill.cards[0]
        if len(bill.cards) > 1:
            costs = [(_certain(cost_at(card, cell.tokens, pieces(cell))), n) for n, card in enumerate(bill.cards)]
            low, high = bill.cards[min(costs)[1]], bill.cards[max(costs)[1]]
        key = (id(low), id(high))
        if key not in self._rates:
            self._rates[key] = (self._mean(low, high), low, high)
        return self._rates[key][0]

    def _add(self, side: Side, cells: Cells, own: Price, then: Price | None) -> None:
        key = cells[0][0]
        hit = key.billing == "gateway_hit"
        if key.billing == "failed":
            side.failed += sum(cell.calls for _, cell in cells)
        elif key.usage == "missing" and not hit:
            side.missing += sum(cell.calls for _, cell in cells)
        elif hit:
            self._add_billed(side, cells, _together(cells), [FREE])
        else:
            for same, cell, bills in _bills(cells, [own] if then is None else [own, then]):
                self._add_billed(side, same, cell, bills)

    def _add_billed(self, side: Side, cells: Cells, cell: Cell, bills: Sequence[CellBill]) -> None:
        """Add cells, `cell` together, with their own bill and, where asked, that at the other side's rates."""
        key, bill, rates = cells[0][0], bills[0], self.rates(bills[0], cell)
        for code in bill.assumptions:
            side.assumptions[code] = side.assumptions.get(code, 0) + cell.calls
        side.uncut += cell.calls if is_uncut(bill) else 0
        group = Group(key.provider, key.model, key.tags)
        if rates is None:
            add_unpriced(side.unpriced, key, cell, bill.unpriced or Unpriced("unknown_model", "no price"))
            side.bare.setdefault(group, Part()).lots.setdefault((), Lot(NOTHING, NOTHING)).add(key, cell)
            return
        before = self.rates(bills[-1], cell) or rates  # a model without a price then has no other price now
        tier = None if key.billing == "gateway_hit" else key.service_tier
        part = side.parts.setdefault(group, {}).setdefault(tier, Part())
        kind = id(rates), id(before), cell.searches > 0, cell.images > 0
        part.lots.setdefault(kind, Lot(rates, before)).add(key, cell)
        part.cells.append(cells)

    def _mean(self, low: RateCard, high: RateCard) -> Rates:
        a, b = self._of(low), self._of(high)
        if low is high:
            return a
        tokens = tuple(None if x is None or y is None else (x + y) / 2 for x, y in zip(a.tokens, b.tokens, strict=True))
        return Rates(tokens, tuple((x + y) / 2 for x, y in zip(a.pieces, b.pieces, strict=True)))

    def _of(self, card: RateCard) -> Rates:
        factor = Fraction(card.multiplier) * self._exchanged(card.currency)
        rates = [card.rates.get(name) for name in TOKEN_CLASSES]
        fees = [card.fees.get(name, ZERO) for name in COUNT_CLASSES]
        tokens = tuple(None if rate is None else Fraction(rate) * factor / _MILLION for rate in rates)
        return Rates(tokens, tuple(Fraction(fee) * factor for fee in fees))

    def _exchanged(self, currency: str) -> Fraction:
        if currency == self._currency:
            return Fraction(1)
        if currency not in self._exchange:
            rate = self.catalog.convert(Decimal(1), currency, self._currency, self._exchange_at)[1]
            self._exchange[currency] = Fraction(rate.rate) if rate.base == currency else 1 / Fraction(rate.rate)
        return self._exchange[currency]


def at_own_date(biller: Biller) -> Price:
    """Each cell at the rates of its own date."""
    return Price(biller.bill, biller)


def at_instant(biller: Biller, instant: int, tier: str | None = None) -> Price:
    """Each cell at the rates in force at `instant`, its clock read at its own time; as served by `tier` if given."""

    def bill(key: CellKey, cell: Cell) -> CellBill:
        entry = biller.entry(key)
        if isinstance(entry, Unpriced):
            return CellBill(None, None, entry)
        at, prompt, output = place(key)
        answers = biller.catalog.forward_cards(
            entry, at=at, as_of=instant, prompt=prompt, output=output, tier=tier or key.service_tier
        )
        return bill_cards(answers, cell.tokens, pieces(cell))

    return Price(bill, biller)


def at_own_date_as(biller: Biller, tier: str) -> Price:
    """Each cell at the rates of its own date, as if `tier` had served it."""
    return Price(lambda key, cell: biller.bill(key._replace(service_tier=tier), cell), biller)


def _bills(cells: Cells, prices: Sequence[Price]) -> Iterator[tuple[Cells, Cell, list[CellBill]]]:
    """Cells that no price tells apart, their sum, and its bills.

    They come one by one where a rate is open: bounds do not add up.
    """
    cell = _together(cells)
    bills = [price.bill(cells[0][0], cell) for price in prices]
    if len(cells) > 1 and any(len(bill.cards) > 1 for bill in bills):
        for pair in cells:
            yield from _bills([pair], prices)
        return
    yield cells, cell, bills


def _together(cells: Cells) -> Cell:
    """The sums of some cells that a lot is made of."""
    if len(cells) == 1:
        return cells[0][1]
    parts = [cell for _, cell in cells]
    sums, moments = summed(parts), dict[int, int]()
    for part in parts:
        merge(moments, part.moments)
    return Cell(sums.calls, tokens=sums.tokens, moments=moments, searches=sums.searches, images=sums.images)


def _certain(amount: Decimal | Unpriced) -> Decimal:
    if isinstance(amount, Unpriced):
        raise AssertionError("a card that billed a cell does not price it")
    return amount
