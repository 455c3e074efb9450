"""What a run has seen, summed up as the pairs come: both sides' figures, the measures' means, pairs worth a look.

Memory does not grow with the pairs: times go into sketches (within 1 %), sums of money and tokens are exact.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from llmmigrate.costing.results import FirstToken, Latency
from llmmigrate.money import EXACT, plain
from llmmigrate.shadow.examples import Examples, Gallery
from llmmigrate.shadow.judgement import Verdict
from llmmigrate.shadow.measures import errors, errors_after_retries, latency, ttft
from llmmigrate.shadow.pairs import Arm, Pair
from llmmigrate.shadow.results import SCHEMA, ComparisonResult, CostCompared, Hashes, MeasureSummary, SideSummary, Spend
from llmmigrate.shadow.scoring import Alike, Measure, Score, Sides
from llmmigrate.shadow.storing import Store
from llmmigrate.usage.sketch import Sketch, add, quantile

ZERO: Final = Decimal(0)
_LATENCIES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_FIRST_TOKENS: Final = {"p50": 0.5, "p95": 0.95}


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What only the run itself knows; the fields of `ComparisonResult` of the same names say what they mean."""

    command: str
    version: str
    run: str | None
    started: str
    ended: str
    canary: str
    seed: int
    store: Store
    exploratory: bool = False
    hashes: Hashes
    population: int
    left_out: dict[str, int]
    planned_pairs: int
    changed: dict[str, int]
    incompatible: dict[str, int]
    not_sent_again: int = 0
    lag_ms_p99: float | None = None
    cost_sample: int = 0
    spend: Spend


class Summary:
    """Takes the pairs of the canary, in the order of evidence."""

    def __init__(self, measures: Iterable[Measure], *, current: str, target: str, store: Store) -> None:
        """`current` and `target`: the sides' names, as `provider/model`."""
        taken = tuple(measures)
        self._sides = _Side(current), _Side(target)
        self._cost = _Cost()
        self._means = [_Means(item) for item in taken if item.kind != "figure"]
        self._gallery = Gallery(taken, store)

    def add(self, pair: Pair, scores: Mapping[str, Score]) -> None:
        """Take a pair and its scores."""
        for side, arm in zip(self._sides, (pair.current, pair.target), strict=True):
            side.add(arm)
        self._cost.add(pair)
        for means in self._means:
            score = scores.get(means.measure.name)
            if score is not None:
                means.add(score)
        self._gallery.add(pair, scores)

    def result(self, verdict: Verdict, facts: Facts) -> ComparisonResult:
        """Everything that is known in the end."""
        current, target = (side.summary() for side in self._sides)
        return ComparisonResult(
            schema=SCHEMA,
            current=current,
            target=target,
            cost=self._cost.summary(),
            measures=[means.summary() for means in self._means],
            **msgspec.structs.asdict(verdict),
            **msgspec.structs.asdict(facts),
        )

    def examples(self) -> Examples:
        """The pairs that are worth a look."""
        return self._gallery.examples()


class _Mean:
    """A mean and how many values it is of."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0.0

    def add(self, value: float | Decimal | None) -> None:
        if value is not None:
            self.count += 1
            self._sum += float(value)

    @property
    def value(self) -> float | None:
        """None of no values."""
        return self._sum / self.count if self.count else None


class _Side:
    """The figures of one side."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._counts: Counter[str] = Counter()
        self._errors, self._errors_after = _Mean(), _Mean()
        self._latency: Sketch = {}
        self._ttft: Sketch = {}
        self._cost = ZERO
        self._served: Counter[str] = Counter()

    def add(self, arm: Arm) -> None:
        failed = errors_after_retries.value(arm)
        if failed is None:
            return
        self._errors.add(errors.value(arm))
        self._errors_after.add(failed)
        self._counts.update(requests=1, attempts=arm.attempts)
        _time(self._latency, latency.value(arm))
        _time(self._ttft, ttft.value(arm))
        if arm.answer is not None:
            self._add_answer(arm)

    def _add_answer(self, arm: Arm) -> None:
        self._counts.update(answers=1, unpriced=arm.cost is None)
        self._cost = EXACT.add(self._cost, arm.cost or ZERO)
        if arm.served_model is not None:
            self._served[arm.served_model] += 1
        tokens = arm.tokens
        if tokens is None or tokens.estimated:
            self._counts.update(usage_missing=1)
            return
        self._counts.update(
            input=tokens.input, cached=tokens.cached_input, output=tokens.output, reasoning=tokens.reasoning
        )

    def summary(self) -> SideSummary:
        counts = self._counts
        priced = counts["answers"] - counts["unpriced"]
        return SideSummary(
            name=self._name,
            requests=counts["requests"],
            answers=counts["answers"],
            attempts=counts["attempts"],
            errors=self._errors.value,
            errors_after_retries=self._errors_after.value,
            latency_ms=Latency(**_quantiles(self._latency, _LATENCIES)) if self._latency else None,
            ttft_ms=FirstToken(**_quantiles(self._ttft, _FIRST_TOKENS)) if self._ttft else None,
            input_tokens=counts["input"],
            cached_input_tokens=counts["cached"],
            output_tokens=counts["output"],
            reasoning_tokens=counts["reasoning"],
            usage_missing=counts["usage_missing"],
            cost=plain(self._cost) if priced else None,
            unpriced_answers=counts["unpriced"],
            served_models=dict(sorted(self._served.items())),
        )


def _time(sketch: Sketch, milliseconds: float | None) -> None:
    if milliseconds is not None:
        add(sketch, milliseconds)


def _quantiles(sketch: Sketch, wanted: Mapping[str, float]) -> dict[str, float]:
    found = {name: quantile(sketch, q) for name, q in wanted.items()}
    return {name: round(value, 3) for name, value in found.items() if value is not None}


class _Cost:
    """Sums over pairs whose cost is known on both sides; the current side's second answers are not in them."""

    def __init__(self) -> None:
        self._pairs = 0
        self._current = self._target = ZERO

    def add(self, pair: Pair) -> None:
        current, target = pair.current, pair.target
        if current.answer is None or target.answer is None or current.cost is None or target.cost is None:
            return
        self._pairs += 1
        self._current = EXACT.add(self._current, current.cost)
        self._target = EXACT.add(self._target, target.cost)

    def summary(self) -> CostCompared | None:
        if not self._pairs:
            return None
        saving = float(1 - self._target / self._current) if self._current else None
        current, target = plain(self._current), plain(self._target)
        return CostCompared(pairs=self._pairs, current=current, target=target, saving_share=saving)


class _Means:
    """The means of one measure."""

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self._means = {name: _Mean() for name in ("current", "target", "repeat", "logged", "unrelated")}
        self._bases: Counter[str] = Counter()
        self._failed = 0
        self._why: str | None = None

    def add(self, score: Score) -> None:
        self._means["target"].add(score.target)
        if isinstance(score, Sides):
            self._means["current"].add(score.current)
        else:
            self._add_alike(score)
        if score.why is not None:
            self._failed += 1
            self._why = score.why

    def _add_alike(self, score: Alike) -> None:
        self._means["repeat"].add(score.repeat)
        self._means["logged"].add(score.logged)
        self._means["unrelated"].add(score.control)
        if score.target is not None:
            self._bases[score.basis] += 1

    def summary(self) -> MeasureSummary:
        means = {name: mean.value for name, mean in self._means.items()}
        return MeasureSummary(
            name=self.measure.name,
            kind="validity" if self.measure.kind == "validity" else "agreement",
            about=self.measure.about,
            current=means["current"],
            target=means["target"],
            repeat=means["repeat"],
            logged=means["logged"],
            unrelated=means["unrelated"],
            pairs=self._means["target"].count,
            bases=dict(sorted(self._bases.items())),
            not_measured=self._failed,
            why=self._why,
        )
