"""The result of a run, as `verdict.json` has it and every report draws from it."""

from typing import Literal

from llmmigrate.costing.results import Money, Record, Share
from llmmigrate.shadow.verdict import Verdict

SCHEMA = "llmmigrate.verdict/1"


class Quantiles(Record, frozen=True, kw_only=True):
    """Milliseconds over answered requests; null where nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None


class SideResult(Record, frozen=True, kw_only=True):
    """What one side did, all its requests together: pairs, repetitions and the cost sample."""

    name: str
    """`provider/model`."""
    answers: int
    failures: dict[str, int]
    """After all attempts, by kind."""
    attempts: int
    """Requests that left, retries included."""
    served_models: dict[str, int]
    """What the endpoint says has answered, and how often."""
    cost: Money | None
    """USD for its answers; null where some have no price."""
    free: bool
    """Nothing is billed by the token there."""
    unpriced_answers: int
    estimated_answers: int
    """Answers without usage, whose tokens and cost are estimated."""
    possibly_billed: Money
    """USD, worst case, for attempts that failed so that they may have been charged; not in `cost`."""
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    latency_ms: Quantiles
    ttft_ms: Quantiles
    changes: dict[str, int]
    """What was translated for this side, in words → in how many requests."""


class Said(Record, frozen=True, kw_only=True):
    """One side's answer to one request, as it may be shown."""

    failure: str | None
    detail: str | None
    text: str | None
    """Null where no text is kept."""
    tool_calls: list[dict[str, str]]
    latency_ms: float | None
    output_tokens: int | None
    cost: Money | None


class ShownPair(Record, frozen=True, kw_only=True):
    """One of the pairs that speak most against the target."""

    place: str
    """`file:line` of the log."""
    key: str
    prompt: str | None
    """The last message of the request; null where no text is kept."""
    score: float | None
    """The agreement of target and current, 0 to 1."""
    scores: dict[str, float | None]
    """By measure: agreement, or the target's validity."""
    current: Said
    target: Said


class CostCompared(Record, frozen=True, kw_only=True):
    """Cost of the requests that both sides answered at a known cost."""

    pairs: int
    current: Money
    target: Money
    saving_share: Share | None
    """Null where the current side costs nothing."""
    currency: Literal["USD"] = "USD"


class MeasureSummary(Record, frozen=True, kw_only=True):
    """Means of one measure. Of a validity, what each side keeps; of an agreement, how alike its answers are."""

    name: str
    kind: Literal["validity", "agreement"]
    about: str
    current: float | None
    """Of a validity."""
    target: float | None
    """Of an agreement: of the current side's answer and the target's."""
    repeat: float | None
    """The current side's two answers."""
    logged: float | None
    """The current side's answer and the logged one."""
    unrelated: float | None
    """The current side's answers to different requests."""
    pairs: int
    """In which it applied to the target's answer."""
    bases: dict[str, int]
    """Of an agreement: which measure decided, and on how many of these pairs."""
    not_measured: int
    """Pairs to which it applies and on which it failed."""
    why: str | None
    """Of the last of them."""


class Spend(Record, frozen=True, kw_only=True):
    """Money of the run, both sides."""

    currency: str
    total: Money
    """Counted against the cap: answers, and what may have been billed."""
    cap: Money | None
    tokens: int
    token_cap: int | None


class Outcome(Record, frozen=True, kw_only=True):
    """A run and its verdict."""

    schema: str
    command: str
    version: str
    run: str | None
    """The run's name; null for what was never stored."""
    exploratory: bool
    """Stored answers were judged anew: the gates were chosen after seeing the data."""
    canary: str
    seed: int
    store: str
    population: int
    """Requests that could have been drawn."""
    sampled: int
    sample_sha256: str
    prices: dict[str, str]
    """Price table → SHA-256."""
    verdict: Verdict
    current: SideResult
    target: SideResult
    spend: Spend
    cost: CostCompared | None
    """Null where no request was answered by both sides at a known cost."""
    measures: list[MeasureSummary]
    left_out: dict[str, int]
    """Calls of the log that could not be drawn, and why."""
    lag_ms_p99: float | None
    """How long requests waited for our own schedule; above 500 the run was slower than planned."""
    worst: list[ShownPair]
    cost_sample: int
    """Answers that calibration.json rests on."""
