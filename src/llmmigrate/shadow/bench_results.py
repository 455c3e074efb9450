"""The result record of a benchmark: the JSON contract `llmmigrate.bench/1`, and its reading back from a file."""

from pathlib import Path
from typing import Annotated, Final

import msgspec

from llmmigrate.costing.results import Money, Record
from llmmigrate.errors import InputError, Location

SCHEMA: Final = "llmmigrate.bench/1"

Milliseconds = Annotated[float, msgspec.Meta(description="milliseconds")]


class Spread(Record, frozen=True, kw_only=True):
    """How a time is spread over the answers; null where too few answers tell.

    A percentile p is the smallest time that at least p of them do not exceed, and is null below 1 / (1 - p) answers:
    the slowest of 20 answers is no 99th percentile.
    """

    count: int
    mean: Milliseconds | None
    sd: Milliseconds | None
    """Standard deviation of a single answer (n - 1)."""
    p50: Milliseconds | None
    p90: Milliseconds | None
    p99: Milliseconds | None


class BenchTokens(Record, frozen=True, kw_only=True):
    """Sums over the answers whose usage the endpoint told."""

    answers: int
    input: int
    cached_input: int
    """Inside input."""
    output: int
    reasoning: int
    """Inside output."""


class BenchEndpoint(Record, frozen=True, kw_only=True):
    """What was measured of one endpoint."""

    name: str
    provider: str
    model: str
    dialect: str
    served_models: list[str]
    """What the answers say has answered."""
    requests: int
    answers: int
    failures: dict[str, int]
    """By class, as `docs/failures.md` names them; `ours` and `breaker` are no fault of an answer."""
    details: dict[str, str]
    """What the endpoint said first, for each class."""
    stopped: str | None
    """Why it was not asked to the end: budget, breaker, auth, quota, not_found, interrupted; else null."""
    seconds: float
    """From the first request to the end of the last answer, without the warm-up."""
    requests_per_second: float | None
    """Answers in this time."""
    output_tokens_per_second: float | None
    """Of all streams together; null where an answer came without usage."""
    latency_ms: Spread
    ttft_ms: Spread
    """Until the first content or reasoning."""
    inter_token_ms: Spread
    """Mean time between two tokens of one answer: (latency - ttft) / (tokens - 1), tokens as the usage counts them."""
    lag_ms_p99: Milliseconds | None
    """How far requests left behind our own schedule."""
    tokens: BenchTokens
    cost: Money | None
    """Of all answers with a known cost, warm-up included; null where none is known."""
    unknown_costs: int
    """Requests that were or may have been billed, and whose cost is not known."""


class BenchLoad(Record, frozen=True, kw_only=True):
    """What was sent, the same for all endpoints."""

    loop: str
    """closed: so many at one time. open: so many a second."""
    concurrency: int
    """Requests at one time; in an open loop at most."""
    rate: float | None
    seconds: float | None
    requests: int | None
    in_turn: bool
    """One endpoint after another, in rounds, instead of all at the same time."""
    prompts: str
    prompt_count: int
    prompts_sha256: str
    max_output_tokens: int


class Bench(Record, frozen=True, kw_only=True):
    """How fast endpoints answer (llmmigrate.bench/1)."""

    schema: str
    command: str
    version: str
    started: str
    ended: str
    load: BenchLoad
    endpoints: list[BenchEndpoint]
    spent: Money
    """Against the cap: known costs, and the worst case where a cost is not known."""
    cap: Money | None
    currency: str


def load(path: str) -> Bench:
    """A benchmark that was saved with `-o FILE.json`; InputError when the file is none."""
    where = Location(path)
    fix = "llmmigrate bench P/M … -o bench.json writes one"
    try:
        found = msgspec.json.decode(Path(path).read_bytes(), type=Bench)
    except OSError as error:
        raise InputError(f"cannot read {path}", why=error.strerror, fix=fix) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("no benchmark", where=where, why=str(error), fix=fix) from None
    if found.schema != SCHEMA:
        raise InputError("no benchmark", where=where, why=f"its schema is {found.schema}", fix=fix)
    return found
