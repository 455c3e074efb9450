"""What a user asks of an estimate."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from llmmigrate.costing.assumptions import Ratio
from llmmigrate.costing.calibration import Calibration
from llmmigrate.costing.mix import Permits

KEEP: Final = "keep"
"""In a map, instead of a target: the model stays where it is."""


class Request(msgspec.Struct, frozen=True):
    """What a user asks of an estimate."""

    to: tuple[str, ...] = ()
    map: Mapping[str, str] = msgspec.field(default_factory=dict)
    by: tuple[str, ...] = ()
    share: Decimal = Decimal(1)
    cache: Decimal | None = None
    batch_share: Decimal = Decimal(0)
    as_of: int = 0
    """Epoch seconds; the rates of then, on both sides."""
    logged: bool = False
    """Each call at the rates of its own date instead, on both sides."""
    now: int = 0
    growth: Decimal | None = None
    currency: str = "USD"
    calibrations: tuple[Calibration, ...] = ()
    """Measured ratios; those of other models are refused."""
    counted: Mapping[tuple[str, str], Ratio] = msgspec.field(default_factory=dict)
    """By two tokenizers' names, the ratio of their tokens on the log's own text."""
    mix: bool = False
    """Add a row with the cheapest allowed target for each group of `by`."""
    mix_by: tuple[str, ...] = ()
    """Break the row of the mix down by these, in place of the parts that it is chosen for."""
    permits: Permits = Permits()
    """Which targets a mix may have for which part."""
    measured_cache: bool = False
    """Use the cached share that a calibration saw."""

    def at(self, now: int, counted: Mapping[tuple[str, str], Ratio]) -> "Request":
        """The same at this present, which is the date of the rates where none was named, and with counted ratios."""
        return msgspec.structs.replace(self, now=now, as_of=self.as_of or now, counted=counted)
