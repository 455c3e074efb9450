"""Models that can be billed, and the tables that list them."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import msgspec

from llmmigrate.prices.clock import Calendar
from llmmigrate.prices.periods import Billing, Period, compile_periods, epoch, overlay
from llmmigrate.prices.tables import Ability, ApiSpec, BehaviourSpec, CapabilityTier, ModelSpec

Layer = Literal["own", "imported", "user"]


class Listing(msgspec.Struct, frozen=True, eq=False):
    """A model as one price file lists it."""

    model: ModelSpec
    billing: Billing
    calendars: dict[str, Calendar]

    def periods(self) -> tuple[Period, ...]:
        """The listed periods, in order of time."""
        return compile_periods(self.model.periods, self.billing, self.model.id, self.calendars)


class Entry(msgspec.Struct, frozen=True, eq=False, dict=True):
    """One model of one provider. Later listings win where they have a price."""

    provider: str
    id: str
    imported: bool
    listings: tuple[Listing, ...]

    @property
    def model(self) -> ModelSpec:
        """The facts as the last listing states them."""
        return self.listings[-1].model

    @cached_property
    def context_window(self) -> int | None:
        """Tokens of prompt and output together; None where it is not known."""
        found: int | None = self._fact("context_window")
        return found

    @cached_property
    def max_output(self) -> int | None:
        """The most tokens that one reply can have; None where it is not known."""
        found: int | None = self._fact("max_output")
        return found

    @cached_property
    def capability_tier(self) -> CapabilityTier | None:
        """frontier, mid or small, as docs/price-tables.md draws the line; None where nobody judged."""
        found: CapabilityTier | None = self._fact("capability_tier")
        return found

    @cached_property
    def tokenizer(self) -> str | None:
        """The name of the tokenizer, where it is known."""
        found: str | None = self._fact("tokenizer")
        return found

    @cached_property
    def capabilities(self) -> tuple[Ability, ...]:
        """What the model can do, such as `tools` and `vision`."""
        return tuple(self._fact("capabilities") or ())

    @cached_property
    def behaviour(self) -> BehaviourSpec | None:
        """What requests to this model may ask for, as far as it differs from its provider's."""
        found: BehaviourSpec | None = self._fact("behaviour")
        return found

    @cached_property
    def periods(self) -> tuple[Period, ...]:
        """Prices in order of time; gaps are unpriced."""
        periods: tuple[Period, ...] = ()
        for listing in self.listings:
            periods = overlay(periods, listing.periods())
        return periods

    @property
    def has_clocks(self) -> bool:
        """Whether any of its prices ever depended on the time of day; periods need not be compiled to know that."""
        periods = (period for listing in self.listings for period in listing.model.periods)
        return any(row.when.clock for period in periods for row in period.rows)

    @cached_property
    def retires(self) -> int | None:
        """Epoch seconds from which the model is no candidate any more."""
        retires: str | None = self._fact("retires")
        return epoch(retires) if retires else None

    def period_at(self, instant: int) -> Period | None:
        """The period in force at `instant` (epoch seconds)."""
        return next((period for period in self.periods if period.start <= instant < period.end), None)

    def _fact(self, name: str) -> Any:
        """The newest listing's word: a contract rarely repeats a context window."""
        facts = (getattr(listing.model, name) for listing in reversed(self.listings))
        return next((fact for fact in facts if fact), None)


class Table(msgspec.Struct, frozen=True, eq=False):
    """A provider's prices from one or more files."""

    provider: str
    name: str
    bare_names: bool
    layer: Layer
    currency: str
    checked: str | None
    """The day on which the table was last compared with its sources."""
    sha256: str
    files: tuple[str, ...]
    api: ApiSpec | None
    prefixes: tuple[str, ...]
    entries: Mapping[str, Entry]
    """By id as written in the table."""
