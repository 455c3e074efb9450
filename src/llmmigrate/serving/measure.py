"""A short closed-loop measurement of a running endpoint: so many requests at a time, each followed by the next.

Two runs: answers of one token, then answers of full length. The first gives the speed of reading input; what the second
takes longer is the making of output. Prompts differ, so that no cache of prefixes answers for the model.
"""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from llmmigrate.endpoints.http import HttpError, stream_events
from llmmigrate.errors import ServingError
from llmmigrate.serving.cost import Rate

ROUNDS: Final = 2
"""Requests that each of the concurrent clients sends in a run."""
REQUEST_SECONDS: Final = 300.0

_FOUR: Final = Context(prec=4, rounding=ROUND_HALF_EVEN)
_WORDS: Final = (
    "cost",
    "token",
    "route",
    "price",
    "cache",
    "model",
    "batch",
    "month",
    "answer",
    "canary",
    "ratio",
    "log",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to ask for: about so many input words and at most so many output tokens a request."""

    concurrency: int
    input_words: int
    output_tokens: int
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Run:
    """Sums over the requests of one run that were answered."""

    requests: int
    failed: int
    input_tokens: int
    output_tokens: int
    seconds: float


def measure(root_url: str, model: str, load: Load, *, key: str | None = None) -> Rate:
    """The rates of an endpoint under `load`. ServingError when requests fail or tell no usage: half a rate is none."""
    url = f"{root_url}/v1/chat/completions"
    short = _run(url, model, load, 1, key)
    full = _run(url, model, load, load.output_tokens, key)
    for run in (short, full):
        if run.failed or not run.input_tokens or not run.output_tokens:
            raise ServingError(
                f"the measurement failed: of {run.requests} requests {run.failed} got no answer that tells its usage",
                fix="look into the engine's log",
                code="measure",
            )
    reading = _rate(short.input_tokens, short.seconds)
    rest = full.seconds - full.input_tokens / float(reading)
    each = full.requests
    return Rate(
        basis="measured",
        label=f"{each} requests",
        source="this machine, now",
        concurrency=load.concurrency,
        input_tokens=full.input_tokens // each,
        output_tokens=full.output_tokens // each,
        input_per_second=_rate(full.input_tokens, full.seconds),
        output_per_second=_rate(full.output_tokens, full.seconds),
        tokens_per_second=_rate(full.input_tokens + full.output_tokens, full.seconds),
        alone_input_per_second=reading if rest > 0 else None,
        alone_output_per_second=_rate(full.output_tokens, rest) if rest > 0 else None,
    )


def _rate(tokens: int, seconds: float) -> Decimal:
    return _FOUR.divide(Decimal(tokens), Decimal(repr(seconds)))


def _run(url: str, model: str, load: Load, output_tokens: int, key: str | None) -> _Run:
    prompts = _prompts(load, output_tokens)
    bodies = [_body(model, prompt, output_tokens) for prompt in prompts]
    started = time.perf_counter()
    with ThreadPoolExecutor(load.concurrency) as pool:
        found = list(pool.map(lambda body: _usage(url, body, key), bodies))
    seconds = time.perf_counter() - started
    told = [usage for usage in found if usage is not None]
    return _Run(
        requests=len(bodies),
        failed=len(bodies) - len(told),
        input_tokens=sum(usage[0] for usage in told),
        output_tokens=sum(usage[1] for usage in told),
        seconds=seconds,
    )


def _prompts(load: Load, output_tokens: int) -> Iterator[str]:
    chance = random.Random(f"{load.seed}/{output_tokens}")
    for _ in range(load.concurrency * ROUNDS):
        yield " ".join(chance.choices(_WORDS, k=load.input_words))


def _body(model: str, prompt: str, output_tokens: int) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": output_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def _usage(url: str, body: dict[str, Any], key: str | None) -> tuple[int, int] | None:
    """Input and output tokens as the endpoint tells them; None for a failure or an answer without usage."""
    usage: dict[str, Any] = {}
    try:
        for event in stream_events(url, body, key=key, seconds=REQUEST_SECONDS):
            usage = event.get("usage") or usage
        return int(usage["prompt_tokens"]), int(usage["completion_tokens"])
    except (HttpError, KeyError, TypeError, ValueError):
        return None
