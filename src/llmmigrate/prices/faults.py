"""What a price table can get wrong although it fits the schema."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from llmmigrate.money import plain
from llmmigrate.prices.clock import Calendar, calendar_from, clock_from
from llmmigrate.prices.diagnosis import Step
from llmmigrate.prices.periods import epoch
from llmmigrate.prices.tables import ExchangeTableSpec, ModelSpec, PeriodSpec, TableSpec, TierSpec
from llmmigrate.units import TOKEN_CLASSES, ServiceTier, TokenClass

FINEST_RATE = -6
"""Decimals of a rate per 1M tokens: 1e-12 of the currency per token is the smallest unit of money here."""
PER_TOKEN = Decimal("0.0001")
"""Below this a rate per 1M tokens is one per token: nobody sells 1M tokens for a hundredth of a cent."""
PER_BILLION = Decimal(10_000)
"""From this on a rate per 1M tokens in one of `DEAR` is one of more tokens: a cent a token is ten times the dearest."""
DEAR = frozenset({"USD", "EUR", "GBP", "CHF", "CNY"})
CHEAPEST = Decimal("0.002")
"""Below this a rate per 1M tokens in one of `DEAR` is one of fewer tokens: half of what the cheapest vendor asks."""
CACHED = frozenset(name for name in TOKEN_CLASSES if name.startswith("cache_"))
"""Classes that may be cheaper than that: a cached token is sold at a hundredth of a new one."""
JUMP = 200
"""A rate that is so many times another of the same model, or such a part of it, has lost its unit. Real prices changed
sixfold at most, those of a row or tier are up to 12 times the period's own, and those of two sellers up to 40 times."""
NOISE = Decimal("0.00001")
"""Relative: how near a rate of many digits is to one of four where a float has been at work (2.499999)."""
SLIP = "rates are per 1M tokens: multiply the price of one token by 1,000,000, that of 1,000 tokens by 1,000"

Steps = tuple[Step, ...]


class Fault(NamedTuple):
    """A broken rule, and the way to it from the top of the file."""

    steps: Steps
    what: str
    fix: str | None


def faults(spec: TableSpec) -> Iterator[Fault]:
    """Everything that makes a table unusable, in order of the file."""
    calendars: dict[str, Calendar] = {}
    for name, calendar in spec.calendars.items():
        try:
            calendars[name] = calendar_from(name, calendar)
        except (ValueError, KeyError) as error:
            yield Fault(("calendars", name), f"calendar '{name}': {error}", "write days as 2026-10-01..2026-10-07")
    yield from _factors(("multipliers",), spec.multipliers.items())
    if spec.settlement:
        yield from _factors(("settlement",), [("per_credit_usd", spec.settlement.per_credit_usd)])
    yield from _names(spec)
    for number, model in enumerate(spec.models):
        yield from _in_model(("models", number), model, calendars)
        yield from _slips(("models", number), model, spec.currency)


def exchange_faults(spec: ExchangeTableSpec) -> Iterator[Fault]:
    """Everything that makes a file of exchange rates unusable."""
    for number, rate in enumerate(spec.exchange_rates):
        steps = ("exchange_rates", number)
        yield from _factors(steps, [("rate", rate.rate)])
        yield from _dates(steps, {"from": rate.from_})


def _names(spec: TableSpec) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for number, model in enumerate(spec.models):
        for name in (model.id, *model.aliases):
            other = seen.setdefault(name.casefold(), model.id)
            if other != model.id or (name == model.id and _count(spec, name) > 1):
                what = f"the name '{name}' of {model.id} is already a name of {other}"
                yield Fault(("models", number, "id"), what, "a name leads to one model: remove one of the two")
        if model.aliases and not model.periods:
            what = f"the name '{model.aliases[0]}' leads to {model.id}, which has no price"
            yield Fault(("models", number, "aliases"), what, "give the model a period, or remove its names")


def _slips(steps: Steps, model: ModelSpec, currency: str) -> Iterator[Fault]:
    """Rates whose unit is wrong by the look of them, by what the model cost before, or by those beside them."""
    known: dict[TokenClass, Decimal] = {}
    for number, period in enumerate(model.periods):
        here = (*steps, "periods", number)
        own = dict(period.per_mtok)
        for name, rate in period.per_mtok.items():
            words = _slip(rate, currency, name) or _jump(rate, "after", known.get(name))
            if words:
                yield Fault((*here, "per_mtok", name), f"{name}: {words}", SLIP)
                del own[name]
        known |= {name: rate for name, rate in own.items() if is_rate(rate)}
        for place, rates in _further(here, period):
            for name, rate in rates.items():
                words = _slip(rate, currency, name) or _jump(rate, "beside", own.get(name))
                if words:
                    yield Fault((*place, name), f"{name}: {words}", SLIP)


def is_rate(rate: Decimal) -> bool:
    """Whether it is a price of 1M tokens at all: neither free, nor one that is told as what it is."""
    return rate.is_finite() and rate >= PER_TOKEN


def is_jump(rate: Decimal, other: Decimal) -> bool:
    """Whether two rates of one thing are too far apart to be in one unit."""
    return is_rate(rate) and is_rate(other) and not 1 / Decimal(JUMP) < rate / other < JUMP


def _slip(rate: Decimal, currency: str, name: TokenClass) -> str | None:
    """What is wrong with the size of a rate, None where nothing is."""
    if currency not in DEAR or not is_rate(rate):
        return None
    if rate >= PER_BILLION:
        return f"{rate:f} {currency} per 1M tokens is a cent a token or more"
    if rate < CHEAPEST and name not in CACHED:
        return f"{rate:f} {currency} per 1M tokens looks like a price of one token, or of 1,000"
    return None


def _jump(rate: Decimal, relation: str, other: Decimal | None) -> str | None:
    if other is None or not is_jump(rate, other):
        return None
    return f"{rate:f} {relation} {other:f} is a change by {JUMP} times or more"


def _further(steps: Steps, period: PeriodSpec) -> Iterator[tuple[Steps, Mapping[TokenClass, Decimal]]]:
    """The rates of a period beside its own: of tiers, of rows (sizes, clocks), and those that may hold too."""
    for name, tier in period.tiers.items():
        yield (*steps, "tiers", name, "per_mtok"), tier.per_mtok
    if period.or_:
        yield (*steps, "or", "per_mtok"), period.or_.per_mtok
    for number, row in enumerate(period.rows):
        here = (*steps, "rows", number)
        yield (*here, "per_mtok"), row.per_mtok
        for name, tier in row.tiers.items():
            yield (*here, "tiers", name, "per_mtok"), tier.per_mtok


def _count(spec: TableSpec, name: str) -> int:
    return Counter(model.id for model in spec.models)[name]


def _in_model(steps: Steps, model: ModelSpec, calendars: Mapping[str, Calendar]) -> Iterator[Fault]:
    if model.retires:
        yield from _dates(steps, {"retires": model.retires})
    bad_dates = []
    for number, period in enumerate(model.periods):
        here = (*steps, "periods", number)
        dates = {"from": period.from_} | ({"to": period.to} if period.to else {})
        bad_dates += list(_dates(here, dates))
        yield from _in_period(here, period, calendars)
    yield from bad_dates or _order(steps, model.periods)


def _order(steps: Steps, periods: list[PeriodSpec]) -> Iterator[Fault]:
    numbered = sorted(enumerate(periods), key=lambda item: epoch(item[1].from_))
    for number, period in numbered:
        if period.to and epoch(period.to) <= epoch(period.from_):
            yield Fault((*steps, "periods", number, "to"), "the period ends before it starts", "put `to` after `from`")
    for (_, before), (number, after) in pairwise(numbered):
        if epoch(before.to or before.from_) > epoch(after.from_) or before.from_ == after.from_:
            what = f"overlaps the period from {before.from_}"
            yield Fault((*steps, "periods", number, "from"), what, "let one period end where the next one starts")


def _in_period(steps: Steps, period: PeriodSpec, calendars: Mapping[str, Calendar]) -> Iterator[Fault]:
    yield from _source(steps, period.source)
    yield from _rates((*steps, "per_mtok"), period.per_mtok)
    yield from _tiers(steps, period.tiers, period.per_mtok)
    if period.or_:
        yield from _rates((*steps, "or", "per_mtok"), period.or_.per_mtok)
    yield from _numbers((*steps, "per_piece"), period.per_piece.items())
    for number, row in enumerate(period.rows):
        here = (*steps, "rows", number)
        yield from _rates((*here, "per_mtok"), row.per_mtok)
        yield from _tiers(here, row.tiers, row.per_mtok)
        if row.when.clock:
            try:
                clock_from(row.when.clock, dict(calendars))
            except KeyError as error:
                yield Fault((*here, "when"), f"unknown time zone or calendar {error}", "name one of `calendars:`")
            except ValueError as error:
                yield Fault((*here, "when"), f"clock: {error}", 'write hours as "09:00-12:00"')
    yield from _shadowed(steps, period)


def _source(steps: Steps, source: str) -> Iterator[Fault]:
    """A grade without anything that it was given to."""
    if not any(letter.isalnum() for letter in source[1:]):
        yield Fault((*steps, "source"), f"source: '{source}' names no source", 'write "B: where it was read"')


def _shadowed(steps: Steps, period: PeriodSpec) -> Iterator[Fault]:
    """A row that an earlier one always beats: the first that holds wins, so larger thresholds come first."""
    for number, row in enumerate(period.rows):
        for earlier in period.rows[:number]:
            if earlier.when.clock in (None, row.when.clock) and all(
                (getattr(earlier.when, side) or -1) <= (getattr(row.when, side) or -1)
                for side in ("prompt_above", "output_above")
            ):
                what = "this row is never reached: an earlier one holds for all of it"
                yield Fault((*steps, "rows", number), what, "put the larger threshold first")


def _tiers(steps: Steps, tiers: Mapping[ServiceTier, TierSpec], rates: Mapping[TokenClass, Decimal]) -> Iterator[Fault]:
    for name, tier in tiers.items():
        here = (*steps, "tiers", name)
        yield from _rates((*here, "per_mtok"), tier.per_mtok)
        yield from _numbers((*here, "times"), tier.times.items())
        for factor_of, factor in tier.times.items():
            if factor.is_finite() and factor > 0 and not 1 / Decimal(JUMP) < factor < JUMP:
                what = f"{factor_of}: {factor:f} times the rate is a change by {JUMP} times or more"
                yield Fault((*here, "times", factor_of), what, 'write a factor, such as "0.5" for half the rate')
        for absent in tier.times.keys() - rates.keys():
            yield Fault((*here, "times"), f"'{absent}' has no rate to multiply", "give it a rate, or remove the factor")


def _rates(steps: Steps, rates: Mapping[TokenClass, Decimal]) -> Iterator[Fault]:
    yield from _numbers(steps, rates.items())
    for name, rate in rates.items():
        if not rate.is_finite():
            continue
        if 0 < rate < PER_TOKEN:
            yield Fault((*steps, name), f"{name}: {rate:f} per 1M tokens looks like a price per token", SLIP)
        elif _is_noisy(rate):
            what = f"{name}: {rate:f} is {_short(rate):f} with the noise of a float"
            yield Fault((*steps, name), what, f'write "{_short(rate):f}"')
        elif int(rate.normalize().as_tuple().exponent) < FINEST_RATE:
            what = f"{name}: {rate:f} is finer than a millionth of a millionth per token"
            yield Fault((*steps, name), what, "write at most 6 decimals")


def _is_noisy(rate: Decimal) -> bool:
    return rate > 0 and 0 < abs(rate - _short(rate)) < rate * NOISE


def _short(rate: Decimal) -> Decimal:
    """The rate with four significant digits and no zeros behind them."""
    return Decimal(plain(round(rate, 3 - rate.adjusted())))


def _numbers(steps: Steps, numbers: Iterable[tuple[str, Decimal]]) -> Iterator[Fault]:
    for name, number in numbers:
        if not number.is_finite() or number < 0:
            yield Fault((*steps, name), f"{name}: {number} is not a price", 'write 0 or more, such as "2.50"')


def _factors(steps: Steps, numbers: Iterable[tuple[str, Decimal]]) -> Iterator[Fault]:
    for name, number in numbers:
        if not number.is_finite() or number <= 0:
            yield Fault((*steps, name), f"{name}: {number} is not a factor", 'write a number above 0, such as "1.13"')


def _dates(steps: Steps, texts: Mapping[str, str]) -> Iterator[Fault]:
    for name, text in texts.items():
        try:
            epoch(text)
        except ValueError as error:
            yield Fault((*steps, name), f"{name}: '{text}' is not a date ({error})", "write 2026-08-22T16:00:00Z")


def gaps(model: ModelSpec) -> Iterable[tuple[int, str, str]]:
    """Stretches without a price between two periods that nobody declared: period number, start and end."""
    numbered = sorted(enumerate(model.periods), key=lambda item: epoch(item[1].from_))
    for (number, before), (_, after) in pairwise(numbered):
        if before.to and epoch(before.to) < epoch(after.from_) and not before.gap_after:
            yield number, before.to, after.from_
