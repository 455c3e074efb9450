"""What a rule measures, with its sampling error: ratios of sums over calls, from a profile's moments.

A measure is Σ aᵢ / Σ bᵢ over calls, a and b linear in a call's tokens. Its variance is that of Σ (aᵢ - R·bᵢ) / Σ b
(the delta method), a quadratic form of the second moments that a profile keeps. Where the log has sessions, calls of
one session are not independent: the variance then is that between the 64 hashed session buckets.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Final, Generic, Literal, NamedTuple, TypeVar

import msgspec

from llmmigrate.checks.significance import Estimate
from llmmigrate.costing.sides import Group, Lot, Side, cost, joined, piece_cost
from llmmigrate.units import INPUT_CLASSES, OUTPUT_CLASSES, TOKEN_CLASSES
from llmmigrate.usage.profile import CLASS_COUNT, Profile
from llmmigrate.usage.sketch import Sketch, merge

RatioName = Literal["cost_per_1000_calls", "output_tokens_per_call", "cache_hit_share"]
Scope = Mapping[str, str]
"""The values of model, provider and tags that calls have; without any, all calls."""
Model = tuple[str | None, str | None]
T = TypeVar("T")

_OUTPUT: Final = tuple(1.0 if name in OUTPUT_CLASSES else 0.0 for name in TOKEN_CLASSES)
_INPUT: Final = tuple(1.0 if name in INPUT_CLASSES else 0.0 for name in TOKEN_CLASSES)
_CACHED: Final = tuple(1.0 if name == "cache_read" else 0.0 for name in TOKEN_CLASSES)
_NONE: Final = (0.0,) * CLASS_COUNT


class Form(NamedTuple):
    """A linear form of one call: a constant and a factor for each token class."""

    constant: float
    tokens: tuple[float, ...]


class Bucket(NamedTuple):
    """Sessions that a profile keeps together: Σ (a - R·b) over their calls, centred, and how many calls they are."""

    residual: float
    calls: float


class Sample(msgspec.Struct, frozen=True):
    """One lot with the two forms whose sums a ratio divides."""

    lot: Lot
    above: Form
    below: Form
    cost: Fraction | None
    """USD, where a measure is about cost."""


class Grouped(Generic[T]):
    """Things of groups, found by the value of a model, provider or tag without looking at all of them."""

    def __init__(self, made: Iterable[tuple[Group, T]], tags: Sequence[str]) -> None:
        self._all = list(made)
        self._tags = tags
        self._by: dict[str, dict[str | None, list[tuple[Group, T]]]] = {}

    def of(self, scope: Scope) -> list[tuple[Group, T]]:
        """Those in scope, in their order."""
        found = self._all
        for number, (name, wanted) in enumerate(scope.items()):
            if number == 0:
                found = self._values(name).get(wanted, [])
            else:
                found = [entry for entry in found if value_of(entry[0], name, self._tags) == wanted]
        return found

    def _values(self, name: str) -> dict[str | None, list[tuple[Group, T]]]:
        if name not in self._by:
            self._by[name] = {}
            for entry in self._all:
                self._by[name].setdefault(value_of(entry[0], name, self._tags), []).append(entry)
        return self._by[name]


class Sampled:
    """A priced side with its profile. What rules look at is made once: a policy may have thousands of them."""

    def __init__(self, side: Side, profile: Profile) -> None:
        self.side = side
        self.profile = profile
        self._made: dict[RatioName, Grouped[Sample]] = {}
        self._sketches: Grouped[Sketch] | None = None
        self._wholes: dict[RatioName, dict[Model, list[Sample]]] = {}
        self._logged: Counter[Model] = Counter()
        for key, cell in profile.cells.items():
            self._logged[key.provider, key.model] += cell.calls

    def samples(self, name: RatioName, scope: Scope) -> list[tuple[Sample, Model]]:
        """The lots in scope, each with its model."""
        if name not in self._made:
            self._made[name] = Grouped(_samples(name, self.side), self.profile.tags)
        return [(sample, (group.provider, group.model)) for group, sample in self._made[name].of(scope)]

    def sizes(self, scope: Scope) -> Sketch:
        """The distribution of output tokens of the calls in scope."""
        if self._sketches is None:
            made = ((Group(k.provider, k.model, k.tags), s.output_tokens) for k, s in self.profile.sketches.items())
            self._sketches = Grouped(made, self.profile.tags)
        found: Sketch = {}
        for _, sketch in self._sketches.of(scope):
            merge(found, sketch)
        return found

    def whole(self, name: RatioName, model: Model) -> list[Sample]:
        """The lots of a model, those with the same forms as one: every rule of a part of its calls asks for them."""
        if name not in self._wholes:
            by_model: dict[Model, list[Sample]] = {}
            for sample, own in self.samples(name, {}):
                by_model.setdefault(own, []).append(sample)
            self._wholes[name] = {own: _together(samples) for own, samples in by_model.items()}
        return self._wholes[name][model]

    def logged(self, model: Model) -> int:
        """A model's calls, those without usage, too."""
        return self._logged[model]


def exact(name: RatioName, sampled: Sampled, scope: Scope) -> Fraction | None:
    """A ratio over the calls in scope, exactly; None where its denominator is 0."""
    samples = [sample for sample, _ in sampled.samples(name, scope)]
    lots = [sample.lot for sample in samples]
    if name == "cost_per_1000_calls":
        above = 1000 * sum((sample.cost or Fraction(0) for sample in samples), Fraction(0))
    else:
        above = Fraction(sum(_count(_CACHED if name == "cache_hit_share" else _OUTPUT, lot) for lot in lots))
    below = sum(_count(_INPUT, lot) if name == "cache_hit_share" else lot.calls for lot in lots)
    return above / below if below else None


def ratio(name: RatioName, sampled: Sampled, scope: Scope) -> Estimate | None:
    """A ratio over the calls in scope with its sampling error; None where its denominator is 0."""
    value = exact(name, sampled, scope)
    if value is None:
        return None
    samples = sampled.samples(name, scope)
    below = sum(_sum(sample.below, sample.lot) for sample, _ in samples)
    variance, freedom = _variance(name, sampled, scope, float(value), below)
    return Estimate(float(value), variance, freedom, sum(sample.lot.calls for sample, _ in samples))


def design_effect(sampled: Sampled, scope: Scope) -> float:
    """How many times more the mean output of a call varies than it would with independent calls; at least 1."""
    samples = sampled.samples("output_tokens_per_call", scope)
    below = sum(_sum(sample.below, sample.lot) for sample, _ in samples)
    if not below:
        return 1.0
    value = sum(_sum(sample.above, sample.lot) for sample, _ in samples) / below
    alone = _independent(samples, value)
    found, _ = _variance("output_tokens_per_call", sampled, scope, value, below)
    calls = sum(sample.lot.calls for sample, _ in samples)
    # Without n / (n - 1), which the variance of a part of the calls has not: independent calls have exactly 1.
    return max(1.0, found * below**2 / alone * (calls - 1) / calls) if found and alone else 1.0


def _samples(name: RatioName, side: Side) -> list[tuple[Group, Sample]]:
    """The lots. What a gateway's cache answered is a call, but has no tokens of a model; what has no price has tokens,
    but no cost.
    """
    parts = [(group, tier, part) for group, tiers in side.parts.items() for tier, part in tiers.items()]
    if name != "cost_per_1000_calls":
        parts = [entry for entry in parts if entry[1] is not None]
        parts += [(group, "", part) for group, part in side.bare.items()]
    return [(group, _sample(name, lot)) for group, _, part in parts for lot in part.all_lots()]


def _together(samples: Sequence[Sample]) -> list[Sample]:
    """The lots whose forms are the same as one lot each: their sums are the same."""
    alike: dict[tuple[Form, Form], list[Sample]] = {}
    for sample in samples:
        alike.setdefault((sample.above, sample.below), []).append(sample)
    return [Sample(joined([s.lot for s in same]), above, below, None) for (above, below), same in alike.items()]


def _sample(name: RatioName, lot: Lot) -> Sample:
    if name == "output_tokens_per_call":
        return Sample(lot, Form(0.0, _OUTPUT), Form(1.0, _NONE), None)
    if name == "cache_hit_share":
        return Sample(lot, Form(0.0, _CACHED), Form(0.0, _INPUT), None)
    rates = tuple(1000 * float(rate or 0) for rate in lot.own.tokens)
    # Of searches and images the log keeps sums only: a call counts with the mean of its lot.
    fees = 1000 * float(piece_cost(lot.own, lot.pieces)) / lot.calls
    return Sample(lot, Form(fees, rates), Form(1.0, _NONE), cost(lot.own, lot))


def _count(factors: Sequence[float], lot: Lot) -> int:
    return sum(n for f, n in zip(factors, lot.tokens, strict=True) if f)


def _sum(form: Form, lot: Lot) -> float:
    return form.constant * lot.calls + sum(f * n for f, n in zip(form.tokens, lot.tokens, strict=True))


def _variance(
    name: RatioName, sampled: Sampled, scope: Scope, value: float, below: float
) -> tuple[float | None, float]:
    """The variance of a ratio and its degrees of freedom; None where the log does not tell single calls."""
    samples = sampled.samples(name, scope)
    calls = sum(sample.lot.calls for sample, _ in samples)
    if calls < 2 or any(sample.lot.aggregated for sample, _ in samples):
        return None, 0.0
    alone = _independent(samples, value) * calls / (calls - 1) / below**2
    if not sampled.profile.sessions:
        return alone, calls - 1.0
    models = list(dict.fromkeys(model for _, model in samples))
    buckets = _buckets(name, sampled, models, value)
    if len(buckets) < 2:
        return alone, calls - 1.0
    whole = [sample for model in models for sample in sampled.whole(name, model)]
    return _joined(alone, calls, buckets, whole, value)


def _joined(
    alone: float, calls: int, buckets: Sequence[Bucket], whole: Sequence[Sample], value: float
) -> tuple[float, float]:
    """The variance with the sessions' own: between buckets for calls with a session, plain for the rest.

    Sessions are kept by model; where the scope is narrower than its models, their design effect is applied to it.
    """
    held = sum(sample.lot.calls for sample in whole)
    plain = sum(_square(sample, value) for sample in whole)
    clustered, between = _between(buckets)
    share = min(1.0, sum(bucket.calls for bucket in buckets) / held)
    loose = (1 - share) * plain
    effect = (clustered + loose) / plain if plain else 1.0
    if calls < held:
        effect = max(1.0, effect)
    freedom = (clustered + loose) ** 2 / (clustered**2 / between + loose**2 / max(calls - 1, 1) or 1.0)
    return alone * effect, max(1.0, freedom)


def _between(buckets: Sequence[Bucket]) -> tuple[float, float]:
    """Σ r² over buckets without its bias, and its degrees of freedom.

    Buckets hold unlike numbers of calls. If a bucket's sum varies with its share w of the calls, the centred sums have
    the covariance diag(w) - w·wᵀ: Σ r² falls short by Σ w², and Satterthwaite's degrees of freedom are
    tr² / tr of the square (Bell and McCaffrey 2002). With equal buckets that is n / (n - 1) and n - 1.
    """
    covered = math.fsum(bucket.calls for bucket in buckets)
    squares, cubes = (math.fsum((bucket.calls / covered) ** power for bucket in buckets) for power in (2, 3))
    trace = 1 - squares
    found = math.fsum(bucket.residual**2 for bucket in buckets)
    return found / trace, max(1.0, trace**2 / (squares - 2 * cubes + squares**2))


def _buckets(name: RatioName, sampled: Sampled, models: Sequence[Model], value: float) -> list[Bucket]:
    """The session buckets of models that hold calls."""
    sums: dict[int, list[float]] = {}
    for model in models:
        own = sampled.whole(name, model)
        form = _mean_form(own, value)
        calls = sum(sample.lot.calls for sample in own)
        logged = sampled.logged(model)
        for number, (requests, *tokens) in sampled.profile.sessions.get(model, {}).items():
            counted = requests * calls / logged if logged else 0.0
            held = sums.setdefault(number, [0.0, 0.0])
            held[0] += form.constant * counted + sum(f * n for f, n in zip(form.tokens, tokens, strict=True))
            held[1] += counted
    covered = sum(calls for _, calls in sums.values())
    mean = sum(total for total, _ in sums.values()) / covered if covered else 0.0
    return [Bucket(total - mean * calls, calls) for total, calls in sums.values() if calls]


def _mean_form(samples: Sequence[Sample], value: float) -> Form:
    """The form of a - R·b of a model's mean call: sessions are not kept apart by what decides a price."""
    calls = sum(sample.lot.calls for sample in samples) or 1
    constant = sum((s.above.constant - value * s.below.constant) * s.lot.calls for s in samples) / calls
    factors = []
    for i in range(CLASS_COUNT):
        tokens = sum(sample.lot.tokens[i] for sample in samples)
        weighted = sum((s.above.tokens[i] - value * s.below.tokens[i]) * s.lot.tokens[i] for s in samples)
        factors.append(weighted / tokens if tokens else 0.0)
    return Form(constant, tuple(factors))


def _independent(samples: Sequence[tuple[Sample, Model]], value: float) -> float:
    """Σ (a - R·b)² over the calls themselves."""
    return sum(_square(sample, value) for sample, _ in samples)


def _square(sample: Sample, value: float) -> float:
    """Σ (a - R·b)² over a lot's calls, from its moments."""
    lot = sample.lot
    constant = sample.above.constant - value * sample.below.constant
    factors = [a - value * b for a, b in zip(sample.above.tokens, sample.below.tokens, strict=True)]
    total = constant**2 * lot.calls + 2 * constant * math.fsum(f * n for f, n in zip(factors, lot.tokens, strict=True))
    for pair, moment in lot.moments.items():
        i, j = divmod(pair, CLASS_COUNT)
        total += factors[i] * factors[j] * moment * (1 if i == j else 2)
    return max(total, 0.0)


def value_of(group: Group, name: str, tags: Sequence[str]) -> str | None:
    """A group's model, provider or tag."""
    if name in ("model", "provider"):
        found: str | None = getattr(group, name)
        return found
    return group.tags[tags.index(name.removeprefix("tag."))]
