"""A model's dated prices, ready to be asked: periods in time, rows under conditions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from llmmigrate.prices.clock import Calendar, Clock, Edge, clock_from
from llmmigrate.prices.tables import PeriodSpec, TierSpec
from llmmigrate.units import CountClass, ServiceTier, TokenClass

FOREVER = 1 << 62


class Billing(msgspec.Struct, frozen=True, eq=False):
    """What all periods of one price file share: who bills, in what, with which factors."""

    provider: str
    currency: str
    sha256: str
    multiplier: Decimal
    multiplier_words: str


class Row(msgspec.Struct, frozen=True):
    """Rates and the condition under which they hold; `clock` None is any time."""

    clock: Clock | None
    prompt_above: int
    output_above: int
    rates: Mapping[TokenClass, Decimal]
    tiers: Mapping[ServiceTier, TierSpec]

    def words(self) -> str:
        """The condition in words, for people."""
        parts = [f"clock {self.clock.words}"] if self.clock else []
        parts += [f"prompt > {self.prompt_above}"] if self.prompt_above >= 0 else []
        parts += [f"output > {self.output_above}"] if self.output_above >= 0 else []
        return ", ".join(parts) or "base rates"


class Period(msgspec.Struct, frozen=True, eq=False):
    """Prices in force in [start, end), epoch seconds."""

    billing: Billing
    name: str
    start: int
    end: int
    rows: tuple[Row, ...]
    """Tried in order; the last one always holds."""
    fees: Mapping[CountClass, Decimal]
    prompt_upto: int | None
    or_because: str | None
    or_rates: Mapping[TokenClass, Decimal]
    announced: bool
    source: str
    note: str | None
    clocks: tuple[Clock, ...]
    """The clocks that decide here, each once."""
    edges: frozenset[Edge]
    """The minutes of the day at which these prices can change."""


def epoch(text: str) -> int:
    """Epoch seconds of a day (midnight UTC) or an instant with zone; ValueError for anything else."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        if len(text) > 10:
            raise ValueError(f"{text} has no time zone")
        at = at.replace(tzinfo=UTC)
    return int(at.timestamp())


def compile_periods(
    specs: Sequence[PeriodSpec], billing: Billing, model: str, calendars: dict[str, Calendar]
) -> tuple[Period, ...]:
    """The periods of one model in one file, in order of time; ends come from `to` or from the next start."""
    ordered = sorted(specs, key=lambda spec: epoch(spec.from_))
    starts = [epoch(spec.from_) for spec in ordered]
    ends = [*starts[1:], FOREVER]
    return tuple(
        _period(spec, start, min(end, epoch(spec.to)) if spec.to else end, billing, model, calendars)
        for spec, start, end in zip(ordered, starts, ends, strict=True)
    )


def _period(
    spec: PeriodSpec, start: int, end: int, billing: Billing, model: str, calendars: dict[str, Calendar]
) -> Period:
    rows = [
        Row(
            clock_from(row.when.clock, calendars) if row.when.clock else None,
            -1 if row.when.prompt_above is None else row.when.prompt_above,
            -1 if row.when.output_above is None else row.when.output_above,
            _with_reasoning(row.per_mtok),
            row.tiers,
        )
        for row in spec.rows
    ]
    clocks = tuple(dict.fromkeys(row.clock for row in rows if row.clock))
    base = Row(None, -1, -1, _with_reasoning(spec.per_mtok), spec.tiers)
    return Period(
        billing=billing,
        name=f"{billing.provider}/{model}@{spec.from_}",
        start=start,
        end=end,
        rows=(*rows, base),
        fees=spec.per_piece,
        prompt_upto=spec.prompt_upto,
        or_because=spec.or_.because if spec.or_ else None,
        or_rates=spec.or_.per_mtok if spec.or_ else {},
        announced=spec.announced,
        source=spec.source,
        note=spec.note,
        clocks=clocks,
        edges=frozenset(edge for clock in clocks for edge in clock.edges),
    )


def _with_reasoning(rates: Mapping[TokenClass, Decimal]) -> Mapping[TokenClass, Decimal]:
    """Hidden reasoning is billed as output unless the table says otherwise."""
    if "output" in rates and "reasoning" not in rates:
        return {**rates, "reasoning": rates["output"]}
    return rates


def tier_rates(rates: Mapping[TokenClass, Decimal], tier: TierSpec) -> Mapping[TokenClass, Decimal]:
    """The row's rates under a service tier: multiples where it gives factors, explicit rates where it gives rates."""
    times = tier.times
    if "output" in times and "reasoning" not in times:
        times = {**times, "reasoning": times["output"]}
    multiples = {name: rates[name] * factor for name, factor in times.items() if name in rates}
    return {**multiples, **_with_reasoning(tier.per_mtok)}


def overlay(below: Iterable[Period], above: Sequence[Period]) -> tuple[Period, ...]:
    """`above` where it has a price, `below` elsewhere: a contract leaves the time before it as it was."""
    kept = [piece for period in below for piece in _outside(period, above)]
    return tuple(sorted([*kept, *above], key=lambda period: period.start))


def _outside(period: Period, holes: Sequence[Period]) -> Iterator[Period]:
    start = period.start
    for hole in holes:
        if start < min(hole.start, period.end):
            yield msgspec.structs.replace(period, start=start, end=min(hole.start, period.end))
        start = max(start, hole.end)
    if start < period.end:
        yield msgspec.structs.replace(period, start=start)
