"""Our tables against what price libraries say: which rates are contradicted, and whether that is explained."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.entries import Entry
from llmmigrate.prices.explained import Explanations
from llmmigrate.prices.names import folded
from llmmigrate.prices.periods import Period
from llmmigrate.prices.rates import Rates, peak_rates_of, rates_of, rates_of_spec
from llmmigrate.prices.tables import ModelSpec
from llmmigrate.prices.updates import Snapshot


class Held(NamedTuple):
    """One rate of ours and what the libraries say of it."""

    model: str
    """As provider/model."""
    rate: str
    ours: Decimal
    said: Mapping[str, Decimal | None]
    """Source → rate; None where it says nothing."""
    why: Mapping[str, str | None]
    """Source that says something else → why we stay; None where nothing explains it."""

    @property
    def by_all(self) -> bool:
        """Whether every library says something else."""
        return all(rate not in (None, self.ours) for rate in self.said.values())

    @property
    def unexplained(self) -> bool:
        """Whether a library says something else and nothing explains it."""
        return None in self.why.values()


def held_against(
    catalog: Catalog, snapshots: Mapping[str, Snapshot], at: int, explanations: Explanations
) -> list[Held]:
    """Every rate in force at `at` (epoch seconds) of the tables kept by hand in USD, with the libraries' rates."""
    libraries = {name: _Library(snapshot) for name, snapshot in snapshots.items()}
    found = []
    for table in catalog.tables.values():
        for entry in table.entries.values() if table.layer == "own" else ():
            period = entry.period_at(at)
            if period and period.billing.currency == "USD" and _is_listed(snapshots, entry):
                found += list(_held(entry, period, libraries, explanations))
    return found


def idle(found: Sequence[Held], explanations: Explanations) -> set[tuple[str, str, str]]:
    """Explanations of what no library says any more: (source, provider/model, rate)."""
    used = {(source, each.model, each.rate) for each in found for source, why in each.why.items() if why}
    return explanations.figures() - used


class _Library:
    """What one library says, by provider and name."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._models: dict[tuple[str, str], ModelSpec] = {}
        for table in snapshot.tables:
            for model in table.models:
                self._models[table.provider, folded(model.id)] = model
        self._by_clock = {folded(name): rates for name, rates in snapshot.by_clock.items()}

    def rates(self, provider: str, name: str) -> Rates:
        """All rates of a model, off-peak ones as if they were the only ones, and the peak's."""
        hours = self._by_clock.get(f"{provider}/{folded(name)}")
        if hours:
            peak = {f"peak {token_class}": rate for token_class, rate in hours.peak.items()}
            return peak | dict(hours.base.items())
        model = self._models.get((provider, folded(name)))
        return rates_of_spec(model.periods[0]) if model else {}


def _is_listed(snapshots: Mapping[str, Snapshot], entry: Entry) -> bool:
    """Whether any library has the provider at all: none lists relays."""
    return any(table.provider == entry.provider for snapshot in snapshots.values() for table in snapshot.tables)


def _held(
    entry: Entry, period: Period, libraries: Mapping[str, _Library], explanations: Explanations
) -> Iterator[Held]:
    """Each rate under each name of the model that a library lists."""
    ours = {**rates_of(period), **peak_rates_of(period)}
    model = f"{entry.provider}/{entry.id}"
    names = [entry.id, *(alias for listing in entry.listings for alias in listing.model.aliases if "*" not in alias)]
    by_name = [{source: library.rates(entry.provider, name) for source, library in libraries.items()} for name in names]
    for rate, figure in ours.items():
        if rate.startswith("clock "):
            continue  # libraries know hours in UTC and no calendar: they are held against the peak
        said = {source: _other_first(figure, [each[source].get(rate) for each in by_name]) for source in libraries}
        why = {
            source: explanations.why(source, model, rate, other)
            for source, other in said.items()
            if other is not None and other != figure
        }
        yield Held(model, rate, figure, said, why)


def _other_first(ours: Decimal, said: Sequence[Decimal | None]) -> Decimal | None:
    """What a library says under any of the names: a contradiction, if there is one."""
    stated = [rate for rate in said if rate is not None]
    return next((rate for rate in stated if rate != ours), stated[0] if stated else None)
