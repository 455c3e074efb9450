"""The cost and the traffic of a plan, as they stand in its JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from llmmigrate.money import plain
from llmmigrate.serving.cost import HOURS_A_MONTH, Price, Rate, best_known, per_million
from llmmigrate.serving.engines import load_engine
from llmmigrate.serving.fit import Choice
from llmmigrate.serving.results import PlanCost, PlanRate, PlanTraffic
from llmmigrate.serving.traffic import Demand, a_month, break_even, machines_at_peak, use


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What the log's calls cost elsewhere, over its whole span, in USD; None where it is not known."""

    api: str | None = None
    api_cost: Decimal | None = None
    today: Decimal | None = None
    today_calls: int = 0
    """Calls that `today` covers; the others have no known price."""


def cost_record(choice: Choice, price: Price | None, rates: Sequence[Rate]) -> PlanCost:
    """The cost of a plan's devices by the hour, and of tokens at each rate."""
    hourly = price.usd * choice.pool.count if price is not None else None
    return PlanCost(
        currency="USD",
        gpu_hour=_text(price.usd if price is not None else None),
        gpu_hour_source=price.source if price is not None else None,
        devices=choice.pool.count,
        hour=_text(hourly),
        month=_text(hourly * HOURS_A_MONTH if hourly is not None else None),
        rates=[_rate_record(rate, hourly) for rate in rates],
    )


def _rate_record(rate: Rate, hourly: Decimal | None) -> PlanRate:
    def cost(per_second: Decimal | None) -> str | None:
        return _text(per_million(hourly, per_second) if hourly is not None else None)

    return PlanRate(
        basis=rate.basis,
        label=rate.label,
        source=rate.source,
        concurrency=rate.concurrency,
        input_tokens=rate.input_tokens,
        output_tokens=rate.output_tokens,
        output_per_second=_text(rate.output_per_second),
        tokens_per_second=_text(rate.tokens_per_second),
        cost_per_million_output=cost(rate.output_per_second),
        cost_per_million_tokens=cost(rate.tokens_per_second),
        cost_per_million_input_alone=cost(rate.alone_input_per_second),
        cost_per_million_output_alone=cost(rate.alone_output_per_second),
    )


def traffic_record(
    choice: Choice,
    demand: Demand,
    price: Price | None,
    rates: Sequence[Rate],
    compared: Compared,
    *,
    tools: bool | None,
) -> PlanTraffic:
    """How many such machines a log's traffic needs, how busy they are, and from which use on they pay."""
    rate = best_known(rates, load_engine(choice.engine).TITLE)
    by_rate = machines_at_peak(demand, rate) if rate is not None else None
    by_cache = _by_cache(choice, demand)
    needed = [number for number in (by_rate, by_cache) if number is not None]
    machines = max(needed) if by_rate is not None else None
    hourly = price.usd * choice.pool.count if price is not None else None
    used = use(demand, rate, machines) if rate is not None and machines is not None else None
    pays = None
    if rate is not None and hourly is not None and compared.api_cost is not None:
        pays = break_even(demand, rate, hourly, compared.api_cost)
    return PlanTraffic(
        calls=demand.calls,
        input_tokens=demand.input_tokens,
        output_tokens=demand.output_tokens,
        days=round(demand.seconds / 86_400, 3),
        tools=tools,
        peak_concurrency=None if demand.concurrency is None else round(demand.concurrency, 2),
        rate=f"{rate.basis}: {rate.label}" if rate is not None else None,
        machines=machines,
        machines_by_rate=by_rate,
        machines_by_cache=by_cache,
        use_low=float(used.low) if used is not None else None,
        use_high=float(used.high) if used is not None else None,
        month_cost=_text(hourly * HOURS_A_MONTH * machines if hourly is not None and machines is not None else None),
        api=compared.api,
        api_month_cost=_month(compared.api_cost, demand),
        today_month_cost=_month(compared.today, demand),
        today_priced_calls=compared.today_calls,
        break_even_use_low=float(pays.low) if pays is not None else None,
        break_even_use_high=float(pays.high) if pays is not None else None,
    )


def _by_cache(choice: Choice, demand: Demand) -> int | None:
    """Machines whose caches hold the requests of the peak, each of the mean length; None without latencies."""
    if demand.concurrency is None or not demand.calls:
        return None
    mean = max(1, math.ceil((demand.input_tokens + demand.output_tokens) / demand.calls))
    return max(1, math.ceil(demand.concurrency / max(1, choice.sequences(mean))))


def _month(cost: Decimal | None, demand: Demand) -> str | None:
    return _text(a_month(cost, demand) if cost is not None else None)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
