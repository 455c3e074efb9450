"""The page of a plan of `serve-local`: what fits, the ways to weigh, the command, the cost, what to know before."""

import re
import shlex
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from llmmigrate.reports import Report, numbers
from llmmigrate.reports.accelerators import gibibytes
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table
from llmmigrate.serving.results import (
    Elsewhere,
    Plan,
    PlanChoice,
    PlanCost,
    PlanHardware,
    PlanLaunch,
    PlanRate,
    PlanTraffic,
)

WORDS = {
    "fits": "fits",
    "weights": "too little memory",
    "context": "context too long",
    "refused": "refused",
    "no_recipe": "no recipe",
    "unknown_memory": "memory unknown",
}


def report(plan: Plan, *, next_step: str | None = None) -> Report:
    """The report of a plan."""
    return Report(
        document=msgspec.to_builtins(plan),
        page=list(_page(plan, next_step)),
        records=[msgspec.to_builtins(choice) for choice in plan.choices],
    )


def devices(hardware: PlanHardware) -> str:
    """`8 × NVIDIA H200 141GB`, with the machines where they are several."""
    count = "" if hardware.platform == "cpu" else f"{hardware.count} × "
    machines = f" in {hardware.nodes} machines" if hardware.nodes > 1 else ""
    return f"{count}{hardware.title}{machines}"


def headline(plan: Plan) -> str:
    """Line 1: whether it fits, and how much of it."""
    place, chosen = devices(plan.hardware), plan.chosen
    if chosen is None:
        without = "No accelerator was found, and " if plan.hardware.platform == "cpu" else ""
        return f"{without}{plan.model.title} does not fit on {place}."
    context = f"{numbers.count(chosen.context)} tokens of context"
    cache = f"a cache of {numbers.count(chosen.kv_tokens)} tokens"
    each = f" in each of {chosen.data_parallel} replicas" if chosen.data_parallel > 1 else ""
    full = numbers.counted(chosen.sequences_at_full_context or 0, "request")
    return (
        f"{plan.model.title} in {chosen.precision} fits on {place}: {context}, {cache}{each}, "
        f"so {full} of full length at one time."
    )


def obstacle(choice: PlanChoice) -> str:
    """Why a choice is not possible, in a sentence."""
    if choice.why is not None:
        return f"{choice.precision}: {choice.why}."
    missing = gibibytes(choice.missing_bytes)
    if choice.verdict == "context":
        return f"{choice.precision}: {numbers.count(choice.context)} tokens of context need {missing} more a device."
    weights, usable = gibibytes(choice.weights_bytes), gibibytes(choice.usable_bytes)
    way = f"{choice.precision} on {choice.engine}"
    return f"{way} takes {weights} a device and {usable} can be had: {missing} are missing."


def _page(plan: Plan, next_step: str | None) -> Iterator[Block]:
    yield Paragraph(headline(plan), strong=True)
    if not plan.fits:
        yield from _obstacles(plan)
    yield _table(plan)
    if plan.launch is not None:
        yield from _launch(plan.launch)
    if plan.cost is not None:
        yield from _cost(plan.cost)
    if plan.traffic is not None and plan.chosen is not None:
        yield from _traffic(plan.traffic, plan.chosen)
    if plan.siblings:
        yield Bullets("On this hardware instead:", [f"{item.model}: {_way(item)}" for item in plan.siblings])
    if plan.machines:
        yield Bullets(f"For {plan.model.title}:", [f"{item.hardware}: {_way(item)}" for item in plan.machines])
    notes = [note.text + (f" ({_short(note.source)})" if note.source else "") for note in plan.notes]
    if notes:
        yield Bullets("To know before:", notes)
    if plan.problems:
        yield Bullets("Could not be asked:", plan.problems)
    if next_step:
        yield Command(next_step)


def _obstacles(plan: Plan) -> Iterator[Block]:
    """The reasons, each once, with their links."""
    shown = list(dict.fromkeys(obstacle(choice) for choice in _worth_showing(plan)))
    yield Paragraph(" ".join(shown[:2]))
    links = list(dict.fromkeys(link for choice in plan.choices for link in choice.links))
    if links:
        yield Paragraph(f"Evidence: {', '.join(_short(link) for link in links)}")


def _short(source: str) -> str:
    """`owner/name#123` for the address of an issue: it fits narrow terminals, and the JSON has the whole."""
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+)/(?:issues|pull)/(\d+)", source)
    return f"{match[1]}#{match[2]}" if match else source


def _worth_showing(plan: Plan) -> list[PlanChoice]:
    """The choices without those that nobody published a way for, unless there are no others."""
    return [choice for choice in plan.choices if choice.verdict != "no_recipe"] or plan.choices


def _table(plan: Plan) -> Table:
    columns = [
        Column("Checkpoint"),
        Column("Precision", drop=6),
        Column("Engine"),
        Column("Spread", drop=3),
        Column("Weights", "right", drop=4),
        Column("Cache a token", "right", drop=1),
        Column("Cache tokens", "right", drop=5),
        Column("Context", "right", drop=2),
        Column("Verdict"),
    ]
    return Table(columns=columns, rows=[_row(choice) for choice in _worth_showing(plan)])


def _row(choice: PlanChoice) -> list[str]:
    return [
        choice.checkpoint,
        choice.precision,
        choice.engine,
        _spread(choice),
        gibibytes(choice.weights_bytes),
        f"{choice.kv_bytes_per_token:,} B",
        numbers.count(choice.kv_tokens),
        numbers.count(choice.context) if choice.verdict in ("fits", "context") else numbers.MISSING,
        WORDS[choice.verdict],
    ]


def _spread(choice: PlanChoice) -> str:
    """`TP 8 × DP 1`, with the experts' own where it is used; `layers over 8` for engines that share out layers."""
    if choice.split == "layers":
        return f"layers over {choice.tensor_parallel}" if choice.tensor_parallel > 1 else "one device"
    experts = " + EP" if choice.expert_parallel else ""
    return f"TP {choice.tensor_parallel} × DP {choice.data_parallel}{experts}"


def _launch(launch: PlanLaunch) -> Iterator[Block]:
    if launch.steps:
        yield Paragraph("Several machines are not launched from here; type on each:")
        for step in launch.steps:
            yield Command(step)
        return
    version = "" if launch.engine_version is None else f" {launch.engine_version}"
    download = f" after a download of {launch.download_bytes / 1e9:,.1f} GB" if launch.download_bytes else ""
    yield Paragraph(f"Launched as, with {launch.engine}{version}, at {launch.base_url}{download}:")
    environment = [f"{name}={shlex.quote(value)}" for name, value in sorted(launch.environment.items())]
    yield Command(" ".join([*environment, shlex.join(launch.arguments)]))


def _cost(cost: PlanCost) -> Iterator[Block]:
    yield Paragraph(_price_words(cost))
    if cost.rates:
        yield _rates(cost)
        yield Paragraph(
            "Each price lays the whole cost of the devices on the output, or on all tokens alike, at full use.",
            kind="note",
        )


def _price_words(cost: PlanCost) -> str:
    if cost.gpu_hour is None or cost.hour is None or cost.month is None:
        return "What a device costs an hour is not known: give it with --gpu-price."
    hour, month = numbers.money(Decimal(cost.hour)), numbers.money(Decimal(cost.month))
    each = (
        f"{numbers.counted(cost.devices, 'device')} at {numbers.rate(Decimal(cost.gpu_hour))} {cost.currency} an hour"
    )
    return f"{each} cost {hour} {cost.currency} an hour, {month} a month ({cost.gpu_hour_source})."


def _rates(cost: PlanCost) -> Table:
    apart = any(rate.cost_per_million_output_alone is not None for rate in cost.rates)
    columns = [
        Column("Basis"),
        Column("By", drop=7),
        Column("At a time", "right", drop=3),
        Column("In + out", "right", drop=2),
        Column("Output/s", "right"),
        Column("Input + output/s", "right", drop=1),
        Column(f"{cost.currency}/M output", "right"),
        Column(f"{cost.currency}/M tokens", "right", drop=4),
        *([Column("/M input apart", "right", drop=5), Column("/M output apart", "right", drop=6)] if apart else []),
    ]
    return Table(columns=columns, rows=[_rate_row(rate, apart=apart) for rate in cost.rates])


def _rate_row(rate: PlanRate, *, apart: bool) -> list[str]:
    length = f"{numbers.count(rate.input_tokens)} + {numbers.count(rate.output_tokens)}"
    return [
        rate.basis,
        rate.label,
        numbers.count(rate.concurrency),
        length if rate.input_tokens is not None else numbers.MISSING,
        _amount(rate.output_per_second),
        _amount(rate.tokens_per_second),
        _money(rate.cost_per_million_output),
        _money(rate.cost_per_million_tokens),
        *([_money(rate.cost_per_million_input_alone), _money(rate.cost_per_million_output_alone)] if apart else []),
    ]


def _traffic(traffic: PlanTraffic, chosen: PlanChoice) -> Iterator[Block]:
    tokens = f"{numbers.count(traffic.input_tokens)} tokens in and {numbers.count(traffic.output_tokens)} out"
    span = numbers.days(traffic.days)
    yield Paragraph(f"The log: {numbers.counted(traffic.calls, 'call')} in {span}, {tokens}.", strong=True)
    yield Paragraph(_machines_words(traffic))
    if traffic.month_cost is not None:
        yield Paragraph(_month_words(traffic))
    if traffic.break_even_use_low is not None and traffic.break_even_use_high is not None:
        yield Paragraph(_break_even_words(traffic.api, traffic.break_even_use_low, traffic.break_even_use_high))
    if traffic.tools and not chosen.draft_tokens:
        yield Paragraph("Multi-token prediction is off, since calls of the log have tools.", kind="note")


def _machines_words(traffic: PlanTraffic) -> str:
    if traffic.machines is None:
        return "How many machines it needs is not known: nobody published a rate for this plan, and none was measured."
    needed = f"Needed: {numbers.counted(traffic.machines, 'machine')} of this kind"
    peak = f"for the fullest of 100 quarters of an hour, at the rate {traffic.rate}"
    return f"{needed}, {peak}; used on average {_between(traffic.use_low, traffic.use_high)} of the time."


def _month_words(traffic: PlanTraffic) -> str:
    parts = [f"{_money(traffic.month_cost)} USD a month here"]
    if traffic.api_month_cost is not None:
        parts.append(f"{_money(traffic.api_month_cost)} at {traffic.api}")
    if traffic.today_month_cost is not None:
        left = traffic.calls - traffic.today_priced_calls
        without = f" (without {numbers.counted(left, 'call')} of unknown price)" if left else ""
        parts.append(f"{_money(traffic.today_month_cost)} today{without}")
    return f"{', '.join(parts)}."


def _break_even_words(api: str | None, low: float, high: float) -> str:
    if low > 1:
        return f"It never pays against {api} at this rate: even a machine that is always busy costs more."
    return f"It pays against {api} from {_between(low, high)} of use on."


def _between(low: float | None, high: float | None) -> str:
    first, last = numbers.share(low), numbers.share(high)
    return first if first == last else f"{first} … {last}"


def _amount(text: str | None) -> str:
    return numbers.MISSING if text is None else f"{Decimal(text):,f}"


def _money(text: str | None) -> str:
    return numbers.money(None if text is None else Decimal(text))


def _way(item: Elsewhere) -> str:
    return f"{item.precision} on {item.engine}, {numbers.count(item.context)} tokens of context"
