"""The records that leave this room: what a stretch of calls costs per token, or why that is not known."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from llmmigrate.units import CountClass, TokenClass


class Interval(NamedTuple):
    """Start instants of calls, in whole seconds since the Unix epoch, half-open."""

    start: int
    end: int


class Band(NamedTuple):
    """Token counts in `(above, upto]`; `upto` None has no end."""

    above: int
    upto: int | None


EVERY_SIZE = Band(-1, None)


class RateCard(msgspec.Struct, frozen=True):
    """The rates that one stretch of calls is billed at."""

    currency: str
    table: str
    """The provider whose table this is."""
    table_sha256: str
    model: str
    """The model's id in the table."""
    period: str
    """Names the dated period, such as `openai/o3@2025-06-10`."""
    rule: str
    """Which condition, band and service tier matched, in words."""
    source: str
    """Where the rates come from, grade first: A vendor, B two tables, C one table or an assumption."""
    rates: Mapping[TokenClass, Decimal]
    """Currency per 1M tokens, tier multipliers applied. A class that is absent has no known rate."""
    fees: Mapping[CountClass, Decimal]
    """Currency per piece."""
    multiplier: Decimal = Decimal(1)
    """Product of the named multipliers (discount, VAT, margin, settlement); applied to the whole amount, last."""
    assumptions: tuple[str, ...] = ()
    """Stable codes of what had to be assumed, such as `clock_unknown`."""


class Unpriced(msgspec.Struct, frozen=True):
    """Why there is no price; never to be read as 0."""

    reason: str
    """Stable code: unknown_model, no_table_for_provider, no_price_at_date, tier_without_rate, above_last_band,
    custom_model, free_route."""
    detail: str
    nearest: tuple[str, ...] = ()
    """Names that look alike; suggestions, never prices."""


Answer = RateCard | Unpriced


class Marks(NamedTuple):
    """Everything at which any loaded price can change: where calls have to be cut apart."""

    instants: tuple[int, ...]
    """Epoch seconds: starts and ends of periods, calendars and exchange rates."""
    clocks: tuple[tuple[str, int], ...]
    """(time zone, minute of the day): edges of clock windows and midnights of calendars and weekdays."""
    prompt: tuple[int, ...]
    """Token counts N where "more than N" differs from "at most N": thresholds, caps and context windows."""
    output: tuple[int, ...]


class FxRate(msgspec.Struct, frozen=True):
    """One unit of `base` is `rate` units of `quote`, from `start` (epoch seconds) until the next one."""

    base: str
    quote: str
    rate: Decimal
    start: int
    source: str
