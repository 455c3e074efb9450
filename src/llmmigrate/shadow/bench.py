"""Measures how fast endpoints answer, side by side, within a cap on what it may cost."""

import asyncio
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from llmmigrate.endpoints import dialects
from llmmigrate.endpoints.client import Client, Retries
from llmmigrate.endpoints.exchange import Attempt, Exchange, Failure
from llmmigrate.endpoints.load import Extent, closed_loop, open_loop
from llmmigrate.errors import UsageError
from llmmigrate.logs import streams
from llmmigrate.money import EXACT, plain
from llmmigrate.shadow.answers import call_of
from llmmigrate.shadow.bench_results import BenchEndpoint, BenchLoad, BenchTokens, Spread
from llmmigrate.shadow.budget import Budget, BudgetReachedError, Stake
from llmmigrate.shadow.pairs import Sampled
from llmmigrate.shadow.prompts import Prompts
from llmmigrate.shadow.purchase import POSSIBLY_BILLED
from llmmigrate.shadow.sides import Side
from llmmigrate.statistics.quantiles import quantile
from llmmigrate.usage.call import Call

ROUNDS: Final = 4
"""Turns that each endpoint gets where they are measured one after another: none has the quiet hour to itself."""
HOPELESS: Final[frozenset[Failure]] = frozenset({"auth", "quota", "not_found", "breaker"})
"""Failures after which asking on tells nothing more."""
_ANSWERED: Final = frozenset({None, "empty", "content_filter"})
"""An answer came to its end and tells its usage, also where it cannot be used."""
_LIMITS: Final = frozenset({"max_tokens", "max_completion_tokens"})
_ONCE: Final = Retries(attempts=1)
"""A second try would measure our waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sent to every endpoint."""

    prompts: Prompts
    run: str
    """Tells the requests of this run apart from those of others."""
    concurrency: int
    rate: float | None = None
    seconds: float | None = None
    requests: int | None = None
    in_turn: bool = False
    max_output_tokens: int = 1024

    def record(self) -> BenchLoad:
        """How the result tells it."""
        return BenchLoad(
            loop="closed" if self.rate is None else "open",
            concurrency=self.concurrency,
            rate=self.rate,
            seconds=self.seconds,
            requests=self.requests,
            in_turn=self.in_turn,
            prompts=self.prompts.source,
            prompt_count=len(self.prompts.bodies),
            prompts_sha256=self.prompts.sha256,
            max_output_tokens=self.max_output_tokens,
        )


class Progress(NamedTuple):
    """How far a benchmark is."""

    seconds: float
    requests: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """The figures of one answer."""

    attempt: Attempt
    lag_ms: float
    inter_token_ms: float | None
    call: Call


@dataclass(slots=True)
class Gauge:
    """Asks one endpoint and keeps what it measures."""

    side: Side
    load: Load
    budget: Budget
    client: Client
    answers: list[_Answer] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    details: dict[str, str] = field(default_factory=dict)
    served: set[str] = field(default_factory=set)
    requests: int = 0
    seconds: float = 0.0
    cost: Decimal | None = None
    unknown_costs: int = 0
    stopped: str | None = None

    async def warm_up(self) -> None:
        """One request that opens a connection and shows whether the endpoint can be asked at all."""
        exchange = await self._exchange(-1)
        if exchange is not None:
            self._learn(exchange)

    async def drive(self, extent: Extent, first: int) -> None:
        """Loads the endpoint for an extent, with requests numbered from `first`."""

        async def work(number: int, due: float) -> bool:
            return await self._measure(first + number, due)

        if self.stopped:
            return
        began = _now()
        if self.load.rate is None:
            await closed_loop(work, extent, concurrency=self.load.concurrency)
        else:
            await open_loop(work, extent, rate=self.load.rate, most=self.load.concurrency)
        self.seconds += _now() - began

    async def _measure(self, number: int, due: float) -> bool:
        """Sends one request and keeps its figures; False when there is no use in sending more."""
        behind = (_now() - due) * 1000
        exchange = await self._exchange(number)
        if exchange is None:
            return False
        if exchange.attempts:
            self.requests += 1
            self.failures.update([exchange.failure] if exchange.failure else [])
        self._learn(exchange)
        if exchange.failure is None:
            call = _call_of(exchange)
            attempt = exchange.attempts[-1]
            gap = inter_token_ms(exchange, call, self.side.endpoint.dialect)
            self.answers.append(_Answer(attempt, behind + exchange.lag_ms, gap, call))
        return self.stopped is None

    async def _exchange(self, number: int) -> Exchange | None:
        """One request within the budget; None when the budget leaves no room for it."""
        body = request_for(self.side, self.load, number)
        worst = self.side.worst(body)

        async def reserve() -> None:
            await self.budget.reserve(worst)

        try:
            exchange = await self.client.send(body, tokens=worst.tokens, on_send=reserve)
        except BudgetReachedError:
            self.stopped = self.stopped or "budget"
            return None
        if exchange.attempts:
            self.budget.settle(worst, self._charged(exchange, worst))
        return exchange

    def _charged(self, exchange: Exchange, worst: Stake) -> Stake:
        """What a request has cost; the worst case where that is not known."""
        if exchange.failure in _ANSWERED:
            call = _call_of(exchange)
            self.served.update([call.model] if call.model else [])
            cost = self.side.till.cost(call) if call.usage == "known" or self.side.till.free else None
            if cost is not None:
                self.cost = EXACT.add(self.cost or Decimal(0), cost)
                return Stake(cost, call.input_tokens + call.output_tokens)
        elif exchange.failure not in POSSIBLY_BILLED:
            return Stake(Decimal(0), 0)
        self.unknown_costs += 1
        return worst

    def _learn(self, exchange: Exchange) -> None:
        """What the endpoint says about a failure, and whether it is the end."""
        if exchange.failure is not None:
            self.details.setdefault(exchange.failure, exchange.detail or "")
        if exchange.failure in HOPELESS:
            self.stopped = self.stopped or exchange.failure

    def result(self) -> BenchEndpoint:
        """What was measured."""
        endpoint = self.side.endpoint
        known = [answer.call for answer in self.answers if answer.call.usage == "known"]
        return BenchEndpoint(
            name=endpoint.name,
            provider=endpoint.provider,
            model=endpoint.model,
            dialect=endpoint.dialect,
            served_models=sorted(self.served),
            requests=self.requests,
            answers=len(self.answers),
            failures=dict(sorted(self.failures.items())),
            details=dict(sorted(self.details.items())),
            stopped=self.stopped,
            seconds=round(self.seconds, 3),
            requests_per_second=_rate(len(self.answers), self.seconds),
            output_tokens_per_second=(
                _rate(sum(call.output_tokens for call in known), self.seconds)
                if len(known) == len(self.answers)
                else None
            ),
            latency_ms=spread([answer.attempt.latency_ms for answer in self.answers]),
            ttft_ms=spread([answer.attempt.ttft_ms for answer in self.answers]),
            inter_token_ms=spread([answer.inter_token_ms for answer in self.answers]),
            lag_ms_p99=spread([answer.lag_ms for answer in self.answers]).p99,
            tokens=_tokens(known),
            cost=None if self.cost is None else plain(self.cost),
            unknown_costs=self.unknown_costs,
        )


def request_for(side: Side, load: Load, number: int) -> dict[str, Any]:
    """A request in one side's dialect, its reply limited. UsageError when the side cannot be asked it."""
    body = load.prompts.body(number, load.run)
    if not body.keys() & _LIMITS:
        body = {**body, "max_tokens": load.max_output_tokens}
    asked = Sampled(
        key=str(number), order=0.0, place=load.prompts.source, request=body, dialect="openai-chat",
        logged=None, input_tokens=0, output_tokens=0,
    )  # fmt: skip
    translation = side.translate(asked)
    if translation.body is None:
        words = "; ".join(finding.words for finding in translation.refused)
        raise UsageError(
            f"{side.endpoint.name} cannot be asked prompt {number + 1} of {load.prompts.source}",
            why=words,
            fix="bench with prompts that all endpoints can be asked",
        )
    return translation.body


async def bench(
    sides: Sequence[Side], load: Load, budget: Budget, stop: asyncio.Event, on_progress: Callable[[Progress], None]
) -> list[BenchEndpoint]:
    """Measures all sides under the same load; `stop` ends it early, `on_progress` is told several times a second."""
    async with AsyncExitStack() as stack:
        gauges = [
            Gauge(side, load, budget, await stack.enter_async_context(Client(side.endpoint, retries=_ONCE)))
            for side in sides
        ]
        watch = asyncio.create_task(_watch(gauges, on_progress))
        try:
            await asyncio.gather(*(gauge.warm_up() for gauge in gauges))
            await _drive_all(gauges, load, stop)
        finally:
            watch.cancel()
    return [gauge.result() for gauge in gauges]


async def _drive_all(gauges: Sequence[Gauge], load: Load, stop: asyncio.Event) -> None:
    extents: list[Extent] = []

    async def heed() -> None:
        await stop.wait()
        for gauge in gauges:
            gauge.stopped = gauge.stopped or "interrupted"
        for extent in extents:
            extent.stopped = True

    def part(place: int, of: int) -> Extent:
        """One of so many parts; the numbers of requests add up to the whole."""
        wanted = load.requests
        count = None if wanted is None else wanted * (place + 1) // of - wanted * place // of
        seconds = None if load.seconds is None else load.seconds / of
        extents.append(Extent(seconds, count, stopped=stop.is_set()))
        return extents[-1]

    heeding = asyncio.create_task(heed())
    try:
        if not load.in_turn:
            await asyncio.gather(*(gauge.drive(part(0, 1), 0) for gauge in gauges))
            return
        for place in range(ROUNDS):
            for gauge in gauges:
                await gauge.drive(part(place, ROUNDS), gauge.requests)
    finally:
        heeding.cancel()


async def _watch(gauges: Sequence[Gauge], on_progress: Callable[[Progress], None]) -> None:
    began = _now()
    while True:
        await asyncio.sleep(0.2)
        on_progress(Progress(_now() - began, sum(gauge.requests for gauge in gauges)))


def inter_token_ms(exchange: Exchange, call: Call, dialect: str) -> float | None:
    """Mean milliseconds between two tokens of one streamed answer; None where the stream does not tell.

    Tokens are those of the usage: one event can hold several. Reasoning that is not streamed is over when the first
    token comes, so it does not count; reasoning that is streamed as a summary cannot be counted, and there is none.
    """
    ttft = exchange.attempts[-1].ttft_ms
    if ttft is None or call.usage != "known":
        return None
    look = dialects.named(dialect).of_event
    said = [glimpse.visible for glimpse in map(look, exchange.events) if glimpse.begun]
    thought = not all(said)
    if len(said) < 2 or (thought and dialect != "openai-chat"):
        return None
    tokens = call.output_tokens - (0 if thought else call.reasoning_tokens)
    return (exchange.attempts[-1].latency_ms - ttft) / (tokens - 1) if tokens > 1 else None


def spread(values: Sequence[float | None]) -> Spread:
    """Mean, standard deviation and percentiles of the values that are known."""
    known = [value for value in values if value is not None]

    def percentile(p: float) -> float | None:
        return round(quantile(known, p), 3) if len(known) * (1 - p) >= 1 - 1e-9 else None

    return Spread(
        count=len(known),
        mean=round(statistics.fmean(known), 3) if known else None,
        sd=round(statistics.stdev(known), 3) if len(known) > 1 else None,
        p50=percentile(0.5),
        p90=percentile(0.9),
        p99=percentile(0.99),
    )


def _call_of(exchange: Exchange) -> Call:
    """The answer read as logs are; without usage where the endpoint told none."""
    body = exchange.body if exchange.body is not None else streams.fold(list(exchange.events))
    return Call(usage="missing") if body is None else call_of(body, exchange, prompt_bytes=0)


def _tokens(known: Sequence[Call]) -> BenchTokens:
    return BenchTokens(
        answers=len(known),
        input=sum(call.input_tokens for call in known),
        cached_input=sum(call.cached_input_tokens for call in known),
        output=sum(call.output_tokens for call in known),
        reasoning=sum(call.reasoning_tokens for call in known),
    )


def _rate(number: int, seconds: float) -> float | None:
    return round(number / seconds, 3) if number and seconds > 0 else None


def _now() -> float:
    return asyncio.get_running_loop().time()
