"""Where new prices come from: one file a source, each turns a package of price data into tables of our own form.

A source is a module with the constants and the function of `PriceSource`; another package can add one with an entry
point in the group `llmmigrate.prices.updates`. Packages are read as data: nothing in them is ever imported or run.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from llmmigrate import registry
from llmmigrate.errors import unknown_name
from llmmigrate.prices.tables import TableSpec
from llmmigrate.units import TokenClass

ROOM: Final = "prices.updates"


class ClockRates(NamedTuple):
    """USD per 1M tokens at the cheapest and at the dearest time of the day."""

    base: Mapping[TokenClass, Decimal]
    peak: Mapping[TokenClass, Decimal]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a source says about prices, in our form: every price is in force from the day of observation on."""

    tables: Sequence[TableSpec]
    left_out: Mapping[str, Sequence[str]]
    """Provider → models that our classes cannot express."""
    by_clock: Mapping[str, ClockRates] = {}
    """Provider/model → what it costs off-peak and at the peak; such models are not in the tables."""


class PriceSource(Protocol):
    """One source of prices."""

    PACKAGE: str
    """Its name on the package index, and what the tables call it."""
    MEMBER: str
    """The file in its wheel that holds the prices."""
    URL: str
    PROVIDERS: Mapping[str, str]
    """Its names of the providers that are known here → ours."""
    LICENCE: str
    """The licence in a line, where no wheel with the whole text is at hand."""

    def parse(self, data: bytes, *, code: bool) -> Any:
        """The data of the file in a wheel (`code`) or of a JSON file, as plain values. ValueError for anything else."""

    def snapshot(self, found: Any, version: str, observed: date) -> Snapshot:
        """The data in our form. KeyError, TypeError, AttributeError or ValueError where it has another form."""


def source_names() -> list[str]:
    """The names that `prices update --source` takes."""
    return [name.replace("_", "-") for name in registry.names(ROOM)]


def source_named(name: str) -> PriceSource:
    """The source of that name. UnknownNameError where there is none."""
    if name not in source_names():
        raise unknown_name("price source", name, source_names())
    found: PriceSource = registry.load(ROOM, name.replace("-", "_"))
    return found
