"""Costs that the log states against the recomputed ones, call by call: which differ, and what explains it.

A stated cost is evidence, not truth. A difference is explained only where the numbers fit: another period's rates of
the same model, fees that are left out, or cached tokens that the log does not tell; everything else stays unexplained.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from llmmigrate.costing import results
from llmmigrate.costing.bill import ZERO, Biller, bill_cards, fees_at, pieces
from llmmigrate.money import PER_MILLION, exact, from_pico, plain
from llmmigrate.prices.cards import RateCard, Unpriced
from llmmigrate.prices.entries import Entry
from llmmigrate.units import INPUT_CLASSES, TOKEN_CLASSES
from llmmigrate.usage.accounting import Tally
from llmmigrate.usage.profile import Cell, CellKey

TOLERANCE: Final = Decimal("1e-9")
"""USD by which a stated cost may differ for float arithmetic in the logger."""
OUTLIER: Final = 10


class Difference(NamedTuple):
    """Calls of one model whose stated costs differ for one reason."""

    provider: str | None
    model: str | None
    reason: str
    detail: str


class Priced(NamedTuple):
    """What a cell's calls are priced at: one card, so that a call's cost is one figure."""

    card: RateCard
    entry: Entry
    tier: str


class Sums:
    """Running sums of a difference."""

    __slots__ = ("logged", "places", "recomputed")

    def __init__(self) -> None:
        self.logged = Decimal(0)
        self.recomputed = Decimal(0)
        self.places = Tally()


class Reconciler:
    """Compares every stated cost with the cost by the tables; USD prices only, since stated costs are in USD."""

    def __init__(self, biller: Biller) -> None:
        self._biller = biller
        self._cells: dict[CellKey, Priced | None] = {}
        self.compared = 0
        self.equal = 0
        self.differences: dict[Difference, Sums] = {}

    def rates(self, key: CellKey) -> tuple[float, ...] | None:
        """USD a token by `TOKEN_CLASSES`, then of a request, for a quick first look at calls without other pieces.

        None where the cell has no single USD price.
        """
        priced = self._priced(key)
        if priced is None:
            return None
        card = priced.card
        fee = float(card.fees.get("request", ZERO) * card.multiplier)
        return *(float(card.rates.get(name, ZERO) * card.multiplier) / 1e6 for name in TOKEN_CLASSES), fee

    def agree(self, calls: int) -> None:
        """Count calls whose stated cost was found equal by the quick look."""
        self.compared += calls
        self.equal += calls

    def add(self, key: CellKey, call: Cell, logged_pico: int, where: str) -> None:
        """Compare the stated cost of one call, which has a cell of its own."""
        priced = self._priced(key)
        if priced is None:
            return
        own = bill_cards((priced.card,), call.tokens, pieces(call))
        if own.amount is None:
            return
        self.compared += 1
        logged, cost = from_pico(logged_pico), own.amount.low
        if abs(logged - cost) <= TOLERANCE:
            self.equal += 1
            return
        reason, detail = self._explain(priced, call, logged, cost)
        sums = self.differences.setdefault(Difference(key.provider, key.model, reason, detail), Sums())
        with exact():
            sums.logged += logged
            sums.recomputed += cost
        sums.places.add(where)

    def _priced(self, key: CellKey) -> Priced | None:
        if key not in self._cells:
            self._cells[key] = self._price(key)
        return self._cells[key]

    def _price(self, key: CellKey) -> Priced | None:
        if key.billing in ("gateway_hit", "failed") or key.usage != "known":
            return None
        entry = self._biller.entry(key)
        bill = self._biller.bill_entry(entry, key, _NO_COST) if not isinstance(entry, Unpriced) else None
        if bill is None or isinstance(entry, Unpriced) or len(bill.cards) != 1 or bill.currency != "USD":
            return None
        return Priced(bill.cards[0], entry, key.service_tier)

    def _explain(self, priced: Priced, call: Cell, logged: Decimal, cost: Decimal) -> tuple[str, str]:
        if logged == 0:
            return "logged_as_free", ""
        if cost and logged > OUTLIER * cost:
            return "cost_outlier", "above 10 times the recomputed cost"
        fees = fees_at(priced.card, pieces(call))
        if abs(logged - (cost - fees)) <= TOLERANCE:
            return "fees_not_in_log", "the tokens alone"
        by_token, tokens = logged - fees, call.tokens
        period = _period_that_fits([priced.entry], priced.card.period, tokens, by_token)
        if period is not None:
            return "rates_of_another_period", period
        period = _period_that_fits(self._siblings(priced.entry), priced.card.period, tokens, by_token)
        if period is not None:
            return "rates_of_another_model", period
        return _cache_reason(priced.card, tokens, by_token) or ("unexplained", "")

    def _siblings(self, entry: Entry) -> list[Entry]:
        """The other models of the same provider."""
        return [other for other in self._biller.catalog.tables[entry.provider].entries.values() if other is not entry]

    def result(self) -> results.Reconciliation | None:
        """The comparison as a result record; None where the log states no cost that a table can answer."""
        if not self.compared:
            return None
        listed = [
            results.CostDifference(
                model=d.model, provider=d.provider, reason=d.reason, detail=d.detail, calls=sums.places.count,
                logged_cost=plain(sums.logged), recomputed_cost=plain(sums.recomputed), first=sums.places.first,
            )
            for d, sums in self.differences.items()
        ]  # fmt: skip
        listed.sort(key=lambda entry: (-abs(Decimal(entry.logged_cost) - Decimal(entry.recomputed_cost)), entry.reason))
        return results.Reconciliation(compared=self.compared, equal=self.equal, differing=listed)


def _cache_reason(card: RateCard, tokens: Sequence[int], logged: Decimal) -> tuple[str, str] | None:
    """Whether caching that the log does not tell fits: in part read or written, or counted on top of the input."""
    fresh, read = card.rates.get("input"), card.rates.get("cache_read")
    if fresh is None or read is None or tokens[TOKEN_CLASSES.index("cache_read")]:
        return None
    inputs = sum(tokens[: len(INPUT_CLASSES)])
    pairs = zip(TOKEN_CLASSES, tokens, strict=True)
    outputs = sum((count * card.rates.get(name, ZERO) for name, count in pairs if name not in INPUT_CLASSES), ZERO)
    writes = [card.rates[name] for name in ("cache_write_5m", "cache_write_1h") if name in card.rates]
    parts = [(inputs * rate + outputs).scaleb(PER_MILLION) for rate in (fresh, read, *writes)]
    if min(parts) - TOLERANCE <= logged <= max(parts) + TOLERANCE:
        return "cache_not_in_log", "between all and none of the input cached"
    if parts[0] < logged <= (inputs * (fresh + read) + outputs).scaleb(PER_MILLION) + TOLERANCE:
        return "cache_counted_twice", "cached reads on top of the whole input"
    return None


def _period_that_fits(entries: Sequence[Entry], own: str, tokens: Sequence[int], logged: Decimal) -> str | None:
    """The first period of these models at whose standard rates the call costs what the log says."""
    for period in (period for entry in entries for period in entry.periods if period.name != own):
        for row in period.rows:
            pairs = zip(TOKEN_CLASSES, tokens, strict=True)
            cost = sum((count * row.rates.get(name, ZERO) for name, count in pairs), ZERO).scaleb(PER_MILLION)
            if abs(cost - logged) <= TOLERANCE:
                return period.name
    return None


_NO_COST: Final = Cell()
