"""Asks both sides about every request of the sample, and hands the pairs on in the order of evidence."""

import asyncio
import hashlib
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from llmmigrate.costing.audit.findings import Translation
from llmmigrate.costing.audit.requests import canonical_json
from llmmigrate.logs.redaction import redacted
from llmmigrate.shadow.budget import BudgetReachedError
from llmmigrate.shadow.journal import Journal, as_read
from llmmigrate.shadow.ordered import SPARE, Halt, in_order
from llmmigrate.shadow.pairs import Arm, Pair, Sampled
from llmmigrate.shadow.sample import Place, Sample
from llmmigrate.shadow.scoring import Score, Scorer, restored
from llmmigrate.shadow.sending import Request, Sender, incompatible
from llmmigrate.shadow.storing import Store, stored_arm
from llmmigrate.shadow.vectors import Found, Vectors, fetch
from llmmigrate.shadow.verdict import Judge

_PARTS: Final = ("current", "target", "repeat")


@dataclass(frozen=True, slots=True)
class CostPair:
    """A draw of the cost sample: what was logged, and what the target took."""

    asked: Sampled
    times: int
    """How often it was drawn."""
    arm: Arm


Keys = Mapping[str, str | None]
"""By the part of a pair (`current`, `target`, `repeat`): the journal's key of its result; None where it has none."""


class Answered(NamedTuple):
    """A pair whose answers are there."""

    place: Place
    pair: Pair
    keys: Keys
    scores: Mapping[str, Score] | None
    """What an earlier start has measured on these very answers."""
    vectors: Found


class Embedding(NamedTuple):
    """Who gives the vectors of answers, and where measures find them."""

    sender: Sender
    vectors: Vectors


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
    """In so many of the first pairs the current side is asked twice, while agreement is not decided."""
    embedding: Embedding | None = None
    """Where a measure needs vectors."""
    on_pair: Callable[[Pair, Mapping[str, Score]], None] = lambda pair, scores: None
    """Told every pair, in the order of evidence."""
    cost: list[CostPair] = field(default_factory=list)
    _in_cost: frozenset[int] = frozenset()
    _doubled: frozenset[int] = frozenset()
    _known: dict[bytes, Arm] = field(default_factory=dict)
    _begun: int = 0
    _taken: int = 0
    _first_to_send: int | None = None
    """The first pair that the journal does not have whole."""
    _may_send: asyncio.Event = field(default_factory=asyncio.Event)

    async def run_pairs(self, stop: asyncio.Event) -> Halt:
        """Send the canary to both sides until the judge has decided, the budget is reached, or `stop` is set.

        The first pair goes alone: a refused key or an unknown model then costs one request.
        """
        self._in_cost = frozenset(place.name for place, _ in self.sample.cost)
        self._doubled = frozenset(place.name for place in self.sample.canary[: self.repeats])
        window = self.current.side.endpoint.concurrency + self.target.side.endpoint.concurrency + SPARE
        first, rest = self.sample.canary[:1], self.sample.canary[1:]
        with self.target.budget.closable() as close:

            async def take(found: Answered) -> bool:
                goes_on = await self._take(found)
                self._taken += 1
                if not goes_on:  # what is not sent yet would be paid for nothing
                    close()
                if not goes_on or self._taken == self._first_to_send:
                    self._may_send.set()
                return goes_on

            halt = await in_order(first, self._pair, take, window=1, stop=stop)
            if halt != "finished":
                return halt
            return await in_order(rest, self._pair, take, window=window, stop=stop)

    async def run_cost(self, stop: asyncio.Event) -> Halt:
        """Ask the target about the cost sample; what the canary has asked already is not asked again."""
        window = self.target.side.endpoint.concurrency + SPARE
        groups = itertools.groupby(self.sample.cost, key=lambda drawn: drawn[0].name)
        jobs = [list(group) for _, group in groups]
        return await in_order(jobs, self._cost_pairs, self._take_cost, window=window, stop=stop)

    async def _pair(self, place: Place) -> Answered:
        """Ask both sides, and for the vectors of their answers where these are still to be measured."""
        self._begun += 1
        try:
            return await self._answered(place, self._begun - 1)
        except BudgetReachedError:
            self._may_send.set()  # this pair is never taken, so nobody may wait for that
            raise

    async def _answered(self, place: Place, number: int) -> Answered:
        pair, keys = await self._answers(place, number)
        scores = self._measured_before(pair, keys)
        if scores is not None or self.embedding is None or _is_altered(pair):
            return Answered(place, pair, keys, scores, {})
        return Answered(place, pair, keys, None, await fetch(self.embedding.sender, pair))

    async def _answers(self, place: Place, number: int) -> tuple[Pair, Keys]:
        asked = self.sample.bodies.get(place)
        senders = {"target": self.target, "current": self.current, "repeat": self.current}
        sides = ("current", "target") if self.fresh else ("target",)
        bodies = {name: senders[name].side.translate(asked) for name in sides}
        unfit = next((made for made in bodies.values() if made.body is None), None)
        if unfit is not None:  # nothing is paid on the other side then
            return Pair(asked=asked, current=incompatible(unfit), target=incompatible(unfit)), {}
        bodies["repeat"] = bodies[sides[0]]
        requests = {
            name: senders[name].prepare(asked, translation=bodies[name], copy=int(name == "repeat"))
            for name in self._order(asked, twice=self._is_asked_twice(asked, place, bodies["repeat"]))
        }
        if any(isinstance(request, Request) for request in requests.values()):
            await self._wait_for_what_is_known(number)
        async with self.target.bought(requests.values()):
            told = {name: await senders[name].deliver(request) for name, request in requests.items()}
        arms = {name: found.arm for name, found in told.items()}
        if not self.fresh:
            arms["current"] = Arm(answer=asked.logged, attempts=0)
        pair = Pair(asked=asked, current=arms["current"], target=arms["target"], repeat=arms.get("repeat"))
        return pair, {name: found.key for name, found in told.items()}

    async def _wait_for_what_is_known(self, number: int) -> None:
        """The pairs that the journal has may decide: before they are taken nothing is sent. Pairs begin in order."""
        if self._first_to_send is None:
            self._first_to_send = number
        if self._taken < self._first_to_send:
            await self._may_send.wait()

    def _is_asked_twice(self, asked: Sampled, place: Place, translation: Translation) -> bool:
        """Whether the current side gives two answers: as in an earlier start, else while that still tells something."""
        if not self.fresh or place.name not in self._doubled:
            return False
        before = self.current.past.pairs.get(asked.key)
        if before is not None:
            return self.journal.record_at(before)["repeat"] is not None
        return self.judge.wants_repeats or self.current.has_answer(asked, translation, copy=1)

    def _order(self, asked: Sampled, *, twice: bool) -> list[str]:
        """Who is asked first is drawn, so that the time between the two favours nobody."""
        names = ["target", *(["current"] if self.fresh else []), *(["repeat"] if twice else [])]
        random.Random(f"{self.seed}:order:{asked.key}").shuffle(names)
        return names

    def _measured_before(self, pair: Pair, keys: Keys) -> Mapping[str, Score] | None:
        """The scores in the journal, where they are of these answers: it may hold other texts than were measured."""
        place = self.target.past.pairs.get(pair.asked.key)
        if place is None:
            return None
        record = self.journal.record_at(place)
        if not all(self._is_of(record[name], getattr(pair, name), keys.get(name)) for name in _PARTS):
            return None
        return {name: restored(told) for name, told in record["scores"].items()}

    def _is_of(self, told: Any, arm: Arm | None, key: str | None) -> bool:
        """Whether a pair's record means the answer that is at hand: by its key, or by all that is known of it."""
        if isinstance(told, str):
            return told == key
        return bool(told == (None if arm is None else as_read(stored_arm(arm, self.store))))

    async def _take(self, found: Answered) -> bool:
        pair, scores = found.pair, found.scores
        if found.place.name in self._in_cost:
            self._known[_identity(pair.asked)] = pair.target
        if scores is None:
            scores = await self._scores(pair, found.vectors)
            self._note(pair, found.keys, scores)
        self.on_pair(pair, scores)
        self.judge.add(pair, scores)
        return self.judge.decision is None and self.judge.broken is None

    async def _scores(self, pair: Pair, vectors: Found) -> Mapping[str, Score]:
        """What the pair measures; a program of the user's may take long, and must not hold up requests under way."""
        if _is_altered(pair):
            return self.scorer.without_texts(pair)
        if self.embedding is not None:
            self.embedding.vectors.turn_to(vectors, pair.current.answer)
        if self.scorer.slow:
            return await asyncio.to_thread(self.scorer.scores, pair)
        return self.scorer.scores(pair)

    def _note(self, pair: Pair, keys: Keys, scores: Mapping[str, Score]) -> None:
        """Keep a pair in the journal: its request as `--store` has it, and what was measured before that.

        Answers stand there already; of them only the keys are kept.
        """
        request: Any = None
        if self.store != "hashes":
            request = pair.asked.request if self.store == "full" else redacted(pair.asked.request)
        asked = replace(pair.asked, request=request, logged=None)
        record: dict[str, Any] = {"type": "pair", "asked": asked, "scores": scores}
        for name in _PARTS:
            arm, key = getattr(pair, name), keys.get(name)
            record[name] = stored_arm(arm, self.store) if arm is not None and key is None else key
        self.journal.note(record)

    async def _cost_pairs(self, drawn: list[tuple[Place, int]]) -> list[CostPair]:
        """Calls of one key: those that ask the same are answered together, once."""
        pairs = []
        for place, times in drawn:
            asked = self.sample.bodies.get(place)
            same = _identity(asked)
            if same not in self._known:
                self._known[same] = await self.target.ask(asked)
            pairs.append(CostPair(asked, times, self._known[same]))
        return pairs

    async def _take_cost(self, pairs: list[CostPair]) -> bool:
        self.cost.extend(pairs)
        return True


def _is_altered(pair: Pair) -> bool:
    """Whether a text is not as it came."""
    return any(arm is not None and arm.altered for arm in (pair.current, pair.target, pair.repeat))


def _identity(asked: Sampled) -> bytes:
    """What makes two calls of a log the same request: a log may use an id twice."""
    return hashlib.sha256(asked.key.encode() + b"\0" + canonical_json(asked.request)).digest()
