"""The cheapest allowed target for each part of the traffic; a part stays where nothing allowed is cheaper."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from llmmigrate.costing.estimate import Estimator
from llmmigrate.costing.evidence import NO_OBJECTIONS, AuditedTarget, Objections, Verdicts
from llmmigrate.costing.evidence import Part as Audited
from llmmigrate.costing.outcomes import Outcome, Scenario, label_of
from llmmigrate.costing.results import EstimateTarget
from llmmigrate.costing.whatif import Conditions
from llmmigrate.money import exact
from llmmigrate.usage.profile import Profile

if TYPE_CHECKING:  # an audit reads whole requests, which most estimates never do
    from llmmigrate.costing.audit.parts import Key, PartAudit, SourceName

LABEL = "mix"
STAYS = "stays"

_SUMS = (
    "calls", "cost", "low", "high", "current", "comparable", "comparable_low", "comparable_high", "compared_calls",
    "moved_now", "moved_then", "moved_fees",
)  # fmt: skip


class Part(NamedTuple):
    """One part of the traffic."""

    key: "Key"
    profile: Profile
    calls: "dict[SourceName, int]"
    """By source model."""


class Chosen(NamedTuple):
    """One part of the traffic and where it goes: a target's label, or `STAYS`."""

    key: "Key"
    to: str
    outcome: Outcome
    refused: Mapping[str, str]
    """Candidates that would be cheaper and may not be had, and why; the cheapest first."""
    not_audited: int
    """Calls that move without their whole request having been audited."""


class Permits(NamedTuple):
    """Who may serve which part: the word of the log's own requests, and of saved results."""

    objections: Objections = NO_OBJECTIONS
    audit: "PartAudit | None" = None
    """None where no log with requests is read."""

    def against(self, part: Part, moves: "Mapping[SourceName, str]") -> str | None:
        """Why a part's models may not move to these targets; None where nothing speaks against it.

        A failed shadow run always does. What a call asks for is known best from its own request; a saved audit, which
        knows no parts, is asked where not every request of this part is there.
        """
        return next((why for source, to in moves.items() if (why := self._against(part, source, to))), None)

    def _against(self, part: Part, source: "SourceName", to: str) -> str | None:
        if to in self.objections.failed:
            return self.objections.failed[to]
        refusal = None if self.audit is None else self.audit.refusal(part.key, source, to)
        if refusal is not None:
            return refusal.words
        return self.objections.audited.get(to) if self._not_audited(part, source) else None

    def not_audited(self, part: Part, sources: "Mapping[SourceName, str]") -> int:
        """Of the part's calls that move, those whose requests were not there to be audited."""
        return sum(self._not_audited(part, source) for source in sources)

    def _not_audited(self, part: Part, source: "SourceName") -> int:
        return part.calls[source] - (0 if self.audit is None else self.audit.whole_calls(part.key, source))


def choose(
    parts: Sequence[Part],
    estimator_of: Callable[[Profile], Estimator],
    candidates: Sequence[Scenario],
    permits: Permits,
) -> list[Chosen]:
    """For each part the cheapest candidate that nothing speaks against, holds every prompt and has every rate."""
    return [_choose(part, estimator_of(part.profile), candidates, permits) for part in parts]


def _choose(part: Part, estimator: Estimator, candidates: Sequence[Scenario], permits: Permits) -> Chosen:
    stays = estimator.price(_staying())
    found = [outcome for scenario in candidates if _pays(outcome := estimator.price(scenario), stays)]
    refused: dict[str, str] = {}
    for outcome in sorted(found, key=lambda outcome: (outcome.comparable, outcome.scenario.label)):
        moves = _moves(part, outcome.scenario)
        why = permits.against(part, moves)
        if why is None:
            label = outcome.scenario.label
            return Chosen(part.key, label, outcome, refused, permits.not_audited(part, moves))
        refused[outcome.scenario.label] = why
    return Chosen(part.key, STAYS, stays, refused, 0)


def _pays(outcome: Outcome, stays: Outcome) -> bool:
    """Whether a candidate can serve all of a part, as far as the tokens tell, and for less than today."""
    if not outcome.moves or not outcome.compared_calls or outcome.held_out_calls or outcome.stranded:
        return False
    return outcome.comparable < outcome.current and outcome.compared_calls >= stays.compared_calls


def _moves(part: Part, scenario: Scenario) -> "dict[SourceName, str]":
    """Where each of a part's models goes; those that stay are left out."""
    targets = {name: scenario.target_of(name) for name in part.calls}
    return {name: label_of(target) for name, target in targets.items() if target is not None}


def _staying() -> Scenario:
    return Scenario(STAYS, "stay", lambda name: None, Conditions(0))


def joined(chosen: Sequence[Chosen], conditions: Conditions, share: Decimal) -> Outcome:
    """All parts together as one row; `share` is the part of each that moves."""
    total = Outcome(Scenario(LABEL, "mix", lambda name: None, conditions, share))
    with exact():
        for part in chosen:
            for name in _SUMS:
                setattr(total, name, getattr(total, name) + getattr(part.outcome, name))
            _add_words(total, part.outcome)
    return total


def broken_down(
    chosen: Sequence[Chosen],
    parts: Sequence[Part],
    estimator_of: Callable[[Profile], Estimator],
    depth: int,
) -> list[Chosen]:
    """What was chosen, by other groups: after the `depth` names of the choice the keys of `parts` go on with theirs."""
    going = {part.key: part.outcome.scenario for part in chosen}
    groups: dict[Key, list[Chosen]] = {}
    for part in parts:
        outcome = estimator_of(part.profile).price(going[part.key[:depth]])
        groups.setdefault(part.key[depth:], []).append(Chosen(part.key[depth:], LABEL, outcome, {}, 0))
    return [
        Chosen(key, LABEL, joined(found, found[0].outcome.scenario.conditions, Decimal(1)), {}, 0)
        for key, found in groups.items()
    ]


def audited(mix: EstimateTarget) -> AuditedTarget:
    """What the audit of its parts says of a mix: it refuses none of the calls that move."""
    unseen = sum(group.not_audited or 0 for group in mix.groups)
    moving = sum(group.calls for group in mix.groups if group.to != STAYS)
    nothing = Audited(calls=0, spend_share=None)
    verdicts = Verdicts(
        ok=Audited(calls=moving - unseen, spend_share=None), translated=nothing, unknown=nothing, refused=nothing,
        in_part=Audited(calls=unseen, spend_share=None), not_audited=nothing,
    )  # fmt: skip
    return AuditedTarget(to=mix.to, verdicts=verdicts)


def _add_words(total: Outcome, part: Outcome) -> None:
    for name in ("moves", "sources", "ratios", "notes"):
        getattr(total, name).update(getattr(part, name))
    total.reasoned |= part.reasoned
    total.reasons |= part.reasons
    total.grade = max(total.grade or "", part.grade or "") or None


def split(profile: Profile, key_of: "Callable[..., Key]") -> list[Part]:
    """The profile's cells by group, each part with all distributions of sizes, which are kept by model."""
    parts: dict[Key, Part] = {}
    for key, cell in profile.cells.items():
        group = key_of(key, key.start)
        part = parts.get(group)
        if part is None:
            part = parts[group] = Part(group, Profile(profile.marks, profile.tags), {})
            part.profile.sketches = profile.sketches
        part.profile.cells[key] = cell
        source = (key.provider, key.model)
        part.calls[source] = part.calls.get(source, 0) + cell.calls
    return list(parts.values())
