"""The pairs of a run that are worth a look: the worst answers side by side, and one failure of each kind."""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from llmmigrate.costing.audit.requests import objects, text_of
from llmmigrate.logs.redaction import redacted_text
from llmmigrate.shadow.pairs import Answer, Arm, Pair
from llmmigrate.shadow.scoring import Alike, Measure, Score, Sides
from llmmigrate.shadow.storing import Store

KEPT: Final = 10
LONGEST: Final = 4_000
"""Characters of a text that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A pair as people look at it; its texts are as `--store` has them, and shortened."""

    key: str
    place: str
    """`file:line` of the log."""
    prompt: str
    """The last thing that was said to the model."""
    earlier_turns: int
    current: str
    target: str
    scores: tuple[tuple[str, float], ...]
    """The target's by measure: 1 for kept or alike, 0 for broken or different."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureExample:
    """The first failure of its kind on one side."""

    side: Literal["current", "target"]
    failure: str
    place: str
    detail: str | None
    """What the endpoint said; None where no text is kept."""


@dataclass(frozen=True, slots=True)
class Examples:
    """What is worth a look."""

    worst: tuple[Example, ...] = ()
    failures: tuple[FailureExample, ...] = ()


class Gallery:
    """Keeps the examples of a run.

    The worst pairs are first those whose form only the target breaks, then those whose answers agree least.
    """

    def __init__(self, measures: Iterable[Measure], store: Store, kept: int = KEPT) -> None:
        kinds = {item.name: item.kind for item in measures}
        self._valid = [name for name, kind in kinds.items() if kind == "validity"]
        alike = [name for name, kind in kinds.items() if kind == "agreement"]
        self._alike = ["agreement"] if "agreement" in alike else alike[:1]
        self._store, self._kept, self._seen = store, kept, 0
        self._heap: list[tuple[_Badness, Example]] = []
        self._failures: dict[tuple[str, str], FailureExample] = {}

    def add(self, pair: Pair, scores: Mapping[str, Score]) -> None:
        """Take a pair, in the order of evidence."""
        self._add_failure("current", pair.current, pair)
        self._add_failure("target", pair.target, pair)
        current, target = pair.current.answer, pair.target.answer
        if self._store == "hashes" or current is None or target is None:
            return
        self._seen += 1
        badness = self._badness(scores)
        if not badness.broken and badness.drop <= 0:
            return
        if len(self._heap) < self._kept:
            heapq.heappush(self._heap, (badness, self._example(pair, current, target, scores)))
        elif badness > self._heap[0][0]:
            heapq.heapreplace(self._heap, (badness, self._example(pair, current, target, scores)))

    def examples(self) -> Examples:
        """The worst pairs, the worst first, and the failures in the order in which they came."""
        ranked = sorted(self._heap, key=lambda entry: entry[0], reverse=True)
        return Examples(tuple(example for _, example in ranked), tuple(self._failures.values()))

    def _add_failure(self, side: Literal["current", "target"], arm: Arm, pair: Pair) -> None:
        kind = arm.failure or arm.first_failure
        if kind is None or (side, kind) in self._failures:
            return
        detail = None if arm.detail is None or self._store == "hashes" else self._shown(arm.detail)
        self._failures[side, kind] = FailureExample(side=side, failure=kind, place=pair.asked.place, detail=detail)

    def _badness(self, scores: Mapping[str, Score]) -> "_Badness":
        sides = (score for name in self._valid if isinstance(score := scores.get(name), Sides))
        broken = sum(score.current == 1 and score.target == 0 for score in sides)
        alike = (score for name in self._alike if isinstance(score := scores.get(name), Alike))
        return _Badness(broken, sum(map(_drop, alike)), -self._seen)

    def _example(self, pair: Pair, current: Answer, target: Answer, scores: Mapping[str, Score]) -> Example:
        prompt, earlier = _prompt(pair.asked.request)
        found = ((name, scores[name].target) for name in (*self._valid, *self._alike) if name in scores)
        return Example(
            key=self._shown(pair.asked.key),
            place=pair.asked.place,
            prompt=self._shown(prompt),
            earlier_turns=earlier,
            current=self._shown(_said(current)),
            target=self._shown(_said(target)),
            scores=tuple((name, float(value)) for name, value in found if value is not None),
        )

    def _shown(self, text: str) -> str:
        """Redacted as a whole and cut then, so that no half of a key remains."""
        text = text if self._store == "full" else redacted_text(text)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text) - LONGEST:,} characters more)"


class _Badness(NamedTuple):
    """Compared in this order; of equally bad pairs the first one is the worst."""

    broken: int
    """Forms that the current side keeps and the target breaks."""
    drop: float
    """How much less the target agrees with the current side than the current side with itself."""
    earliness: int


def _drop(score: Alike) -> float:
    if score.target is None:
        return 0.0
    return (1.0 if score.repeat is None else score.repeat) - score.target


def _prompt(request: Mapping[str, Any]) -> tuple[str, int]:
    """What was said to the model last, and how many turns came before, in any dialect."""
    given = request.get("messages", request.get("input"))
    if isinstance(given, str):
        return given, 0
    said = [(place, text_of(turn.get("content", turn.get("output")))) for place, turn in enumerate(objects(given))]
    place, text = next(((place, text) for place, text in reversed(said) if text), (0, None))
    return text or "", place


def _said(answer: Answer) -> str:
    """An answer as text: what it says, then the tools that it calls."""
    calls = [f"{call.name}({call.arguments})" for call in answer.tool_calls]
    return "\n".join([answer.text, *calls] if answer.text else calls)
