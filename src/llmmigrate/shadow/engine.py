"""Asks both sides about every request of the sample, and hands the pairs on in the order of evidence."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from llmmigrate.shadow.journal import Journal
from llmmigrate.shadow.ordered import Halt, in_order
from llmmigrate.shadow.pairs import Arm, Pair, Sampled
from llmmigrate.shadow.redaction import redacted
from llmmigrate.shadow.sample import Place, Sample
from llmmigrate.shadow.scoring import Score, Scorer
from llmmigrate.shadow.sending import Sender, incompatible
from llmmigrate.shadow.storing import Store, stored_arm
from llmmigrate.shadow.verdict import Judge


@dataclass(frozen=True, slots=True)
class CostPair:
    """A draw of the cost sample: what was logged, and what the target took."""

    asked: Sampled
    times: int
    """How often it was drawn."""
    arm: Arm


@dataclass(slots=True, kw_only=True)
class Comparison:
    """A run while it goes on."""

    sample: Sample
    current: Sender
    target: Sender
    judge: Judge
    scorer: Scorer
    journal: Journal
    seed: int
    store: Store
    fresh: bool = True
    """The current side is asked anew; else its logged answer stands in for it."""
    repeats: int = 0
    """In so many of the first pairs the current side is asked twice."""
    on_pair: Callable[[Pair, Mapping[str, Score]], None] = lambda pair, scores: None
    """Told every pair, in the order of evidence."""
    cost: list[CostPair] = field(default_factory=list)
    _in_cost: frozenset[int] = frozenset()
    _doubled: frozenset[int] = frozenset()
    _known: dict[str, Arm] = field(default_factory=dict)

    async def run_pairs(self, stop: asyncio.Event) -> Halt:
        """Send the canary to both sides until the judge has decided, the budget is reached, or `stop` is set.

        The first pair goes alone: a refused key or an unknown model then costs one request.
        """
        self._in_cost = frozenset(place.name for place, _ in self.sample.cost)
        self._doubled = frozenset(place.name for place in self.sample.canary[: self.repeats])
        window = self.current.side.endpoint.concurrency + self.target.side.endpoint.concurrency
        first, rest = self.sample.canary[:1], self.sample.canary[1:]
        halt = await in_order(first, self._pair, self._take, window=1, stop=stop)
        if halt != "finished":
            return halt
        return await in_order(rest, self._pair, self._take, window=window, stop=stop)

    async def run_cost(self, stop: asyncio.Event) -> Halt:
        """Ask the target about the cost sample; what the canary has asked already is not asked again."""
        window = self.target.side.endpoint.concurrency
        return await in_order(self.sample.cost, self._cost_pair, self._take_cost, window=window, stop=stop)

    async def _pair(self, place: Place) -> tuple[Place, Pair]:
        asked = self.sample.bodies.get(place)
        senders = (self.current, self.target) if self.fresh else (self.target,)
        bodies = {sender.side.name: sender.side.translate(asked) for sender in senders}
        unfit = next((made for made in bodies.values() if made.body is None), None)
        if unfit is not None:  # nothing is paid on the other side then
            return place, Pair(asked=asked, current=incompatible(unfit), target=incompatible(unfit))
        arms: dict[str, Arm] = {}
        for name in self._order(asked, place):
            sender = self.target if name == "target" else self.current
            arms[name] = await sender.ask(asked, translation=bodies[sender.side.name], copy=int(name == "repeat"))
        if not self.fresh:
            arms["current"] = Arm(answer=asked.logged, attempts=0)
        return place, Pair(asked=asked, current=arms["current"], target=arms["target"], repeat=arms.get("repeat"))

    def _order(self, asked: Sampled, place: Place) -> list[str]:
        """Who is asked first is drawn, so that the time between the two favours nobody."""
        names = ["target"]
        if self.fresh:
            names.append("current")
            if place.name in self._doubled:
                names.append("repeat")
        random.Random(f"{self.seed}:order:{asked.key}").shuffle(names)
        return names

    def _take(self, found: tuple[Place, Pair]) -> bool:
        place, pair = found
        if place.name in self._in_cost:
            self._known[pair.asked.key] = pair.target
        scores = self.scorer.scores(pair)
        self._note(pair, scores)
        self.on_pair(pair, scores)
        self.judge.add(pair, scores)
        return self.judge.decision is None and self.judge.broken is None

    def _note(self, pair: Pair, scores: Mapping[str, Score]) -> None:
        """Keep a pair in the journal: its request as `--store` has it, and what was measured before that."""
        request: Any = None
        if self.store != "hashes":
            request = pair.asked.request if self.store == "full" else redacted(pair.asked.request)
        self.journal.note(
            {
                "type": "pair",
                "asked": {**msgspec.to_builtins(pair.asked), "request": request, "logged": None},
                "current": stored_arm(pair.current, self.store),
                "target": stored_arm(pair.target, self.store),
                "repeat": None if pair.repeat is None else stored_arm(pair.repeat, self.store),
                "scores": msgspec.to_builtins(dict(scores)),
            }
        )

    async def _cost_pair(self, drawn: tuple[Place, int]) -> CostPair:
        place, times = drawn
        asked = self.sample.bodies.get(place)
        arm = self._known.get(asked.key)
        return CostPair(asked, times, arm if arm is not None else await self.target.ask(asked))

    def _take_cost(self, pair: CostPair) -> bool:
        self.cost.append(pair)
        return True
