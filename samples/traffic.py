"""Made-up traffic: who calls which model when, with what sizes, drawn from a seeded generator.

The same seed gives the same traffic on every machine: all draws go through `random.Random.random`, whose sequence
Python keeps between versions. Standard library only.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

FIRST_DAY = datetime(2026, 10, 5, tzinfo=UTC)
DAYS = 42
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
WEEKDAY_TRAFFIC = (1.08, 1.12, 1.06, 1.0, 0.86, 0.34, 0.3)
FAILURES = (429, 503, 504)
HOUR_TRAFFIC = (2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 19, 17, 13, 16, 18, 17, 15, 11, 8, 6, 5, 4, 3, 3)


@dataclass(frozen=True, slots=True)
class Route:
    """One feature of the made-up product: who calls which model, with what typical sizes."""

    path: str
    team: str
    provider: str
    model: str
    share: float
    input_tokens: int
    output_tokens: int
    reasoning_share: float = 0.0
    turns: int = 1
    tier: str = "standard"
    tokens_per_second: float = 90.0


ROUTES = (
    Route("/plan", "platform", "openai", "o3", 0.20, 14_000, 5_200, reasoning_share=0.7, tokens_per_second=110),
    Route("/chat", "support", "anthropic", "claude-sonnet-4-5", 0.13, 7_800, 620, turns=5, tokens_per_second=75),
    Route("/extract", "sales", "openai", "gpt-4.1", 0.17, 9_400, 800),
    Route("/summarize", "support", "openai", "gpt-4.1", 0.14, 21_000, 700),
    Route("/classify", "platform", "openai", "gpt-4o-mini", 0.22, 1_100, 40, tokens_per_second=140),
    Route("/digest", "sales", "openai", "gpt-4o-mini", 0.14, 16_000, 1_400, tier="batch"),
)

# USD per 1M tokens: fresh input, cached input, 5-minute cache write, output; the list prices of autumn 2026.
LIST_PRICES = {
    "o3": ("2", "0.5", "0", "8"),
    "gpt-4.1": ("2", "0.5", "0", "8"),
    "gpt-4o-mini": ("0.15", "0.075", "0", "0.6"),
    "claude-sonnet-4-5": ("3", "0.3", "3.75", "15"),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One attempt of one call, before it is written in some format."""

    start: datetime
    identity: str
    route: Route
    session: str | None
    attempt: int
    input_tokens: int
    cached_tokens: int
    written_tokens: int
    output_tokens: int
    reasoning_tokens: int
    latency_ms: int
    ttft_ms: int
    status: int

    @property
    def failed(self) -> bool:
        """Whether the attempt ended with an error."""
        return self.status != 200

    @property
    def has_usage(self) -> bool:
        """Whether tokens were counted; of the failures only those that broke off while answering have any."""
        return self.input_tokens > 0

    @property
    def finish_reason(self) -> str:
        """`length` for the longest answers."""
        return "length" if self.output_tokens > 3 * self.route.output_tokens else "stop"

    def list_cost(self) -> Decimal:
        """The exact list price in USD, batch at half; 0 without usage."""
        fresh = self.input_tokens - self.cached_tokens - self.written_tokens
        counts = (fresh, self.cached_tokens, self.written_tokens, self.output_tokens)
        prices = LIST_PRICES[self.route.model]
        cost = sum((count * Decimal(price) for count, price in zip(counts, prices, strict=True)), Decimal(0))
        return cost / 1_000_000 / (2 if self.route.tier == "batch" else 1)


class Dice(random.Random):
    """A seeded generator with the few distributions that traffic needs, all drawn from `random()`."""

    def bell(self, spread: float) -> float:
        """A log-normal factor with median 1."""
        radius = math.sqrt(-2 * math.log(1 - self.random()))
        return math.exp(spread * radius * math.cos(2 * math.pi * self.random()))

    def pick(self, weights: tuple[float, ...]) -> int:
        """An index, drawn in proportion to its weight."""
        point = self.random() * sum(weights)
        for index, weight in enumerate(weights):
            point -= weight
            if point < 0:
                return index
        return len(weights) - 1

    def name(self, prefix: str, length: int = 20, letters: str = LETTERS) -> str:
        """An identifier such as a provider gives."""
        return prefix + "".join(letters[int(self.random() * len(letters))] for _ in range(length))


def draw_traffic(dice: Dice, calls: int, routes: tuple[Route, ...] = ROUTES) -> list[Sample]:
    """About `calls` calls over the six weeks, in order of time, with the retries of those that failed."""
    per_day = calls / DAYS / (sum(WEEKDAY_TRAFFIC) / 7)
    turns = sum(route.share * (1 + route.turns) / 2 for route in routes) / sum(route.share for route in routes)
    samples: list[Sample] = []
    for day in range(DAYS):
        traffic = per_day * WEEKDAY_TRAFFIC[day % 7] * dice.bell(0.08)
        for _ in range(round(traffic / turns)):
            samples.extend(draw_session(dice, FIRST_DAY + timedelta(days=day), routes))
    return sorted(samples, key=lambda sample: (sample.start, sample.identity, sample.attempt))


def draw_session(dice: Dice, day: datetime, routes: tuple[Route, ...]) -> Iterator[Sample]:
    """One visit of a user: a single call, or a conversation whose history is read from the cache."""
    route = routes[dice.pick(tuple(route.share for route in routes))]
    start = day + timedelta(hours=dice.pick(HOUR_TRAFFIC), seconds=dice.random() * 3600)
    session = dice.name("s_", 10) if route.turns > 1 else None
    history = 0
    for _ in range(1 + int(dice.random() * route.turns)):
        fresh = max(12, round(route.input_tokens * dice.bell(0.5) / (1 if not history else 6)))
        sample = draw_call(dice, route, start, session, history, fresh)
        yield from with_retry(dice, sample)
        history = sample.input_tokens if session else 0
        start += timedelta(milliseconds=sample.latency_ms, seconds=20 + dice.random() * 90)
        if start >= FIRST_DAY + timedelta(days=DAYS):
            return


def draw_call(dice: Dice, route: Route, start: datetime, session: str | None, history: int, fresh: int) -> Sample:
    """One successful call."""
    output = max(1, round(route.output_tokens * dice.bell(0.55)))
    anthropic = route.provider == "anthropic"
    cached = history if anthropic else openai_cached(dice, route, fresh)
    ttft = round(420 * dice.bell(0.35)) + round(1000 * output * route.reasoning_share / route.tokens_per_second)
    visible = output * (1 - route.reasoning_share)
    return Sample(
        start=start,
        identity=dice.name("msg_01" if anthropic else "chatcmpl-"),
        route=route,
        session=session,
        attempt=1,
        input_tokens=history + fresh,
        cached_tokens=cached,
        written_tokens=fresh if anthropic else 0,
        output_tokens=output,
        reasoning_tokens=round(output * route.reasoning_share),
        latency_ms=ttft + round(1000 * visible / (route.tokens_per_second * dice.bell(0.2))),
        ttft_ms=ttft,
        status=200,
    )


def openai_cached(dice: Dice, route: Route, prompt: int) -> int:
    """OpenAI caches prefixes from 1,024 tokens in steps of 128; here about a third of the long prompts hit."""
    if prompt < 1024 or route.tier == "batch" or dice.random() > 0.35:
        return 0
    return int(prompt * (0.3 + 0.5 * dice.random())) // 128 * 128


def with_retry(dice: Dice, sample: Sample) -> Iterator[Sample]:
    """The call, in 1.5 % of all cases after a failed attempt under the same identity."""
    if dice.random() > 0.015:
        yield sample
        return
    failure = FAILURES[dice.pick((6, 3, 2))]
    yield broken_off(sample) if failure == 504 else refused(dice, sample, failure)
    wait = timedelta(milliseconds=round(900 * dice.bell(0.4)), seconds=60 if failure == 504 else 0)
    yield replace(sample, start=sample.start + wait, attempt=2)


def refused(dice: Dice, sample: Sample, status: int) -> Sample:
    """The attempt as the provider refuses it: fast and without usage."""
    return replace(
        sample,
        status=status,
        latency_ms=round(140 * dice.bell(0.5)),
        ttft_ms=0,
        input_tokens=0,
        cached_tokens=0,
        written_tokens=0,
        output_tokens=0,
        reasoning_tokens=0,
    )


def broken_off(sample: Sample) -> Sample:
    """The attempt as it runs into a time-out while the model answers: what was read and written is billed."""
    output, reasoning = sample.output_tokens // 2, sample.reasoning_tokens // 2
    return replace(sample, status=504, latency_ms=60_000, output_tokens=output, reasoning_tokens=reasoning)
