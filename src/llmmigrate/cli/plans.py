"""From a command line of `serve-local` to a plan: the devices, the wish, the prices, the traffic of logs."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from llmmigrate.cli.console import Console
from llmmigrate.cli.options import LogOptions, OutputOptions
from llmmigrate.cli.reading import Reading, command_line, read_logs
from llmmigrate.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from llmmigrate.serving.accounts import Compared
    from llmmigrate.serving.cost import Price, Rate
    from llmmigrate.serving.fit import Wish
    from llmmigrate.serving.measure import Load
    from llmmigrate.serving.planning import Decision, Place
    from llmmigrate.serving.pool import Pool
    from llmmigrate.serving.registration import Endpoint
    from llmmigrate.serving.results import Plan
    from llmmigrate.serving.traffic import Demand
    from llmmigrate.usage.call import Call


@dataclass(frozen=True, kw_only=True)
class PlanOptions(OutputOptions):
    """The options that decide a plan."""

    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model of the catalogue, or a checkpoint's folder or GGUF file.")
    ] = "glm-5"
    engine: Annotated[
        str | None, typer.Option(metavar="NAME", help="vllm, sglang, vllm-ascend, llama.cpp, transformers; auto.")
    ] = None
    precision: Annotated[str | None, typer.Option(metavar="NAME", help="fp8, bf16, w4a8 …; the first that fits.")] = (
        None
    )
    on: Annotated[
        str | None, typer.Option(metavar="8xH200", help="Plan for this hardware instead of what is found here.")
    ] = None
    context_: Annotated[
        str | None, typer.Option("--context", metavar="N", help="Tokens of context; as many as fit.")
    ] = None
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1"
    port: Annotated[str, typer.Option(metavar="N", help="Where to listen.")] = "8000"
    gpu_price: Annotated[
        str | None, typer.Option(metavar="USD/h", help="What one device costs an hour; pricing/self-hosted.yaml.")
    ] = None
    logs: Annotated[list[str], typer.Option(metavar="LOGS", help="Plan for the traffic of these logs; repeatable.")] = (
        field(default_factory=list)
    )
    force: Annotated[bool, typer.Option("--force", help="Launch although it is refused.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A decision with all that its plan is told with."""

    decision: "Decision"
    wish: "Wish"
    place: "Place"
    price: "Price | None"
    rates: "tuple[Rate, ...]"
    demand: "Demand | None"
    tools: bool | None
    compared: "Compared"
    problems: tuple[str, ...]

    def plan(self, measured: "Rate | None" = None) -> "Plan":
        """The plan, with what was measured once it was."""
        from llmmigrate import __version__
        from llmmigrate.serving.accounts import cost_record, traffic_record
        from llmmigrate.serving.planning import plan

        chosen = self.decision.chosen
        rates = (measured, *self.rates) if measured is not None else self.rates
        cost = traffic = None
        if chosen is not None:
            cost = cost_record(chosen, self.price, rates)
        if chosen is not None and self.demand is not None:
            traffic = traffic_record(chosen, self.demand, self.price, rates, self.compared, tools=self.tools)
        return plan(
            self.decision, self.wish, self.place, command=command_line(), version=__version__, cost=cost,
            traffic=traffic, problems=self.problems,
        )  # fmt: skip

    def endpoint(self) -> "Endpoint":
        """What the settings say about the endpoint."""
        from llmmigrate.serving.engines import load_engine
        from llmmigrate.serving.registration import Endpoint

        chosen = self.decision.chosen
        return Endpoint(
            base_url=self.place.base_url,
            needs_key=chosen is not None and load_engine(chosen.engine).KEY_VARIABLE is not None,
            gpu_hour=self.price.usd if self.price is not None else None,
            gpus=self.decision.pool.count,
        )

    def load(self) -> "Load":
        """What to measure with: requests as long as those of the logs, else of a length that takes minutes at most."""
        from llmmigrate.serving.measure import Load
        from llmmigrate.serving.pool import CPU

        chosen, demand = self.decision.chosen, self.demand
        most = chosen.context // 4 if chosen is not None else 512
        held = chosen.sequences(chosen.context) if chosen is not None else 1
        slow = self.decision.pool.platform == CPU
        words, tokens = (64, 8) if slow else (512, 128)
        if demand is not None and demand.calls:
            words, tokens = demand.input_tokens // demand.calls, demand.output_tokens // demand.calls
        return Load(
            concurrency=max(1, min(2 if slow else 8, held)),
            input_words=max(1, min(words, most)),
            output_tokens=max(2, min(tokens, most)),
        )


def plan_for(options: PlanOptions, console: Console) -> Planned:
    """Decide what to serve on what, and reckon what it costs."""
    from llmmigrate.prices.loading import bundled_directory
    from llmmigrate.prices.self_hosted import FILE_NAME, read_self_hosted
    from llmmigrate.serving.cost import floor_rate, price_of, published_rates
    from llmmigrate.serving.planning import decide
    from llmmigrate.serving.traffic import demand_of

    given = _gpu_price(options.gpu_price)
    place = place_of(options)
    reading, tools = _traffic(options, console)
    pools, problems = _pools(options)
    wish = _wish(options, draft=not tools)
    decision = decide(options.model, pools, wish)
    table = read_self_hosted(bundled_directory() / FILE_NAME)
    chosen = decision.chosen
    price, rates = None, []
    if chosen is not None:
        price = price_of(chosen, table, given)
        rates = published_rates(chosen, table)
        floor = floor_rate(chosen, decision.model)
        rates += [floor] if floor is not None else []
    return Planned(
        decision=decision,
        wish=wish,
        place=place,
        price=price,
        rates=tuple(rates),
        demand=demand_of(reading.profile) if reading is not None else None,
        tools=tools,
        compared=_compared(reading, decision.model.api),
        problems=problems,
    )


def place_of(options: PlanOptions) -> "Place":
    """Where the endpoint is to listen. UsageError for what is no port."""
    from llmmigrate.serving.planning import Place

    text = options.port
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise UsageError(f"--port '{text}' is no port", fix="write a number from 1 to 65535, such as --port 8000")
    return Place(host=options.host, port=int(text))


def _wish(options: PlanOptions, *, draft: bool) -> "Wish":
    from llmmigrate import quantities
    from llmmigrate.serving.engines import engine_name
    from llmmigrate.serving.fit import Wish

    try:
        context = quantities.size(options.context_) if options.context_ is not None else None
    except ValueError as error:
        raise UsageError(f"--context: {error}") from None
    if context is not None and context < 1:
        raise UsageError("--context 0 holds nothing", fix="write --context 32768")
    engine = None if options.engine in (None, "auto") else engine_name(str(options.engine))
    return Wish(context=context, engine=engine, precision=options.precision, draft=draft, force=options.force)


def _gpu_price(text: str | None) -> Decimal | None:
    from llmmigrate import quantities

    if text is None:
        return None
    try:
        return quantities.number(text.removesuffix("/h").removesuffix("USD").strip())
    except ValueError as error:
        raise UsageError(f"--gpu-price: {error}", fix="write --gpu-price 2.60") from None


def _pools(options: PlanOptions) -> "tuple[list[Pool], tuple[str, ...]]":
    """What to plan for, and what could not be asked."""
    from llmmigrate.serving.inventory import take_inventory
    from llmmigrate.serving.pool import found_pools, named_pool

    if options.on is not None:
        return [named_pool(options.on)], ()
    inventory = take_inventory()
    return found_pools(inventory), inventory.problems


def _traffic(options: PlanOptions, console: Console) -> "tuple[Reading | None, bool | None]":
    """The logs, and whether any call offers or uses tools; None where that cannot be known, as in saved profiles."""
    if not options.logs:
        return None, None
    seen: list[bool] = []

    def look(call: "Call", _: str) -> None:
        offered = call.request.get("tools") or call.request.get("functions") if call.request else None
        seen.append(
            bool(offered or call.tool_calls) or call.finish_reason in ("tool_calls", "tool_use", "function_call")
        )

    reading = read_logs(
        LogOptions(logs=list(options.logs), config=options.config), console, keep_text=True, on_call=look
    )
    return reading, any(seen) if seen else None


def _compared(reading: "Reading | None", api: str | None) -> "Compared":
    """What the same calls cost today and at the model's own API; unknown where no table has it."""
    from llmmigrate.serving.accounts import Compared

    if reading is None or api is None:
        return Compared()
    from llmmigrate import __version__
    from llmmigrate.costing.comparing import estimate_traffic
    from llmmigrate.costing.request import Request

    request = Request(to=(api,), as_of=reading.now, now=reading.now)
    try:
        found = estimate_traffic(reading.profile, reading.catalog, request, command="", version=__version__)
    except UnknownNameError:
        return Compared()
    target, today = next(iter(found.targets), None), found.current.cost
    whole = target is not None and target.currency == "USD" and target.unpriced_there is None
    return Compared(
        api=api if whole else None,
        api_cost=Decimal(target.cost) if target is not None and whole else None,
        today=Decimal(today) if today is not None else None,
        today_calls=found.current.priced_calls,
    )
