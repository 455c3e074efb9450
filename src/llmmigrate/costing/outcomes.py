"""What is priced and what came of it: scenarios and outcomes."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from llmmigrate.costing.assumptions import Assumption, Ratios, ratio_assumptions
from llmmigrate.costing.bill import ZERO, Amount
from llmmigrate.costing.whatif import Conditions
from llmmigrate.prices.entries import Entry

Kind = Literal["move", "map", "mix", "stay"]
SourceName = tuple[str | None, str | None]
"""Provider and model as logged."""


class Scenario(msgspec.Struct, frozen=True):
    """One row to price: where each source model goes (None keeps it) and under which conditions."""

    label: str
    kind: Kind
    target_of: Callable[[SourceName], Entry | None]
    conditions: Conditions
    share: Decimal = Decimal(1)
    """The part of the traffic that moves."""
    extra: tuple[Assumption, ...] = ()


class Known(NamedTuple):
    """An amount in the currency of its price table."""

    amount: Amount
    currency: str


class Outcome(msgspec.Struct):
    """A priced scenario, all amounts in one currency."""

    scenario: Scenario
    calls: int = 0
    cost: Decimal = ZERO
    low: Decimal = ZERO
    high: Decimal = ZERO
    current: Decimal = ZERO
    """Today's cost of the calls that are priced on both sides."""
    comparable: Decimal = ZERO
    comparable_low: Decimal = ZERO
    comparable_high: Decimal = ZERO
    compared_calls: int = 0
    moved_now: Decimal = ZERO
    """Of the compared calls that move: today's cost and the target's."""
    moved_then: Decimal = ZERO
    moved_fees: Decimal = ZERO
    """Of the target's cost: what is billed by the piece."""
    held_out_calls: int = 0
    held_out_now: Decimal = ZERO
    stranded: dict[str, int] = msgspec.field(default_factory=dict)
    """Calls that the target has no rate for, by reason."""
    moves: dict[str, None] = msgspec.field(default_factory=dict)
    sources: dict[str, None] = msgspec.field(default_factory=dict)
    """The models that move, as the price tables name them."""
    ratios: dict[Ratios, None] = msgspec.field(default_factory=dict)
    reasoned: bool = False
    """Whether the calls that move have hidden reasoning."""
    reasons: bool = False
    """Whether a target can reason."""
    notes: dict[str, None] = msgspec.field(default_factory=dict)
    grade: str | None = None
    open_sums: dict[tuple[str, str], Decimal] = msgspec.field(default_factory=dict)
    """Field and currency → what is not converted yet: money is converted once, at the end."""

    def add(self, currency: str, **amounts: Decimal) -> None:
        """Add amounts of one currency to the fields named."""
        for name, amount in amounts.items():
            key = (name, currency)
            self.open_sums[key] = self.open_sums.get(key, ZERO) + amount

    def settle(self, convert: Callable[[Decimal, str], Decimal]) -> None:
        """Convert everything into the one currency."""
        for (name, currency), amount in self.open_sums.items():
            setattr(self, name, getattr(self, name) + convert(amount, currency))
        self.open_sums = {}

    @property
    def tolerance(self) -> Decimal | None:
        """How many times the tokens the target may need before the saving is gone; 0 where its fees alone undo it."""
        by_token = self.moved_then - self.moved_fees
        if not by_token or not self.moved_now:
            return None
        return max((self.moved_now - self.moved_fees) / by_token, ZERO)


def moved_to(target: Entry, label: str, conditions: Conditions, share: Decimal = Decimal(1)) -> Scenario:
    """All traffic to one target."""
    return Scenario(label, "move", lambda name: target, conditions, share)


def mapped(targets: Mapping[str, Entry | None], conditions: Conditions, share: Decimal = Decimal(1)) -> Scenario:
    """Each named source model to its own target (None: keep); models that are not named stay."""
    label = ", ".join(f"{name}={'keep' if e is None else label_of(e)}" for name, e in targets.items())
    return Scenario(label, "map", lambda name: targets.get(name[1] or ""), conditions, share)


def label_of(entry: Entry) -> str:
    """`provider/model`."""
    return f"{entry.provider}/{entry.id}"


def ranked(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The cheapest first."""
    return sorted(outcomes, key=lambda outcome: (outcome.cost, outcome.scenario.label))


def assumptions(outcome: Outcome) -> list[Assumption]:
    """Everything a scenario assumes, in a fixed order."""
    conditions = outcome.scenario.conditions
    found = ratio_assumptions(list(outcome.ratios), reasoned=outcome.reasoned, reasons=outcome.reasons)
    if conditions.cache is not None:
        found.append(Assumption("cache", conditions.cache, "given", why="share of the input read from the cache"))
    elif all(ratios.cached is None for ratios in outcome.ratios):
        found.append(Assumption("cache", "same", "default", why="cache hits as logged"))
    if conditions.batch_share:
        found.append(Assumption("batch_share", conditions.batch_share, "given", why="share sent by batch"))
    if outcome.scenario.share != 1:
        found.append(Assumption("share", outcome.scenario.share, "given", why="the part of the traffic that moves"))
    names = {assumption.name for assumption in found}
    return [*found, *(extra for extra in outcome.scenario.extra if extra.name not in names)]
