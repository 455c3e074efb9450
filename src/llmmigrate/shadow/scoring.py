"""All measures of one pair: both sides' figures, what each answer keeps, and how alike the answers are.

Scoring is pure and sees the answers as they came, before anything is redacted.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import msgspec

from llmmigrate import registry
from llmmigrate.errors import UsageError
from llmmigrate.shadow.measures import Asked, Kind, NotMeasuredError
from llmmigrate.shadow.pairs import Answer, Pair

ROOM: Final = "shadow.measures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure, from this package, another one, or the user's own."""

    name: str
    kind: Kind
    about: str
    function: Callable[..., Any]
    """`value`, `valid` or `agree`, by the kind."""
    unit: str | None = None
    """Of a figure."""
    basis: Callable[[Asked, Answer, Answer], str] | None = None
    """Which rule an agreement goes by for two answers; None has one rule for all."""
    slow: bool = False
    """It may take seconds: the user's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """A figure or a validity of both sides; None is not measured, or does not apply."""

    current: float | Decimal | None
    target: float | Decimal | None
    why: str | None = None
    """Why a measure that applies could not be taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """How alike the answers to one request are, 0 to 1; None where one is missing or the measure does not apply."""

    target: float | None
    """The current side's answer and the target's."""
    repeat: float | None
    """The current side's two answers: its own noise."""
    logged: float | None
    """The current side's answer and the logged one."""
    control: float | None
    """The current side's answer and its answer to another request: what the measure says of unrelated answers."""
    basis: str
    """The measure that decided, for one that goes by different rules."""
    why: str | None = None
    """Why a measure that applies could not be taken."""


Score = Sides | Alike
Earlier = Mapping[tuple[str, str], tuple[Mapping[str, Any], Answer]]
"""By measure and basis: an earlier request and the current side's answer to it."""

_NONE_YET: Final[Earlier] = MappingProxyType({})


def measure(name: str, *, vectors: Callable[[str], Any] | None = None) -> Measure:
    """The measure of this name; UnknownNameError for none, UsageError for one that needs vectors and has none."""
    module = registry.load(ROOM, name)
    kind: Kind = module.KIND
    function = getattr(module, _FUNCTIONS[kind])
    if getattr(module, "NEEDS", None) == "vectors":
        if vectors is None:
            fix = "give an endpoint that serves /v1/embeddings"
            raise UsageError(f"the measure '{name}' needs vectors of the answers", fix=fix)
        function = partial(function, vectors=vectors)
    unit, basis = getattr(module, "UNIT", None), getattr(module, "basis", None)
    return Measure(name=module.NAME, kind=kind, about=module.ABOUT, function=function, unit=unit, basis=basis)


_FUNCTIONS: Final[Mapping[Kind, str]] = {"figure": "value", "validity": "valid", "agreement": "agree"}


class Scorer:
    """Scores pairs one after another; the control of each is the last earlier answer that goes by the same rule."""

    def __init__(self, measures: Iterable[Measure]) -> None:
        self._measures = tuple(measures)
        self._earlier: dict[tuple[str, str], tuple[Mapping[str, Any], Answer]] = {}

    @property
    def slow(self) -> bool:
        """Whether a pair may take seconds."""
        return any(item.slow for item in self._measures)

    def scores(self, pair: Pair) -> Mapping[str, Score]:
        """The scores of the next pair, by the measures' names. In order of evidence, so that a run can be repeated."""
        asked = _asked(pair)
        found = _scores(pair, asked, self._measures, self._earlier)
        answer = pair.current.answer
        if answer is not None:
            for item in self._measures:
                if item.kind == "agreement":
                    self._earlier[item.name, _basis(item, asked, answer, answer)] = (pair.asked.request, answer)
        return found

    def without_texts(self, pair: Pair) -> Mapping[str, Score]:
        """The scores of a pair whose texts are not as they came: its figures; all else is not measured."""
        asked = _asked(pair)
        return {item.name: _unread(item, asked, pair) for item in self._measures}


def scores(pair: Pair, measures: Iterable[Measure], earlier: Earlier = _NONE_YET) -> Mapping[str, Score]:
    """The scores of one pair, by the measures' names; `earlier` gives the answers that serve as control."""
    return _scores(pair, _asked(pair), measures, earlier)


def _scores(pair: Pair, asked: Asked, measures: Iterable[Measure], earlier: Earlier) -> Mapping[str, Score]:
    return {item.name: _SCORES[item.kind](item, asked, pair, earlier) for item in measures}


def _asked(pair: Pair) -> Asked:
    return Asked(request=pair.asked.request, features=pair.asked.features)


def _figure(item: Measure, asked: Asked, pair: Pair, earlier: Earlier) -> Sides:
    return Sides(current=item.function(pair.current), target=item.function(pair.target))


def _validity(item: Measure, asked: Asked, pair: Pair, earlier: Earlier) -> Sides:
    whys: list[str] = []
    take = partial(_take, item, asked, whys)
    return Sides(current=take(pair.current.answer), target=take(pair.target.answer), why=_last(whys))


def _agreement(item: Measure, asked: Asked, pair: Pair, earlier: Earlier) -> Alike:
    answer = pair.current.answer
    repeat = pair.repeat.answer if pair.repeat is not None else None
    if answer is None:
        return Alike(target=None, repeat=None, logged=None, control=None, basis=item.name)
    whys: list[str] = []
    take = partial(_take, item, asked, whys, answer)
    return Alike(
        target=take(pair.target.answer),
        repeat=take(repeat),
        logged=take(pair.asked.logged),
        control=_take(item, asked, [], answer, _control(item, asked, answer, earlier)),  # says nothing of this pair
        basis=_basis(item, asked, answer, pair.target.answer or answer),
        why=_last(whys),
    )


def _control(item: Measure, asked: Asked, answer: Answer, earlier: Earlier) -> Answer | None:
    """The answer to another request that goes by the same rule; None where the last one answers the same request."""
    found = earlier.get((item.name, _basis(item, asked, answer, answer)))
    return None if found is None or found[0] == asked.request else found[1]


def _basis(item: Measure, asked: Asked, one: Answer, other: Answer) -> str:
    return item.name if item.basis is None else item.basis(asked, one, other)


def _take(item: Measure, asked: Asked, whys: list[str], *answers: Answer | None) -> float | None:
    """One measure of these answers; None without one of them, and where it fails, which is added to `whys`."""
    if any(answer is None for answer in answers):
        return None
    try:
        score: float | None = item.function(asked, *answers)
    except NotMeasuredError as failure:
        whys.append(str(failure))
        return None
    return score


def _unread(item: Measure, asked: Asked, pair: Pair) -> Score:
    why = "the answers were not stored as they came"
    if item.kind == "figure":
        return _figure(item, asked, pair, _NONE_YET)
    if item.kind == "validity":
        return Sides(current=None, target=None, why=why)
    return Alike(target=None, repeat=None, logged=None, control=None, basis=item.name, why=why)


def restored(told: dict[str, Any]) -> Score:
    """The score that a journal's record holds."""
    if "basis" in told:
        return msgspec.convert(told, Alike)
    return Sides(current=_number(told["current"]), target=_number(told["target"]), why=told.get("why"))


def _number(value: Any) -> float | Decimal | None:
    """A figure; amounts of money are kept as text."""
    return Decimal(value) if isinstance(value, str) else value


def _last(whys: list[str]) -> str | None:
    return whys[-1] if whys else None


_SCORES: Final[Mapping[Kind, Callable[[Measure, Asked, Pair, Earlier], Score]]] = {
    "figure": _figure,
    "validity": _validity,
    "agreement": _agreement,
}
