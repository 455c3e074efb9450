"""What a log's traffic asks of a machine: hours of work, machines at its peaks, and from which use on it pays.

A rate is known for one mixture of input and output. Where the times of both add up, traffic of another mixture takes
between the smaller and the larger of `input / input rate` and `output / output rate`: its time is a weighted mean of
the two. A rate that was measured apart for input and output gives one figure.
"""

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final, NamedTuple

from llmmigrate.serving.cost import HOURS_A_MONTH, Rate
from llmmigrate.usage.profile import QUARTER_HOUR, Profile

PEAK: Final = 0.99
_SIX: Final = Context(prec=6, rounding=ROUND_HALF_EVEN)


class Span(NamedTuple):
    """A figure between two bounds, which are the same where it is known."""

    low: Decimal
    high: Decimal


class Demand(NamedTuple):
    """What the calls of a log ask for. `quarters`: the input and output tokens of every quarter of an hour."""

    calls: int
    input_tokens: int
    output_tokens: int
    seconds: int
    """From the first quarter to the last, both included."""
    quarters: Sequence[tuple[int, int]]
    concurrency: float | None
    """Requests at one time in the fullest of 100 quarters; None where the log has no latencies."""


def demand_of(profile: Profile) -> Demand | None:
    """The demand of a profile's calls with a timestamp; None without any."""
    if not profile.load:
        return None
    first, last = min(profile.load), max(profile.load)
    count = (last - first) // QUARTER_HOUR + 1
    busy = [(sums[1], sums[2]) for sums in profile.load.values()]
    idle = count - len(busy)
    concurrent = [sums[3] / (QUARTER_HOUR * 1000) for sums in profile.load.values()]
    calls, tokens_in, tokens_out, running = (sum(sums[place] for sums in profile.load.values()) for place in range(4))
    return Demand(
        calls=calls,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        seconds=count * QUARTER_HOUR,
        quarters=[*busy, *[(0, 0)] * idle],
        concurrency=_at_peak([*concurrent, *[0.0] * idle]) if running else None,
    )


def hours(input_tokens: int, output_tokens: int, rate: Rate) -> Span | None:
    """Hours of work of one machine for so many tokens; None for a rate that does not tell input from output."""
    if rate.alone_input_per_second and rate.alone_output_per_second:
        apart = input_tokens / rate.alone_input_per_second + output_tokens / rate.alone_output_per_second
        return Span(apart / 3600, apart / 3600)
    if not rate.input_per_second or not rate.output_per_second:
        return None
    both = sorted((input_tokens / rate.input_per_second, output_tokens / rate.output_per_second))
    return Span(both[0] / 3600, both[1] / 3600)


def machines_at_peak(demand: Demand, rate: Rate) -> int | None:
    """Machines that carry the work of the fullest of 100 quarters of an hour, reckoned with the larger bound."""
    found = [hours(tokens_in, tokens_out, rate) for tokens_in, tokens_out in demand.quarters]
    loads = [float(span.high) * 3600 / QUARTER_HOUR for span in found if span is not None]
    return max(1, math.ceil(_at_peak(loads))) if loads else None


def use(demand: Demand, rate: Rate, machines: int) -> Span | None:
    """The part of the machines' time that the traffic needs."""
    work = hours(demand.input_tokens, demand.output_tokens, rate)
    if work is None:
        return None
    there = Decimal(demand.seconds) / 3600 * machines
    return Span(_SIX.divide(work.low, there), _SIX.divide(work.high, there))


def break_even(demand: Demand, rate: Rate, hourly: Decimal, api_cost: Decimal) -> Span | None:
    """The use from which on a machine costs less than the API does for the same tokens; above 1: never."""
    work = hours(demand.input_tokens, demand.output_tokens, rate)
    if work is None or not api_cost:
        return None
    return Span(_SIX.divide(work.low * hourly, api_cost), _SIX.divide(work.high * hourly, api_cost))


def a_month(cost: Decimal, demand: Demand) -> Decimal | None:
    """A cost of the log's span as one of a month at the same pace; None for less than a day, which says too little."""
    if demand.seconds < 86_400:
        return None
    return _SIX.divide(cost * HOURS_A_MONTH * 3600, Decimal(demand.seconds))


def _at_peak(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[max(0, math.ceil(PEAK * len(ordered)) - 1)]
