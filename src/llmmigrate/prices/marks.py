"""Where prices can change: the cuts that make a profile's cells priceable as one."""

from collections.abc import Iterable, Iterator, Sequence

from llmmigrate.prices.cards import FxRate, Marks
from llmmigrate.prices.clock import Calendar, Edge, calendar_instants, clock_from, irregular_instants
from llmmigrate.prices.entries import Entry, Listing
from llmmigrate.prices.periods import epoch


def marks_of(entries: Sequence[Entry], calendars: Iterable[Calendar], fx: Iterable[FxRate]) -> Marks:
    """The marks of all entries, read from their listings: compiling every period for this would cost far more."""
    listings = [listing for entry in entries for listing in entry.listings]
    edges = {edge for listing in listings for edge in _edges(listing)}
    instants = {epoch(text) for text in {text for listing in listings for text in _instants(listing)}}
    instants.update(at for calendar in calendars for at in calendar_instants(calendar))
    instants.update(rate.start for rate in fx)
    instants.update(irregular_instants(edges))
    # imported windows are many and rarely asked for: as marks they would only multiply every profile's cells
    prompt = {entry.context_window for entry in entries if entry.context_window and not entry.imported}
    prompt.update(size for listing in listings for size in _prompt_sizes(listing))
    output = {size for listing in listings for size in _output_sizes(listing)}
    return Marks(tuple(sorted(instants)), tuple(sorted(edges)), tuple(sorted(prompt)), tuple(sorted(output)))


def _instants(listing: Listing) -> Iterator[str]:
    for period in listing.model.periods:
        yield period.from_
        if period.to:
            yield period.to


def _edges(listing: Listing) -> Iterator[Edge]:
    for period in listing.model.periods:
        for row in period.rows:
            if row.when.clock:
                yield from clock_from(row.when.clock, listing.calendars).edges


def _prompt_sizes(listing: Listing) -> Iterator[int]:
    for period in listing.model.periods:
        if period.prompt_upto is not None:
            yield period.prompt_upto
        yield from (row.when.prompt_above for row in period.rows if row.when.prompt_above is not None)


def _output_sizes(listing: Listing) -> Iterator[int]:
    for period in listing.model.periods:
        yield from (row.when.output_above for row in period.rows if row.when.output_above is not None)
