"""Two price tables, dates or files held against each other: what a model costs here and there."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from llmmigrate.errors import Location, PriceTableError
from llmmigrate.money import EXACT
from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.entries import Entry
from llmmigrate.prices.loading import load_catalog
from llmmigrate.units import TOKEN_CLASSES


class PriceSide(NamedTuple):
    """One side: the models of a table, and the instant of its rates (epoch seconds)."""

    name: str
    catalog: Catalog
    provider: str
    models: tuple[Entry, ...]
    at: int


class RateDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One class of tokens that costs something else: rates per 1M tokens, of A and of B in A's currency."""

    model: str
    other: str
    """The model's id on side B."""
    token_class: str
    a: str | None
    b: str | None
    change: float | None
    """B against A, as a part of A; null where one of them has no rate or A is free."""


class PriceDifferences(msgspec.Struct, frozen=True, kw_only=True):
    """Base rates of two tables: off-peak, lowest band, standard tier. `only_*`: models that the other lacks."""

    schema: Literal["llmmigrate.prices-diff/1"] = "llmmigrate.prices-diff/1"
    a: str
    b: str
    currency: str
    equal: int
    """Models with the same rates on both sides."""
    different: list[RateDifference]
    only_a: list[str]
    only_b: list[str]


def side_of_table(catalog: Catalog, provider: str, name: str, at: int) -> PriceSide:
    """All models of a table that have a price at `at`."""
    entries = (entry for entry in catalog.tables[provider].entries.values() if entry.period_at(at))
    return PriceSide(name, catalog, provider, tuple(entries), at)


def side_of_file(path: Path, name: str, at: int) -> PriceSide:
    """The models that a price file lists. PriceTableError for a broken one, or one without prices of tokens."""
    from llmmigrate.prices.files import read_price_file

    table = read_price_file(path).table
    if table is None:
        raise PriceTableError("this file holds exchange rates, no prices", where=Location(str(path)))
    catalog = load_catalog(extra=[path])
    entries = catalog.tables[table.provider].entries
    listed = (entries[model.id] for model in table.models if model.id in entries)
    return PriceSide(name, catalog, table.provider, tuple(e for e in listed if e.period_at(at)), at)


def differences(a: PriceSide, b: PriceSide) -> PriceDifferences:
    """What differs, model by model; a model of A is looked for by its id and names on side B."""
    currency = a.catalog.tables[a.provider].currency
    there = {entry.id: entry for entry in b.models}
    met: set[str] = set()
    found: list[RateDifference] = []
    equal, only = 0, []
    for entry in a.models:
        other = _same_model(entry, b, there)
        if other is None:
            only.append(entry.id)
            continue
        met.add(other.id)
        lines = list(_lines(entry, other, a, b, currency))
        found += lines
        equal += not lines
    return PriceDifferences(
        a=a.name, b=b.name, currency=currency, equal=equal, different=found,
        only_a=sorted(only), only_b=sorted(set(there) - met),
    )  # fmt: skip


def _same_model(entry: Entry, b: PriceSide, there: dict[str, Entry]) -> Entry | None:
    if entry.id in there:
        return there[entry.id]
    found = b.catalog.find(b.provider, entry.id)
    return there.get(found.id) if isinstance(found, Entry) and found.provider == b.provider else None


def _lines(entry: Entry, other: Entry, a: PriceSide, b: PriceSide, currency: str) -> Iterator[RateDifference]:
    ours, theirs = _rates(entry, a, currency), _rates(other, b, currency)
    for name in TOKEN_CLASSES:
        x, y = ours.get(name), theirs.get(name)
        if x == y or (name == "reasoning" and (x, y) == (ours.get("output"), theirs.get("output"))):
            continue  # reasoning is output nearly everywhere: it is told where it has a rate of its own
        change = None if x is None or y is None or not x else round(float((y - x) / x), 6)
        yield RateDifference(model=entry.id, other=other.id, token_class=name, a=_text(x), b=_text(y), change=change)


def _rates(entry: Entry, side: PriceSide, currency: str) -> dict[str, Decimal]:
    """The base rates with the table's own factors, in a currency."""
    period = entry.period_at(side.at)
    if period is None:
        return {}
    billing, row = period.billing, period.rows[-1]
    return {
        name: side.catalog.convert(EXACT.multiply(rate, billing.multiplier), billing.currency, currency, side.at)[0]
        for name, rate in row.rates.items()
    }


def _text(rate: Decimal | None) -> str | None:
    return None if rate is None else format(rate.normalize(), "f")
