"""The cheapest allowed target for each part of the traffic; a part stays where nothing allowed is cheaper."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from llmmigrate.costing.estimate import Estimator, Outcome, Scenario
from llmmigrate.costing.whatif import Conditions
from llmmigrate.money import exact
from llmmigrate.usage.profile import Profile

LABEL = "mix"
STAYS = "stays"
Key = tuple[str | None, ...]

_SUMS = (
    "calls", "cost", "low", "high", "current", "comparable", "comparable_low", "comparable_high", "compared_calls",
    "moved_now", "moved_then",
)  # fmt: skip


class Chosen(NamedTuple):
    """One part of the traffic and where it goes: a target's label, or `STAYS`."""

    key: Key
    to: str
    outcome: Outcome


def choose(
    parts: Mapping[Key, Profile],
    estimator_of: Callable[[Profile], Estimator],
    candidates: Sequence[Scenario],
    refused: Mapping[str, str],
) -> list[Chosen]:
    """For each part the cheapest candidate that is not refused, holds every prompt and has every rate."""
    allowed = [scenario for scenario in candidates if scenario.label not in refused]
    return [_choose(key, estimator_of(part), allowed) for key, part in parts.items()]


def _choose(key: Key, estimator: Estimator, allowed: Sequence[Scenario]) -> Chosen:
    stays = estimator.price(_staying())
    found = [outcome for scenario in allowed if _serves(outcome := estimator.price(scenario))]
    best = min(found, key=lambda outcome: (outcome.comparable, outcome.scenario.label), default=None)
    if best is None or best.comparable >= best.current or best.compared_calls < stays.compared_calls:
        return Chosen(key, STAYS, stays)
    return Chosen(key, best.scenario.label, best)


def _serves(outcome: Outcome) -> bool:
    return bool(outcome.moves and outcome.compared_calls) and not (outcome.held_out_calls or outcome.stranded)


def _staying() -> Scenario:
    return Scenario(STAYS, "stay", lambda name: None, Conditions(0))


def joined(chosen: Sequence[Chosen], conditions: Conditions) -> Outcome:
    """All parts together as one row."""
    total = Outcome(Scenario(LABEL, "mix", lambda name: None, conditions))
    with exact():
        for part in chosen:
            for name in _SUMS:
                setattr(total, name, getattr(total, name) + getattr(part.outcome, name))
            _add_words(total, part.outcome)
    return total


def _add_words(total: Outcome, part: Outcome) -> None:
    for name in ("moves", "sources", "ratios", "notes"):
        getattr(total, name).update(getattr(part, name))
    total.reasoned |= part.reasoned
    total.reasons |= part.reasons
    total.grade = max(total.grade or "", part.grade or "") or None


def split(profile: Profile, key_of: Callable[..., Key]) -> dict[Key, Profile]:
    """The profile's cells by group, each part with all distributions of sizes, which are kept by model."""
    parts: dict[Key, Profile] = {}
    for key, cell in profile.cells.items():
        group = key_of(key, key.start)
        part = parts.get(group)
        if part is None:
            part = parts[group] = Profile(profile.marks, profile.tags)
            part.sketches = profile.sketches
        part.cells[key] = cell
    return parts
