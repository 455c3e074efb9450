"""Which rates hold: a period, a stretch of time, size bands and a service tier become rate cards."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from llmmigrate.prices.cards import Answer, Band, Interval, RateCard, Unpriced
from llmmigrate.prices.clock import edges_within
from llmmigrate.prices.periods import Period, Row, tier_rates
from llmmigrate.units import CountClass, TokenClass

Assumptions = tuple[str, ...]


Moment = tuple[bool | None, ...]
"""What each clock of a period says at some time; None where it is not known."""


def moments(period: Period, at: Interval | None) -> tuple[Moment, ...]:
    """Everything that the period's clocks say in a stretch of time; `at` None is a time of which nothing is known."""
    if at is None:
        return ((None,) * len(period.clocks),)
    if not period.clocks:
        return ((),)
    instants = [at.start, *edges_within(period.edges, *at)]
    return tuple(dict.fromkeys(tuple(clock.holds(instant) for clock in period.clocks) for instant in instants))


def answers_in(
    period: Period, when: Sequence[Moment], prompt: Band, output: Band, tier: str, assumptions: Assumptions, doubt: str
) -> Iterator[Answer]:
    """Everything that calls with these properties can cost in one period, repeats included.

    `doubt` is the assumption code for a clock that says nothing.
    """
    for prompt_tokens in _sizes(prompt, (period.prompt_upto, *(row.prompt_above for row in period.rows))):
        if period.prompt_upto is not None and prompt_tokens > period.prompt_upto:
            yield _above_last_band(period)
            continue
        for output_tokens in _sizes(output, (row.output_above for row in period.rows)):
            for moment in when:
                for row, why in _matching_rows(period, moment, prompt_tokens, output_tokens, doubt):
                    yield from _priced(period, row, tier, assumptions + why)


def distinct(answers: Iterator[Answer]) -> tuple[Answer, ...]:
    """The answers that differ in what a call costs; of equal ones the one with the fewest assumptions."""
    found: dict[object, Answer] = {}
    for answer in answers:
        key = _key(answer)
        if key not in found or _doubts(answer) < _doubts(found[key]):
            found[key] = answer
    return tuple(found.values())


def _key(answer: Answer) -> object:
    if isinstance(answer, Unpriced):
        return answer.reason
    rates, fees = frozenset(answer.rates.items()), frozenset(answer.fees.items())
    return answer.currency, rates, fees, answer.multiplier


def _doubts(answer: Answer) -> int:
    return len(answer.assumptions) if isinstance(answer, RateCard) else 0


def _sizes(band: Band, marks: Iterable[int | None]) -> list[int]:
    """One token count of every stretch of the band in which the prices are the same."""
    inside = {m for m in marks if m is not None and band.above < m and (band.upto is None or m < band.upto)}
    return [band.above + 1, *(mark + 1 for mark in sorted(inside))]


def _matching_rows(
    period: Period, moment: Moment, prompt: int, output: int, doubt: str
) -> Iterator[tuple[Row, Assumptions]]:
    """The first row that holds; before it, every row that may hold for all that is known."""
    why: Assumptions = ()
    for row in period.rows:
        if prompt <= row.prompt_above or output <= row.output_above:
            continue
        holds = True if row.clock is None else moment[period.clocks.index(row.clock)]
        if holds is None:
            why = (doubt,)
        if holds is not False:
            yield row, why
        if holds:
            return


def _priced(period: Period, row: Row, tier: str, assumptions: Assumptions) -> Iterator[Answer]:
    rates, source = row.rates, period.source
    words = row.words()
    if tier != "standard":
        spec = row.tiers.get(tier)  # type: ignore[call-overload]
        if spec is None:
            yield Unpriced("tier_without_rate", f"{period.name}: no rate for tier '{tier}' ({words})")
            return
        rates, source = tier_rates(rates, spec), spec.source or source
        words = f"{words}, tier {tier}"
    if period.announced:
        assumptions += ("announced",)
    if period.or_because and tier == "standard":
        assumptions += (period.or_because,)
        other = {**rates, **period.or_rates}
        yield _card(period, other, f"{words}, the dearer reading", source, assumptions)
    yield _card(period, rates, words, source, assumptions)


def _card(
    period: Period, rates: Mapping[TokenClass, Decimal], words: str, source: str, assumptions: Assumptions
) -> RateCard:
    billing = period.billing
    fees: Mapping[CountClass, Decimal] = period.fees
    return RateCard(
        currency=billing.currency,
        table=billing.provider,
        table_sha256=billing.sha256,
        model=period.name.partition("/")[2].rpartition("@")[0],
        period=period.name,
        rule=f"{words}{billing.multiplier_words}",
        source=source,
        rates=rates,
        fees=fees,
        multiplier=billing.multiplier,
        assumptions=tuple(dict.fromkeys(assumptions)),
    )


def _above_last_band(period: Period) -> Unpriced:
    return Unpriced("above_last_band", f"{period.name}: no rate for prompts above {period.prompt_upto} tokens")
