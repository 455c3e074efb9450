"""A vendor's bill against the log: per day and model, and why they differ as far as the log tells."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from llmmigrate.costing.bill import Biller, Purse
from llmmigrate.costing.invoice_files import Invoice
from llmmigrate.costing.invoice_rates import (
    CENT,
    ZERO,
    Item,
    Items,
    Rates,
    TokenDifference,
    can_hold,
    differing_rates,
    rate_words,
    token_difference,
)
from llmmigrate.costing.invoice_results import InvoiceLineResult, InvoiceRate, InvoiceReason, InvoiceResult
from llmmigrate.errors import UsageError
from llmmigrate.money import from_pico, plain
from llmmigrate.prices.entries import Entry
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage.profile import Cell, CellKey, Profile

PAUSE: Final = timedelta(hours=1)
"""A log whose first or last call is no further from midnight has the whole day, as far as it can tell."""
_TIERS: Final = ("standard", "batch", "flex", "priority")


class Place(NamedTuple):
    """A day and a model; None where the bill names no models."""

    day: date
    model: str | None


class Held(msgspec.Struct):
    """What the log has for a place; `unknown` calls of it have no usage or no price."""

    purse: Purse = msgspec.field(default_factory=Purse)
    logged: int = 0
    logged_calls: int = 0
    calls: int = 0
    missing: int = 0
    unpriced: int = 0
    unknown: int = 0
    cells: list[tuple[CellKey, Cell]] = msgspec.field(default_factory=list)
    models: set[str | None] = msgspec.field(default_factory=set)
    rates: Rates = msgspec.field(default_factory=Rates)


def compare_invoice(profile: Profile, biller: Biller, invoice: Invoice, *, as_of: int) -> InvoiceResult:
    """The bill against the log. UsageError where they have no day in common, or the log's days are not those of UTC."""
    if profile.marks.zone != "UTC":
        raise UsageError("a bill has the days of UTC", fix="leave out --tz")
    comparer = _Comparer(profile, biller, invoice, as_of)
    lines = list(comparer.lines())
    if not any(line.calls and line.billed is not None for line in lines):
        days = [line.day for line in invoice.lines]
        raise UsageError(
            f"the invoice {invoice.path} and the log have no day in common",
            why=f"it has {min(days)} … {max(days)}, the log {comparer.span_words()}",
            fix="give the invoice of the log's days",
        )
    both = [line for line in lines if line.reason not in ("day_not_in_log", "not_billed")]
    billed = sum((Decimal(line.billed or 0) for line in both), ZERO)
    recomputed = sum((Decimal(line.recomputed or 0) for line in both), ZERO)
    logged = [Decimal(line.logged) for line in both if line.logged is not None]
    undated = comparer.undated()
    return InvoiceResult(
        path=invoice.path, vendor=invoice.vendor, currency="USD", billed=plain(billed), recomputed=plain(recomputed),
        logged=plain(sum(logged, ZERO)) if logged else None, calls=sum(line.calls for line in both),
        logged_calls=sum(line.logged_calls for line in both), difference=plain(billed - recomputed),
        undated_calls=sum(held.calls for held in undated), undated_cost=plain(comparer.cost_of(undated)),
        undated_unknown=sum(held.unknown for held in undated), reasons=_reasons(lines), lines=lines,
    )  # fmt: skip


class _Comparer:
    """Holds what the lines of a comparison share."""

    def __init__(self, profile: Profile, biller: Biller, invoice: Invoice, as_of: int) -> None:
        self._profile, self._biller, self._as_of = profile, biller, as_of
        self._by_model = any(line.model for line in invoice.lines)
        self._billed: dict[Place, Item] = {}
        self._items: dict[Place, Items] = {}
        for line in invoice.lines:
            place = Place(line.day, self._name(invoice.vendor, line.model))
            self._billed[place] = self._billed.get(place, Item()).plus(line)
            items = self._items.setdefault(place, {})
            items[line.item] = items.get(line.item, Item()).plus(line)
        self._held: dict[Place, Held] = {}
        self._undated: dict[str | None, Held] = {}  # calls without a time by model: of any of the days
        for key, cell in profile.cells.items():
            self._hold(key, cell, invoice.vendor)

    def lines(self) -> Iterator[InvoiceLineResult]:
        """One line a day and model of either side, in order of time; the dearest first."""
        places = {**self._billed, **dict.fromkeys(self._held)}
        for place in sorted(places, key=lambda p: (p.day, -self._billed.get(p, Item()).amount, p.model or "")):
            yield self._line(place)

    def span_words(self) -> str:
        """The days of the log."""
        days = sorted({place.day for place in self._held})
        return f"{days[0]} … {days[-1]}" if days else "has no calls of this vendor with a timestamp"

    def undated(self) -> list[Held]:
        """The calls of the log that have no time."""
        return list(self._undated.values())

    def cost_of(self, parts: Iterable[Held]) -> Decimal:
        """What calls cost together."""
        return sum((self._cost(held.purse) for held in parts), ZERO)

    def _name(self, vendor: str | None, model: str | None) -> str | None:
        """A model under the name that the price tables give it, so that both sides meet."""
        if not self._by_model or model is None:
            return None if not self._by_model else "(other)"
        entry = self._biller.catalog.find(vendor, model)
        return entry.id if isinstance(entry, Entry) else model

    def _hold(self, key: CellKey, cell: Cell, vendor: str | None) -> None:
        entry = self._biller.entry(key)
        provider = entry.provider if isinstance(entry, Entry) else key.provider
        if key.billing in ("gateway_hit", "failed") or (vendor and provider not in (vendor, None)):
            return
        name = entry.id if isinstance(entry, Entry) else key.model
        model = name if self._by_model else None
        if key.start is None:
            held = self._undated.setdefault(model, Held())
        else:
            day = datetime.fromtimestamp(key.start, tz=UTC).date()
            held = self._held.setdefault(Place(day, model), Held())
        self._add(held, key, cell, name)

    def _add(self, held: Held, key: CellKey, cell: Cell, name: str | None) -> None:
        bill = self._biller.bill(key, cell)
        held.purse.add(bill)
        held.calls += cell.calls
        held.logged += cell.logged_cost
        held.logged_calls += cell.logged_calls
        held.missing += cell.calls if key.usage == "missing" else 0
        held.unpriced += cell.calls if bill.unpriced is not None else 0
        held.unknown += cell.calls if key.usage == "missing" or bill.unpriced is not None else 0
        held.cells.append((key, cell))
        held.models.add(name)
        for card in bill.cards if bill.currency == "USD" else ():
            held.rates.add(card, cell)

    def _line(self, place: Place) -> InvoiceLineResult:
        billed, held = self._billed.get(place), self._held.get(place)
        recomputed = None if held is None else self._cost(held.purse)
        one = held is not None and len(held.models) == 1  # of several models together no rate is any one's
        rates = differing_rates(self._items.get(place, {}), held.rates) if held and one else []
        reason, detail = self._why(place, billed, held, recomputed, rates)
        return InvoiceLineResult(
            day=place.day.isoformat(), model=place.model,
            billed=None if billed is None else plain(billed.amount),
            recomputed=None if recomputed is None else plain(recomputed),
            logged=plain(from_pico(held.logged)) if held and held.logged_calls else None,
            difference=plain((billed or Item()).amount - (recomputed or ZERO)),
            calls=held.calls if held else 0, logged_calls=held.logged_calls if held else 0,
            usage_missing=held.missing if held else 0,
            unpriced_calls=held.unpriced if held else 0, reason=reason, detail=detail, rates=rates,
        )  # fmt: skip

    def _why(
        self,
        place: Place,
        billed: Item | None,
        held: Held | None,
        recomputed: Decimal | None,
        rates: Sequence[InvoiceRate],
    ) -> tuple[str, str | None]:
        """The reason of a difference, the plainest that fits, and its details."""
        if held is None or recomputed is None:
            return self._absent(place, billed or Item())
        if billed is None:
            return "not_billed", None
        if billed.states(recomputed):
            return "equal", None
        return self._reason(place, billed, held, recomputed, rates)

    def _absent(self, place: Place, billed: Item) -> tuple[str, str | None]:
        """The reason where the log has no call with a time for the place."""
        undated = self._undated_words(place, billed, Held(), ZERO)
        if place.day not in {held_place.day for held_place in self._held}:
            return "day_not_in_log", undated
        return ("undated_calls" if undated else "calls_not_in_log"), undated

    def _reason(
        self, place: Place, billed: Item, held: Held, recomputed: Decimal, rates: Sequence[InvoiceRate]
    ) -> tuple[str, str | None]:
        """The reason where both sides have the place and differ."""
        more = billed.amount > recomputed
        if not rates and more and (held.missing or held.unpriced):
            return "usage_missing" if held.missing else "unpriced_calls", f"{held.missing or held.unpriced:,} calls"
        items, cells = self._items[place], [cell for _, cell in held.cells]
        tokens = token_difference(items, held.rates, cells)
        tier = None if tokens and tokens.words else self._tier(billed, held.cells)
        if tier is not None:
            return "service_tier", f"as if all calls were served as {tier}"
        uncached = token_difference(items, held.rates, map(_uncached, cells))
        can_be_cache = any(found is None or not found.words for found in (tokens, uncached))
        if can_be_cache and billed.states(self._without_cache(held.cells)):
            return "cache", "as if nothing had been read from a cache"
        if rates:
            return _rates(billed, recomputed, rates)
        undated = self._undated_words(place, billed, held, recomputed)
        if undated:
            return "undated_calls", undated
        if more and self._is_partial(place.day) and (tokens is None or tokens.more > 0):
            return "partial_day", "the log begins or ends within this day"
        at_known_rates = not differing_rates(items, held.rates)
        if tokens and tokens.words and at_known_rates and _explains(tokens, billed, recomputed):
            return "tokens", tokens.words
        return "unexplained", _factor(billed.amount, recomputed)

    def _undated_words(self, place: Place, billed: Item, held: Held, recomputed: Decimal) -> str | None:
        """That calls without a time may be of a day; None where they cannot make what was billed more there."""
        undated, more = self._undated.get(place.model), billed.amount - recomputed
        if undated is None or more <= 0:
            return None
        if not undated.unknown:
            cost = self._cost(undated.purse)
            rates = held.rates if held.cells else undated.rates
            dated, others = ([cell for _, cell in part.cells] for part in (held, undated))
            enough = more <= cost or billed.states(recomputed + cost)
            if not enough or not can_hold(self._items[place], rates, dated, others):
                return None
        return f"{undated.calls:,} call{'' if undated.calls == 1 else 's'} without a time may be of this day"

    def _cost(self, purse: Purse) -> Decimal:
        return purse.total(self._biller.catalog, "USD", self._as_of).middle

    def _tier(self, billed: Item, cells: Sequence[tuple[CellKey, Cell]]) -> str | None:
        """The service tier at which all calls would cost what was billed."""
        return next((tier for tier in _TIERS if billed.states(self._as_if(cells, tier))), None)

    def _as_if(self, cells: Iterable[tuple[CellKey, Cell]], tier: str) -> Decimal | None:
        purse = Purse()
        for key, cell in cells:
            bill = self._biller.bill(key._replace(service_tier=tier), cell)
            if bill.unpriced is not None:
                return None
            purse.add(bill)
        return self._cost(purse)

    def _without_cache(self, cells: Iterable[tuple[CellKey, Cell]]) -> Decimal:
        """What the same calls cost with the cached input read anew."""
        purse = Purse()
        for key, cell in cells:
            purse.add(self._biller.bill(key, _uncached(cell)))
        return self._cost(purse)

    def _is_partial(self, day: date) -> bool:
        """Whether the log begins or ends within a day, by more than the pause that a whole log may have there."""
        first, last = self._profile.first_ns, self._profile.last_ns
        if first is None or last is None:
            return False
        begins, ends = (datetime.fromtimestamp(ns // NANOSECONDS, tz=UTC) for ns in (first, last))
        midnight = datetime.combine(day, datetime.min.time(), UTC)
        before, after = begins - midnight, midnight + timedelta(days=1) - ends
        return (begins.date() == day and before > PAUSE) or (ends.date() == day and after > PAUSE)


def _uncached(cell: Cell) -> Cell:
    """The same calls, with the cached input read anew."""
    tokens = [cell.tokens[0] + cell.tokens[2], cell.tokens[1], 0, *cell.tokens[3:]]
    return Cell(calls=cell.calls, searches=cell.searches, images=cell.images, tokens=tokens)


def _explains(tokens: TokenDifference, billed: Item, recomputed: Decimal) -> bool:
    """Whether other numbers of tokens make a whole difference, at rates of the log's."""
    return billed.states(recomputed + min(max(billed.amount - recomputed, tokens.low), tokens.high))


def _rates(billed: Item, recomputed: Decimal, rates: Sequence[InvoiceRate]) -> tuple[str, str]:
    """Other rates than the tables', and whether they make the whole difference."""
    part = sum((Decimal(rate.difference) for rate in rates), ZERO)
    if billed.states(recomputed + part):
        return "rates", rate_words(rates)
    return "rates_and_tokens", f"{rate_words(rates)}: that makes {'+' if part > 0 else ''}{plain(part.quantize(CENT))}"


def _factor(billed: Decimal, recomputed: Decimal) -> str | None:
    """How far apart they are: calls that are not in the log, or other rates, look alike."""
    return f"billed is {billed / recomputed:.3f} × recomputed" if recomputed else None


def _reasons(lines: list[InvoiceLineResult]) -> list[InvoiceReason]:
    """The differences summed by reason, the largest first."""
    sums: dict[str, list[Decimal]] = {}
    for line in lines:
        sums.setdefault(line.reason, []).append(Decimal(line.difference))
    made = [
        InvoiceReason(reason=reason, lines=len(amounts), difference=plain(sum(amounts, ZERO)))
        for reason, amounts in sums.items()
    ]
    return sorted(made, key=lambda entry: (-abs(Decimal(entry.difference)), entry.reason))
