"""All price tables together: the one thing that the rest of the program asks about prices."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from itertools import pairwise

from llmmigrate.prices import exchange
from llmmigrate.prices.answers import answers_in, distinct, moments
from llmmigrate.prices.cards import Answer, Band, FxRate, Interval, Marks, Unpriced
from llmmigrate.prices.clock import Calendar, Clock
from llmmigrate.prices.entries import Entry, Table
from llmmigrate.prices.lookup import Lookup
from llmmigrate.prices.marks import marks_of
from llmmigrate.prices.periods import Period

Answers = tuple[Answer, ...]


class Catalog:
    """Price tables, names and exchange rates. Made by `load_catalog`; never changes."""

    def __init__(
        self, tables: Mapping[str, Table], fx: Sequence[FxRate], calendars: Iterable[Calendar], lookup: Lookup
    ) -> None:
        self.tables = tables
        self.exchange_rates = tuple(fx)
        self._calendars = tuple(calendars)
        self._lookup = lookup
        self._known: dict[tuple[object, ...], Answers] = {}

    def find(self, provider: str | None, model: str | None, *, logged_cost: int | None = None) -> Entry | Unpriced:
        """The entry that bills calls logged under these names, or why there is none.

        `provider` None lets the model's name decide. `logged_cost` matters for free routes only.
        """
        return self._lookup.find(provider, model, logged_cost)

    def cards(self, entry: Entry, *, at: Interval | None, as_of: int, prompt: Band, output: Band, tier: str) -> Answers:
        """What calls started within `at` are billed: one answer, or several where what is known leaves it open.

        `at` None: the calls have no timestamp and take the period in force at `as_of`. Calls from `as_of` on take
        the last period in force then.
        """
        if at is None:
            return self._in_period(entry, as_of, None, prompt, output, tier, ("priced_as_of",))
        if at.start >= as_of:
            return self._in_period(entry, as_of, at, prompt, output, tier, ("after_last_period",))
        pieces = _pieces(entry.periods, at, as_of)
        found = [self._in_period(entry, piece.start, piece, prompt, output, tier, ()) for piece in pieces]
        return found[0] if len(found) == 1 else distinct(answer for answers in found for answer in answers)

    def forward_cards(
        self, entry: Entry, *, at: Interval | None, as_of: int, prompt: Band, output: Band, tier: str
    ) -> Answers:
        """What such calls would be billed at the prices in force at `as_of`; clocks are read at the calls' own time."""
        return self._in_period(entry, as_of, at, prompt, output, tier, ())

    def _in_period(
        self,
        entry: Entry,
        instant: int,
        at: Interval | None,
        prompt: Band,
        output: Band,
        tier: str,
        assumptions: tuple[str, ...],
    ) -> Answers:
        """The answers of the period in force at `instant`; each situation is worked out once."""
        period = entry.period_at(instant)
        if period is None:
            return (_no_price(entry, instant),)
        when = moments(period, at)
        key = (period, when, prompt, output, tier, assumptions)
        if key not in self._known:
            doubt = "clock_unknown" if at is None else "calendar_not_covered"
            self._known[key] = distinct(answers_in(period, when, prompt, output, tier, assumptions, doubt))
        return self._known[key]

    def clock_conditions(self, entry: Entry, as_of: int) -> tuple[Clock, ...]:
        """The clocks that decide a forward price; calls on which they all agree cost the same at any time."""
        period = entry.period_at(as_of) if entry.has_clocks else None
        return period.clocks if period else ()

    def marks(self) -> Marks:
        """Where calls have to be cut apart so that all calls of a piece are billed alike, whatever the table."""
        return self._marks

    @cached_property
    def _marks(self) -> Marks:
        return marks_of(list(self.entries()), self._calendars, self.exchange_rates)

    def entries(self) -> Iterator[Entry]:
        """Every model of every table."""
        return (entry for table in self.tables.values() for entry in table.entries.values())

    def current_models(self, as_of: int) -> Iterator[Entry]:
        """The models that have a price at `as_of` (epoch seconds) and are not retired by then."""
        for entry in self.entries():
            retired = entry.retires is not None and entry.retires <= as_of
            if not retired and entry.period_at(as_of):
                yield entry

    def convert(self, amount: Decimal, currency: str, to: str, at: int) -> tuple[Decimal, FxRate]:
        """`amount` in the currency `to` at the rate in force at `at` (epoch seconds); 12 decimals, half-even."""
        return exchange.convert(amount, currency, to, at, self.exchange_rates)


def _pieces(periods: Sequence[Period], at: Interval, as_of: int) -> list[Interval]:
    """The interval cut where periods start and end; one that starts after `as_of` is not used."""
    edges = {edge for period in periods if period.start <= as_of for edge in (period.start, period.end)}
    cuts = [at.start, *sorted(edge for edge in edges if at.start < edge < at.end and edge <= as_of), at.end]
    return [Interval(start, end) for start, end in pairwise(cuts)]


def _no_price(entry: Entry, instant: int) -> Unpriced:
    name = f"{entry.provider}/{entry.id}"
    if not entry.periods or instant < entry.periods[0].start:
        return Unpriced("no_price_at_date", f"{name}: older than the first known price")
    if instant >= entry.periods[-1].end:
        return Unpriced("no_price_at_date", f"{name}: no price any more at that time")
    return Unpriced("no_price_at_date", f"{name}: no price known for that time")
