"""The result of a comparison: the JSON contract `llmmigrate.verdict/1`.

Money is a decimal string in USD; what was not measured is null and never 0. No text of a request or an answer is in it.
"""

from typing import Final, Literal

from llmmigrate.costing.results import FirstToken, Latency, Money, Record, Share
from llmmigrate.shadow.judgement import Verdict

SCHEMA: Final = "llmmigrate.verdict/1"


class Hashes(Record, frozen=True, kw_only=True):
    """SHA-256 of what the result rests on, in hexadecimal."""

    sample: str
    """Of the keys of the sampled requests."""
    logs: dict[str, str]
    """Of each log file, by its path."""
    prices: dict[str, str]
    """Of each price table that gave a rate, by its provider."""


class Spend(Record, frozen=True, kw_only=True):
    """What the run itself has cost, both sides and all samples together."""

    total: Money
    """For answers whose usage and price are known."""
    possibly_billed: Money
    """At the worst case: failures and broken-off requests that may have been charged."""
    cap: Money | None
    tokens: int
    tokens_cap: int | None
    currency: Literal["USD"] = "USD"


class SideSummary(Record, frozen=True, kw_only=True):
    """One side, over the requests of the canary that it was asked once each."""

    name: str
    requests: int
    """That it was asked; what could not be put to it, or failed by our own fault, is not among them."""
    answers: int
    attempts: int
    errors: Share | None
    """Of first attempts."""
    errors_after_retries: Share | None
    latency_ms: Latency | None
    """Of answers."""
    ttft_ms: FirstToken | None
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    usage_missing: int
    """Answers whose tokens the endpoint did not count; they are in no sum of tokens."""
    cost: Money | None
    """Of the answers with a known cost; null where there are none."""
    unpriced_answers: int
    served_models: dict[str, int]
    """The models that the endpoint says have answered."""


class CostCompared(Record, frozen=True, kw_only=True):
    """Cost of the requests that both sides answered at a known cost: the only sums that can be held together."""

    pairs: int
    current: Money
    target: Money
    saving_share: Share | None
    """Null where the current side costs nothing."""
    currency: Literal["USD"] = "USD"


class MeasureSummary(Record, frozen=True, kw_only=True):
    """Means of one measure. Of a validity, what each side keeps; of an agreement, how alike answers are."""

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


class ComparisonResult(Verdict, frozen=True, kw_only=True):
    """Whether the target is good enough, and what that rests on (llmmigrate.verdict/1)."""

    schema: str
    command: str
    version: str
    run: str | None
    """The name of the run's folder."""
    started: str
    ended: str
    canary: str
    """Part of the calls that is replayed, as a decimal fraction."""
    seed: int
    store: Literal["redacted", "hashes", "full"]
    exploratory: bool
    """Stored answers were judged again, so the stated risks do not hold."""
    hashes: Hashes
    population: int
    """Calls that could have been drawn."""
    left_out: dict[str, int]
    """Why calls could not be drawn, and how many."""
    planned_pairs: int
    changed: dict[str, int]
    """What was translated for the target, and in how many requests."""
    incompatible: dict[str, int]
    """What cannot be put to a side, and in how many requests."""
    not_sent_again: int
    """Requests of an earlier start of the run that may have been sent, and were not sent again."""
    lag_ms_p99: float | None
    """How long requests waited for our own limits and schedule; above 500 the run was slower than planned."""
    cost_sample: int
    """Answers that the calibration rests on."""
    current: SideSummary
    target: SideSummary
    cost: CostCompared | None
    spend: Spend
    measures: list[MeasureSummary]
