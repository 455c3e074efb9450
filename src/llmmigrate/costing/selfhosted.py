"""A machine instead of tokens: `self-hosted/MODEL@COUNTxGPU`, sized for the log's peak, priced by the hour.

A published throughput says how many input and output tokens a second a machine makes at one time. What the log's mix of
tokens asks of it is the larger of the two loads:

    utilisation = max(input tokens/s ÷ input rate, output tokens/s ÷ output rate)

Enough machines are taken for the busiest quarter of an hour of the log; they are paid for all hours.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import TYPE_CHECKING, Final, NamedTuple

from llmmigrate.costing import results
from llmmigrate.costing.assumptions import OTHER, Ratio
from llmmigrate.costing.potential import MachinePlan, Utilisation
from llmmigrate.errors import InputError, UsageError, unknown_name
from llmmigrate.money import plain
from llmmigrate.prices.loading import bundled_directory
from llmmigrate.usage.profile import QUARTER_HOUR, Profile

if TYPE_CHECKING:
    from llmmigrate.prices.self_hosted import GpuHour, SelfHosted, Throughput

PREFIX: Final = "self-hosted/"
HOURS_A_MONTH: Final = Decimal("730.5")
"""A twelfth of 365.25 days, as in projections."""
UTILISATIONS: Final = (Decimal("0.05"), Decimal("0.25"), Decimal("0.50"), Decimal(1))
_NAME: Final = re.compile(r"(?P<model>[^@]+)@(?P<count>[1-9][0-9]{0,3})x(?P<hardware>[A-Za-z0-9_-]+)", re.ASCII)
_MILLION: Final = Decimal(1_000_000)
_SIX: Final = Decimal("0.000001")
_DIGITS: Final = 40


class Machine(NamedTuple):
    """A named machine, its price by the hour and its published throughput."""

    name: str
    model: str
    gpus: int
    price: "GpuHour"
    throughput: "Throughput"
    output_rate: Decimal


class Load(NamedTuple):
    """Tokens a second, input and output."""

    input: Decimal
    output: Decimal

    def times(self, factor: Decimal) -> "Load":
        """Every token counted so many times."""
        return Load(self.input * factor, self.output * factor)


class Today(NamedTuple):
    """What the machine is held against: today's cost of the log and its span."""

    cost: Decimal | None
    calls: int
    sources: Sequence[str]
    models: Sequence[str]
    days: Decimal
    share: Decimal
    """The part of the traffic that moves."""


def is_machine(name: str) -> bool:
    """Whether a target is a machine."""
    return name.startswith(PREFIX)


def machine_rows(names: Sequence[str], profile: Profile, today: Today, currency: str) -> list[results.EstimateTarget]:
    """The rows of named machines, by the table of hours and throughputs that comes with the package."""
    from llmmigrate.prices.self_hosted import FILE_NAME, read_self_hosted  # few ask for a machine

    table = read_self_hosted(bundled_directory() / FILE_NAME)
    return [machine_target(machine_of(name, table), profile, today, currency) for name in names]


def machine_of(name: str, table: "SelfHosted") -> Machine:
    """The machine that a target names; an error where it is written otherwise, has no price or no throughput."""
    match = _NAME.fullmatch(name.removeprefix(PREFIX))
    if match is None:
        raise UsageError(f"'{name}' names no machine", fix=f"write {PREFIX}glm-5@8xH200: model, how many, which GPU")
    model, count, hardware = match["model"], int(match["count"]), match["hardware"].lower()
    price = table.gpu_hour(hardware)
    if price is None:
        raise unknown_name("GPU", hardware, {entry.hardware for entry in table.gpu_hours})
    best = _fastest(table, model, hardware, count)
    if best is None or best.output_per_second is None:
        known = sorted(
            {f"{e.model}@{e.count}x{e.hardware}" for e in table.throughputs if e.output_per_second is not None}
        )
        raise InputError(
            f"nobody has published how fast {model} is on {count} × {hardware}",
            why=f"published: {', '.join(known)}",
            fix="take one of these, or measure: llmmigrate serve-local --measure",
        )
    return Machine(name, model, count, price, best, best.output_per_second)


def _fastest(table: "SelfHosted", model: str, hardware: str, count: int) -> "Throughput | None":
    """The most output tokens a second that was published, of those that tell the input rate, too, where one does."""
    fitting = [
        entry
        for entry in table.throughputs
        if (entry.model, entry.hardware, entry.count) == (model, hardware, count) and entry.output_per_second
    ]
    return max(fitting, key=lambda e: (e.input_per_second is not None, e.output_per_second or 0), default=None)


def peak_of(profile: Profile) -> tuple[Load, int] | None:
    """The busiest quarter of an hour by output tokens, in tokens a second, and its start; None without timestamps."""
    if not profile.load:
        return None
    start, sums = max(profile.load.items(), key=lambda item: (item[1][2], item[1][1], -item[0]))
    return Load(Decimal(sums[1]) / QUARTER_HOUR, Decimal(sums[2]) / QUARTER_HOUR), start


def machine_target(machine: Machine, profile: Profile, today: Today, currency: str) -> results.EstimateTarget:
    """The row of a machine; InputError for a log without a span, over which nothing can be paid by the hour."""
    found = peak_of(profile)
    if found is None or today.days <= 0:
        raise InputError(f"{machine.name} is paid by the hour, and the log has no span", fix="add timestamps")
    with localcontext(prec=_DIGITS):
        return _target(machine, profile, today, currency, *found)


def _target(
    machine: Machine, profile: Profile, today: Today, currency: str, peak: Load, start: int
) -> results.EstimateTarget:
    ratio = OTHER
    peak = peak.times(today.share)
    counts = [_machines(machine, peak.times(part)) for part in (ratio.value, ratio.low, ratio.high)]
    hours = today.days * 24
    costs = [count * _hourly(machine) * hours for count in counts]
    stays = (1 - today.share) * (today.cost or 0)
    saving = None if today.cost is None else [today.cost - stays - cost for cost in costs]
    plan = _plan(machine, profile, today, counts, peak, start)
    return results.EstimateTarget(
        to=machine.name, kind="machine", moves=list(today.models), sources=list(today.sources), currency=currency,
        calls=today.calls, cost=_text(costs[0] + stays), low=_text(costs[1] + stays), high=_text(costs[2] + stays),
        range_kind="assumed",
        saving=None if saving is None else _text(saving[0]),
        saving_low=None if saving is None else _text(saving[2]),
        saving_high=None if saving is None else _text(saving[1]),
        saving_share=float(round(saving[0] / today.cost, 6)) if saving and today.cost else None,
        month_saving=None, tolerance=None,
        moved=None if today.cost is None else results.Moved(
            current=_text(today.cost * today.share), cost=_text(costs[0])
        ),
        cannot_hold=results.CannotHold(calls=None, spend_share=None), unpriced_there=None, grade=machine.price.grade,
        assumptions=_assumptions(machine, ratio, counts), calibrations=[],
        notes=[] if machine.throughput.input_per_second else ["input_throughput_not_published"],
        groups=[], machines=plan,
    )  # fmt: skip


def _machines(machine: Machine, peak: Load) -> int:
    return max(1, int(_utilisation(machine, peak).to_integral_value(ROUND_CEILING)))


def _utilisation(machine: Machine, load: Load) -> Decimal:
    """Of one machine: above 1 it needs more than one."""
    parts = [load.output / machine.output_rate]
    if machine.throughput.input_per_second:
        parts.append(load.input / machine.throughput.input_per_second)
    return max(parts)


def _hourly(machine: Machine) -> Decimal:
    return machine.price.usd * machine.gpus


def _plan(
    machine: Machine, profile: Profile, today: Today, counts: Sequence[int], peak: Load, start: int
) -> MachinePlan:
    sums = [sum(slot[place] for slot in profile.load.values()) * today.share for place in (1, 2)]
    seconds = today.days * 86_400
    mean = Load(sums[0] / seconds, sums[1] / seconds)
    tokens = sums[0] + sums[1]
    busy = _utilisation(machine, mean)
    full = (mean.input + mean.output) / busy if busy else None
    now = None if today.cost is None or not tokens else today.cost * today.share / tokens * _MILLION
    at_full = None if full is None else _hourly(machine) * _MILLION / (full * 3600)
    return MachinePlan(
        model=machine.model, hardware=machine.price.hardware, gpus=machine.gpus, machines=counts[0],
        machines_low=counts[1], machines_high=counts[2],
        gpu_hour=plain(machine.price.usd), gpu_hour_kind=machine.price.kind,
        gpu_hour_source=f"{machine.price.source}, {machine.price.from_}",
        hour_cost=plain(counts[0] * _hourly(machine)), month_cost=_text(counts[0] * _hourly(machine) * HOURS_A_MONTH),
        output_per_second=float(machine.output_rate),
        input_per_second=_float(machine.throughput.input_per_second),
        throughput_source=f"{machine.throughput.source}, read {machine.throughput.observed}",
        peak_output_per_second=round(float(peak.output), 3), peak_input_per_second=round(float(peak.input), 3),
        peak_at=datetime.fromtimestamp(start, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        peak_utilisation=round(float(_utilisation(machine, peak) / counts[0]), 4),
        mean_utilisation=round(float(busy / counts[0]), 4),
        now_per_million=None if now is None else _text(now),
        break_even_utilisation=None if now is None or at_full is None or not now else round(float(at_full / now), 4),
        table=[] if at_full is None else [
            Utilisation(utilisation=float(part), per_million=_text(at_full / part)) for part in UTILISATIONS
        ],
    )  # fmt: skip


def _assumptions(machine: Machine, ratio: Ratio, counts: Sequence[int]) -> list[results.AssumptionResult]:
    throughput = machine.throughput
    load = "" if throughput.concurrency is None else f" at {throughput.concurrency} requests at one time"
    found = [
        ("token_ratio", plain(ratio.value), plain(ratio.low), plain(ratio.high), ratio.why),
        ("gpu_hour", plain(machine.price.usd), None, None, f"{machine.price.kind}: {machine.price.source}"),
        ("output_per_second", plain(machine.output_rate), None, None, f"{throughput.source}{load}"),
        ("machines", str(counts[0]), str(counts[1]), str(counts[2]), "for the busiest quarter of an hour of the log"),
        ("hours", "all", None, None, "machines are paid day and night"),
    ]
    return [
        results.AssumptionResult(name=name, value=value, source="default", low=low, high=high, why=why)
        for name, value, low, high, why in found
    ]


def _text(amount: Decimal) -> str:
    return plain(amount.quantize(_SIX))


def _float(number: Decimal | None) -> float | None:
    return None if number is None or not math.isfinite(number) else round(float(number), 3)
