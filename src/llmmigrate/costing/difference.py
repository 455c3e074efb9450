"""What made one profile dearer or cheaper than another: the whole taken apart into causes that add up to it exactly.

The causes are price, volume, mix of models, service tier, cache and tokens a call (docs/ci.md has the formulas). They
are exact fractions; written as decimals they are rounded so that their sum is still the whole, to the last digit.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

from llmmigrate.costing.causes import TOKEN_MIX, CauseName, Parts, changes, usage
from llmmigrate.costing.results import Money, Record, Share
from llmmigrate.costing.sides import Group, Lot, Part, Price, Pricer, Side
from llmmigrate.costing.sides import cost as cost_of
from llmmigrate.money import EXACT, plain

DECIMALS: Final = 12
ORDER: Final[tuple[CauseName, ...]] = (
    "price", "volume", "model_mix", "service_tier", "cache", "input_tokens", "output_tokens", "reasoning_tokens",
    "pieces", "conditions",
)  # fmt: skip
NAMED: Final = 3
"""How many causes are named at most."""
LEAST_SHARE: Final = Fraction(1, 20)
"""A cause of a smaller part of the change is not named."""
MOST_OF_IT: Final = Fraction(3, 5)
"""A group is named where it makes so much of a cause; else the cause stands for all groups."""

_ZERO: Final = Fraction(0)


class Cause(Record, frozen=True, kw_only=True):
    """A part of the difference in cost. `share` is its part of the change a call, null for the volume."""

    cause: str
    amount: Money
    share: Share | None


class NamedCause(Record, frozen=True, kw_only=True):
    """One of the largest causes, with the figure behind it before and after.

    `key` names the group of calls, null for all. `unit`: tokens_a_call, share_of_calls, share_of_input, share_of_tier
    or factor (of the price; before is 1).
    """

    cause: str
    key: dict[str, str | None] | None
    tier: str | None
    amount: Money
    share: Share
    unit: str
    before: float | None
    after: float | None


class DifferenceResult(Record, frozen=True, kw_only=True):
    """Cost now less cost of the baseline, over priced calls. `causes` add up to `difference` to the last digit.

    `token_mix` is the sum of the causes input_tokens, output_tokens, reasoning_tokens and pieces.
    """

    currency: str
    base_cost: Money
    cost: Money
    difference: Money
    base_calls: int
    calls: int
    causes: list[Cause]
    token_mix: Money
    largest: list[NamedCause]


class Decomposition(msgspec.Struct, frozen=True):
    """The exact parts by cause and group; the volume has no group."""

    base: Side
    now: Side
    parts: Mapping[tuple[CauseName, Group | None], Fraction]

    def by_cause(self) -> dict[CauseName, Fraction]:
        """The parts summed over groups, every cause named."""
        sums = dict.fromkeys(ORDER, _ZERO)
        for (name, _), amount in self.parts.items():
            sums[name] += amount
        return sums

    @property
    def whole(self) -> Fraction:
        """Cost now less cost of the baseline."""
        return self.now.cost() - self.base.cost()


def take_apart(base: Side, now: Side, pricer: Pricer, retier: Callable[[str], Price]) -> Decomposition:
    """The causes of the difference between two sides that both have calls.

    `now` was made with the rates of the base's time as its other rates. `retier` prices the base's calls as if another
    service tier had served them.
    """
    parts: dict[tuple[CauseName, Group | None], Fraction] = {}
    growth = Fraction(now.calls, base.calls)
    parts["volume", None] = base.cost() * (growth - 1)
    mean = base.cost() / base.calls
    for group in {**base.parts, **now.parts}:
        for name, amount in _group(base.parts.get(group), now.parts.get(group), growth, mean, pricer, retier).items():
            parts[name, group] = amount
    return Decomposition(base, now, parts)


def _group(
    base: dict[str | None, Part] | None,
    now: dict[str | None, Part] | None,
    growth: Fraction,
    mean: Fraction,
    pricer: Pricer,
    retier: Callable[[str], Price],
) -> Parts:
    """The parts of one group: what its share of the calls changed, and what its calls changed."""
    before, after = _calls(base), _calls(now)
    if base is not None:
        a_call = sum((part.cost() for part in base.values()), _ZERO) / before
    else:
        a_call = sum((part.cost_then() for part in (now or {}).values()), _ZERO) / after
    # Measured from the mean call: a share that moves between two models counts where the dear one gains.
    parts: Parts = {"model_mix": (after - before * growth) * (a_call - mean)}
    if now is None:
        return parts
    if base is None:
        parts["price"] = sum((part.cost() - part.cost_then() for part in now.values()), _ZERO)
        return parts
    return parts | changes(base, now, pricer, retier)


def result(found: Decomposition, tags: Sequence[str], currency: str) -> DifferenceResult:
    """The decomposition as a result record."""
    base_cost, cost = (as_decimal(side.cost()) for side in (found.base, found.now))
    whole = EXACT.subtract(cost, base_cost)
    sums = found.by_cause()
    amounts = dict(zip(sums, apportion(list(sums.values()), whole), strict=True))
    a_call = found.whole - sums["volume"]
    return DifferenceResult(
        currency=currency,
        base_cost=plain(base_cost),
        cost=plain(cost),
        difference=plain(whole),
        base_calls=found.base.calls,
        calls=found.now.calls,
        causes=[
            Cause(cause=name, amount=plain(amounts[name]), share=_share(name, sums[name], a_call)) for name in ORDER
        ],
        token_mix=plain(sum_exactly([amounts[name] for name in TOKEN_MIX])),
        largest=_largest(found, a_call, tags),
    )


def apportion(parts: Sequence[Fraction], whole: Decimal) -> list[Decimal]:
    """`parts` as decimals that add up to `whole` exactly: the largest remainders are rounded up (Hamilton's method).

    The parts add up to the whole but for less than half a unit of the last decimal each.
    """
    exponent = whole.as_tuple().exponent
    decimals = max(DECIMALS, -exponent if isinstance(exponent, int) else 0)
    scale = 10**decimals
    floors = [int(part * scale // 1) for part in parts]
    missing = int(EXACT.scaleb(whole, decimals)) - sum(floors)
    order = sorted(range(len(parts)), key=lambda i: (floors[i] - parts[i] * scale, i))
    for place in range(abs(missing)):
        index = order[place % len(order)] if missing > 0 else order[-1 - place % len(order)]
        floors[index] += 1 if missing > 0 else -1
    return [EXACT.scaleb(Decimal(floor), -decimals) for floor in floors]


def as_decimal(amount: Fraction) -> Decimal:
    """An exact amount as a decimal: exact where it ends, else 12 decimals, half-even."""
    rest, digits = amount.denominator, 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest, count = rest // prime, count + 1
        digits = max(digits, count)
    places = digits if rest == 1 else DECIMALS
    return EXACT.scaleb(Decimal(round(amount * 10**places)), -places)


def sum_exactly(amounts: Sequence[Decimal]) -> Decimal:
    """The exact sum."""
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def _share(name: CauseName, amount: Fraction, a_call: Fraction) -> float | None:
    return None if name == "volume" or not a_call else round(float(amount / a_call), 6)


def _largest(found: Decomposition, a_call: Fraction, tags: Sequence[str]) -> list[NamedCause]:
    """The causes that most of the change a call comes from, the largest first."""
    if not a_call:
        return []
    named = []
    for name, amount in found.by_cause().items():
        if name == "volume" or amount / a_call < LEAST_SHARE:
            continue
        group, own = _main_group(found, name, amount)
        named.append(_named(found, name, group, own, a_call, tags))
    return sorted(named, key=lambda entry: -entry.share)[:NAMED]


def _main_group(found: Decomposition, name: CauseName, amount: Fraction) -> tuple[Group | None, Fraction]:
    """The group that makes most of a cause, and its amount; no group where none does."""
    groups = {group: part for (cause, group), part in found.parts.items() if cause == name and group is not None}
    top = max(groups, key=lambda group: groups[group] / amount)
    if len({*found.base.parts, *found.now.parts}) == 1 or groups[top] / amount < MOST_OF_IT:
        return None, amount
    return top, groups[top]


def _named(
    found: Decomposition, name: CauseName, group: Group | None, amount: Fraction, a_call: Fraction, tags: Sequence[str]
) -> NamedCause:
    before, after = (_lots(side, group) for side in (found.base, found.now))
    unit, figures, tier = _figures(found, name, group, before, after)
    return NamedCause(
        cause=name,
        key=None if group is None else _key(group, tags),
        tier=tier,
        amount=plain(as_decimal(amount)),
        share=round(float(amount / a_call), 6),
        unit=unit,
        before=figures[0],
        after=figures[1],
    )


Figures = tuple[float | None, float | None]


def _figures(
    found: Decomposition, name: CauseName, group: Group | None, before: list[Lot], after: list[Lot]
) -> tuple[str, Figures, str | None]:
    """The unit of a cause, its figure before and after, and the service tier that it is about."""
    match name:
        case "model_mix":
            sides = ((before, found.base.calls), (after, found.now.calls))
            return "share_of_calls", _pair([_ratio(sum(lot.calls for lot in lots), n) for lots, n in sides]), None
        case "service_tier":
            return _tier_figures(found, group)
        case "cache":
            return "share_of_input", _pair([_cached_share(lots) for lots in (before, after)]), None
        case "price" | "conditions" | "pieces":
            return "factor", _price_figures(after) if name == "price" else (None, None), None
    return "tokens_a_call", _pair([_tokens_a_call(lots, name) for lots in (before, after)]), None


def _tier_figures(found: Decomposition, group: Group | None) -> tuple[str, Figures, str | None]:
    """The tier whose share of the calls fell the most, before and after."""
    shares = [_tier_shares(side, group) for side in (found.base, found.now)]
    names = sorted({*shares[0], *shares[1]})
    fallen = max(names, key=lambda tier: shares[0].get(tier, 0.0) - shares[1].get(tier, 0.0))
    return "share_of_tier", (shares[0].get(fallen, 0.0), shares[1].get(fallen, 0.0)), fallen


def _tier_shares(side: Side, group: Group | None) -> dict[str, float]:
    counts: dict[str, int] = {}
    for own, tiers in side.parts.items():
        if group in (None, own):
            for tier, part in tiers.items():
                if tier is not None:
                    counts[tier] = counts.get(tier, 0) + part.calls
    total = sum(counts.values())
    return {tier: round(count / total, 6) for tier, count in counts.items()} if total else {}


def _price_figures(lots: list[Lot]) -> Figures:
    then = sum((cost_of(lot.then, lot) for lot in lots), _ZERO)
    own = sum((cost_of(lot.own, lot) for lot in lots), _ZERO)
    return (1.0, round(float(own / then), 6)) if then else (None, None)


def _cached_share(lots: list[Lot]) -> float | None:
    held = usage(lots)
    return _ratio(held.tokens[2], held.input_tokens)


def _tokens_a_call(lots: list[Lot], name: CauseName) -> float | None:
    held = usage(lots)
    counts = {
        "input_tokens": held.input_tokens,
        "output_tokens": held.output_tokens,
        "reasoning_tokens": held.tokens[7],
    }
    return _ratio(counts[name], held.calls)


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _pair(values: Sequence[float | None]) -> Figures:
    return values[0], values[1]


def _lots(side: Side, group: Group | None) -> list[Lot]:
    """The lots that a vendor billed, of one group or of all."""
    tiers = [tiers for own, tiers in side.parts.items() if group in (None, own)]
    return [lot for parts in tiers for tier, part in parts.items() if tier is not None for lot in part.all_lots()]


def _key(group: Group, tags: Sequence[str]) -> dict[str, str | None]:
    named = {f"tag.{name}": value for name, value in zip(tags, group.tags, strict=True)}
    return {"provider": group.provider, "model": group.model, **named}


def _calls(tiers: dict[str | None, Part] | None) -> int:
    return sum(part.calls for part in tiers.values()) if tiers else 0
