"""What a run would do before anything is sent: requests, dollars, time, and what cannot be put to the target."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from llmmigrate.money import EXACT
from llmmigrate.shadow.pairs import Sampled
from llmmigrate.shadow.sample import Sample
from llmmigrate.shadow.sides import Side
from llmmigrate.usage.call import Call

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SidePreview:
    """What one side would be asked and paid."""

    name: str
    requests: int
    expected: Decimal | None
    """USD at the tokens of the log; None where the model has no price."""
    worst: Decimal | None
    """USD if every prompt and every reply were as long as it can be."""
    largest: Decimal | None
    """USD that the largest single request can cost: the cap has to leave room for it."""
    tokens: int
    """Expected."""
    minutes: float | None
    """That the rate limits take, with all sides of the provider, which share them; None without limits."""
    free: bool
    """Nothing is billed by the token."""
    unlimited: int
    """Requests whose reply nothing limits: what they can cost at most is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A run before it starts."""

    population: int
    left_out: dict[str, int]
    pairs: int
    doubled: int
    cost_requests: int
    """Requests of the cost sample that are not in the canary already."""
    current: SidePreview
    target: SidePreview
    embeddings: SidePreview | None
    """Who gives the vectors of answers: one request for each pair."""
    incompatible: dict[str, int]
    """Why requests cannot be put to a side → how many."""
    changed: dict[str, int]
    """What is translated → in how many requests."""

    @property
    def expected(self) -> Decimal | None:
        """USD of all that is asked; None where a part is not known."""
        vectors = ZERO if self.embeddings is None else self.embeddings.expected
        return _both(_both(self.current.expected, self.target.expected), vectors)

    @property
    def worst(self) -> Decimal | None:
        """USD of both sides at the most; None where one is not known."""
        return _both(self.current.worst, self.target.worst)


class _Sums:
    """Running sums of one side."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.requests = self.tokens = self.unlimited = 0
        self.expected: Decimal | None = ZERO
        self.worst: Decimal | None = ZERO
        self.largest: Decimal | None = ZERO

    def add(self, asked: Sampled, body: dict[str, Any], times: int) -> None:
        """Count a request that is sent so many times."""
        if not times:
            return
        till = self.side.till
        call = Call(input_tokens=asked.input_tokens, output_tokens=asked.output_tokens)
        limits = self.side.limits_reply(body)
        worst = self.side.worst(body).cost if limits or till.free else None
        self.unlimited += 0 if limits else times
        self.requests += times
        self.tokens += times * (asked.input_tokens + asked.output_tokens)
        self.expected = _plus(self.expected, till.cost(call), times)
        self.worst = _plus(self.worst, worst, times)
        self.largest = None if worst is None or self.largest is None else max(self.largest, worst)

    def add_answers(self, asked: Sampled, count: int) -> None:
        """Count a request for the vectors of so many answers; how long these can be at most is not known before."""
        text = asked.output_tokens - (asked.reasoning_tokens or 0)
        self.requests += 1
        self.tokens += count * text
        self.expected = _plus(self.expected, self.side.till.cost(Call(input_tokens=count * text)), 1)
        self.worst = self.largest = None

    def preview(self, everybody: Sequence["_Sums"]) -> SidePreview:
        """What the sums come to; those of `everybody` at the same provider share its limits."""
        endpoint = self.side.endpoint
        sharing = [sums for sums in everybody if sums.side.endpoint.account == endpoint.account]
        amounts = (
            (sum(sums.requests for sums in sharing), endpoint.rpm),
            (sum(sums.tokens for sums in sharing), endpoint.tpm),
        )
        limits = [amount / limit for amount, limit in amounts if limit]
        return SidePreview(
            name=endpoint.name,
            requests=self.requests,
            expected=self.expected,
            worst=self.worst,
            largest=self.largest,
            tokens=self.tokens,
            minutes=max(limits) if limits else None,
            free=self.side.till.free,
            unlimited=self.unlimited,
        )


def preview(
    sample: Sample, current: Side, target: Side, *, doubled: int, fresh: bool, embeddings: Side | None = None
) -> Preview:
    """What a run on `sample` would do; in the first `doubled` pairs current is asked twice.

    `fresh` False: its logged answers stand for it. `embeddings` gives vectors of the canary's answers.
    """
    sums = _Sums(current), _Sums(target)
    vectors = None if embeddings is None else _Sums(embeddings)
    incompatible: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    jobs = [(place, int(fresh) + (number < doubled), True) for number, place in enumerate(sample.canary)]
    jobs += [(place, 0, False) for place in sample.cost_only()]
    for place, of_current, in_canary in jobs:
        asked = sample.bodies.get(place)
        made = [side.translate(asked) for side in ((current, target) if fresh else (target,))]
        here, there = made[0], made[-1]
        refused = [finding.words for finding in itertools.chain(*(one.refused for one in made))]
        incompatible.update(dict.fromkeys(refused, 1))
        if here.body is None or there.body is None:
            continue
        changed.update(dict.fromkeys((finding.words for finding in there.changes), 1))
        sums[0].add(asked, here.body, of_current)
        sums[1].add(asked, there.body, 1)
        if vectors is not None and in_canary:
            vectors.add_answers(asked, 1 + max(of_current, 1) + (fresh and asked.logged is not None))
    everybody = [*sums, vectors] if vectors is not None else sums
    return Preview(
        population=sample.population,
        left_out=dict(sample.left_out),
        pairs=len(sample.canary),
        doubled=doubled,
        cost_requests=len(sample.cost_only()),
        current=sums[0].preview(everybody),
        target=sums[1].preview(everybody),
        embeddings=None if vectors is None else vectors.preview(everybody),
        incompatible=dict(incompatible),
        changed=dict(changed),
    )


def _plus(total: Decimal | None, amount: Decimal | None, times: int) -> Decimal | None:
    if total is None or amount is None:
        return None
    return EXACT.add(total, EXACT.multiply(amount, times))


def _both(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else EXACT.add(one, other)
