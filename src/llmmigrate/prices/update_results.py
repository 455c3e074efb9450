"""What `prices update` did or would do, as it is told."""

from typing import Literal

import msgspec


class RateChange(msgspec.Struct, frozen=True, kw_only=True):
    """One rate that becomes another one; per 1M tokens. `before` or `after` None: no such rate."""

    model: str
    """As provider/model."""
    rate: str
    before: str | None
    after: str | None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What is not believed without `--accept`."""

    model: str
    why: str


class Addition(msgspec.Struct, frozen=True, kw_only=True):
    """A model, or a price that is announced, which no table had."""

    model: str
    start: str
    input: str | None
    output: str | None


class LeftAlone(msgspec.Struct, frozen=True, kw_only=True):
    """A price that the source states otherwise and that stays."""

    model: str
    why: str


class PriceUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot of a source against the tables."""

    schema: Literal["llmmigrate.prices-update/1"] = "llmmigrate.prices-update/1"
    source: str
    version: str
    observed: str
    """The day from which changed rates hold."""
    directory: str
    dry_run: bool
    currency: Literal["USD"] = "USD"
    changed: list[RateChange]
    added: list[Addition]
    gone: list[str]
    """Models that the source dropped and that stay, as was accepted; they are no candidates any more."""
    left: list[LeftAlone]
    refused: list[Refusal]
    files: list[str]
    """What was written, or would be. Empty where something is refused."""
