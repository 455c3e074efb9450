"""The records of a verdict: what the JSON contract llmmigrate.verdict/1 says of gates, noise and failures."""

from typing import Literal

import msgspec

from llmmigrate.costing.results import Money, Record
from llmmigrate.shadow.trial import Kind

Baseline = Literal["fresh", "logged"]
Unit = Literal["request", "session"]
Side = Literal["current", "target"]
Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE"]
Stop = Literal["decided", "finished", "budget", "interrupted"]
"""Why no more pairs came."""
Reason = Literal[
    "gates_hold",
    "gate_broken",
    "infrastructure",
    "clustered",
    "drift",
    "cannot_decide",
    "no_control",
    "no_data",
    "not_comparable",
    "budget",
    "interrupted",
    "undecided",
]


class GateResult(Record, frozen=True, kw_only=True):
    """One gate: the test's answer, and the estimates beside it. Shares and scores are parts of 1, times are in ms."""

    key: str
    limit: str
    kind: Kind
    """Of what `estimate`, `low`, `high` and `limit_value` are: target minus current, the target's share or score, the
    target's time over the current side's, or the target's time."""
    limit_value: float
    quantile: float | None
    result: Literal["PASS", "FAIL", "INCONCLUSIVE", "not comparable"]
    pairs: int
    """That entered the test."""
    pilot_pairs: int
    """First pairs that only fixed the current side's quantile."""
    evidence_pass: float
    """The most that there has been; `needed_pass` is enough."""
    evidence_fail: float
    needed_pass: float
    needed_fail: float
    estimate: float | None
    low: float | None
    high: float | None
    current: float | None
    target: float | None
    p_value: float | None
    expected_pairs: int | None
    """More pairs that may decide it; null where none may at what was seen, 0 where it is decided."""
    words: str


class NoiseResult(Record, frozen=True, kw_only=True):
    """What the current side agrees with itself in one measure, and the controls. Mean scores; null is not measured."""

    gate: str
    repeat: float | None
    target: float | None
    logged: float | None
    unrelated: float | None
    repeated_pairs: int
    logged_pairs: int
    """Pairs on which the logged answer stood for a second one."""
    bases: dict[str, int]
    """Which measure decided, and on how many pairs."""
    can_decide: bool | None
    drifted: bool
    words: str


class Exclusion(Record, frozen=True, kw_only=True):
    """Pairs that no gate counts, and why."""

    side: Side
    reason: str
    pairs: int


class FailureCount(Record, frozen=True, kw_only=True):
    """Failures of one kind on one side: of first attempts, which the gate counts, and after all attempts."""

    side: Side
    failure: str
    first_attempts: int
    after_retries: int
    parameters: dict[str, int] = msgspec.field(default_factory=dict)
    """Names of the parameters that the endpoint refused, and how often it named each."""


class Clustering(Record, frozen=True, kw_only=True):
    """The runs test of one side's first attempts."""

    side: Side
    failures: int
    others: int
    runs: int
    p_value: float
    clustered: bool


class Verdict(Record, frozen=True, kw_only=True):
    """The answer, its evidence, and what it rests on."""

    verdict: Outcome
    reason: Reason
    words: str
    alpha: float
    confidence: float
    """Of the intervals, two-sided."""
    baseline: Baseline
    unit: Unit
    pairs: int
    gates: list[GateResult]
    noise: list[NoiseResult]
    excluded: list[Exclusion]
    failures: list[FailureCount]
    clustering: list[Clustering]
    expected_pairs: int | None
    """More pairs that may decide everything; null where that is not to be expected."""
    expected_cost: Money | None
    """USD for these pairs; null where it is not known."""
