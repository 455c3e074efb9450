"""What the pairs of a run come to beside the verdict: both sides' cost of the same requests, and the measures' means.

Memory does not grow with the pairs, and sums of money are exact.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from llmmigrate.money import EXACT, plain
from llmmigrate.shadow.outcome import CostCompared, MeasureSummary
from llmmigrate.shadow.pairs import Pair
from llmmigrate.shadow.scoring import Alike, Measure, Score, Sides

ZERO: Final = Decimal(0)


class Summary:
    """Takes the pairs of the canary with their scores."""

    def __init__(self, measures: Iterable[Measure]) -> None:
        self._cost = _Cost()
        self._means = [_Means(item) for item in measures if item.kind != "figure"]

    def add(self, pair: Pair, scores: Mapping[str, Score]) -> None:
        """Take a pair."""
        self._cost.add(pair)
        for means in self._means:
            score = scores.get(means.measure.name)
            if score is not None:
                means.add(score)

    def cost(self) -> CostCompared | None:
        """Both sides' cost of the requests that both answered at a known cost; None where there were none."""
        return self._cost.summary()

    def measures(self) -> list[MeasureSummary]:
        """The means of all validities and agreements."""
        return [means.summary() for means in self._means]


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
