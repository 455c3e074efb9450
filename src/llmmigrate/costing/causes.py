"""Why one group of calls costs more than it did: its change taken apart, each part an exact fraction.

A group's change is followed in steps, each with everything before it already changed (docs/ci.md has the formulas):
how many of its calls a gateway's cache answered, which service tiers served the rest, how many tokens a call had,
which part of its input was cached, and what the rates became.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final, Literal

import msgspec

from llmmigrate.costing.sides import NO_TOKENS, Lot, Part, Price, Pricer, Rates, cost, piece_cost, token_costs
from llmmigrate.units import INPUT_CLASSES, OUTPUT_CLASSES, TOKEN_CLASSES

CauseName = Literal[
    "volume", "model_mix", "service_tier", "cache", "input_tokens", "output_tokens", "reasoning_tokens", "pieces",
    "conditions", "price",
]  # fmt: skip
"""`pieces`: searches, images and fees by the request. `conditions`: other hours or size bands of the same price list.
The token causes and `pieces` together are the token mix."""

TOKEN_MIX: Final[tuple[CauseName, ...]] = ("input_tokens", "output_tokens", "reasoning_tokens", "pieces")

Parts = dict[CauseName, Fraction]

_ZERO: Final = Fraction(0)
_TEXT_INPUT: Final = tuple(i for i, name in enumerate(TOKEN_CLASSES) if name in INPUT_CLASSES and name != "input_audio")
_AUDIO_INPUT: Final = TOKEN_CLASSES.index("input_audio")
_REASONING: Final = TOKEN_CLASSES.index("reasoning")
_SEEN_OUTPUT: Final = tuple(i for i, name in enumerate(TOKEN_CLASSES) if name in OUTPUT_CLASSES and i != _REASONING)

Tiers = dict[str | None, Part]


class Usage(msgspec.Struct):
    """Tokens and exact cost of the calls of one group and tier, by what a cause speaks of."""

    calls: int
    tokens: list[int]
    input: Fraction
    output: Fraction
    reasoning: Fraction
    pieces: Fraction

    @property
    def input_tokens(self) -> int:
        """All input, cache and audio included."""
        return sum(self.tokens[i] for i in (*_TEXT_INPUT, _AUDIO_INPUT))

    @property
    def output_tokens(self) -> int:
        """Visible output."""
        return sum(self.tokens[i] for i in _SEEN_OUTPUT)


def changes(base: Tiers, now: Tiers, pricer: Pricer, retier: Callable[[str], Price]) -> Parts:
    """The change of a group's cost beyond its number of calls: now's cost less base's cost a call × now's calls.

    Both sides have calls. `retier` prices the base's calls as if another tier had served them.
    """
    parts: Parts = {}
    base_calls, now_calls = _calls(base), _calls(now)
    paid_before, paid_now = _calls(_paid(base)), _calls(_paid(now))
    cost_a_call = _unit_cost(_paid(base), now)
    expected = Fraction(paid_before * now_calls, base_calls)
    _add(parts, "cache", (paid_now - expected) * cost_a_call)
    if not paid_now:
        return parts
    if not paid_before:  # the base was answered by a gateway's cache alone: it tells nothing about paid calls
        _add(parts, "price", _cost(_paid(now)) - _cost_then(_paid(now)))
        return parts
    for tier in {**_paid(base), **_paid(now)}:
        _add_tier(parts, tier, base, now, pricer, retier)
    return parts


def _add_tier(
    parts: Parts, tier: str | None, base: Tiers, now: Tiers, pricer: Pricer, retier: Callable[[str], Price]
) -> None:
    """What one service tier's share, tokens and rates changed."""
    paid_before, paid_now = _calls(_paid(base)), _calls(_paid(now))
    before, after = base.get(tier), now.get(tier)
    share = Fraction((before.calls if before else 0) * paid_now, paid_before)
    like = before if before is not None else _as_if(base, str(tier), pricer, retier)
    calls = after.calls if after else 0
    then = after.cost_then() if after else _ZERO
    _add(parts, "service_tier", (calls - share) * (like.cost() / like.calls if like else _divided(then, calls)))
    if after is None:
        return
    if like is not None:
        for name, amount in token_changes(like.all_lots(), after.all_lots()).items():
            _add(parts, name, amount)
    _add(parts, "price", after.cost() - after.cost_then())


def token_changes(base: Sequence[Lot], now: Sequence[Lot]) -> Parts:
    """The change of the cost a call between two lists of lots at the base's rates, times now's calls."""
    before = usage(base)
    after = _usage_as_cached_before(now, _cached_shares(before.tokens))
    actual = sum((cost(lot.then, lot) for lot in now), _ZERO)
    parts: Parts = {"cache": actual - (after.input + after.output + after.reasoning + after.pieces)}
    growth = Fraction(after.calls, before.calls)
    bundles: list[tuple[CauseName, int, Fraction, int, Fraction]] = [
        ("input_tokens", before.input_tokens, before.input, after.input_tokens, after.input),
        ("output_tokens", before.output_tokens, before.output, after.output_tokens, after.output),
        ("reasoning_tokens", before.tokens[_REASONING], before.reasoning, after.tokens[_REASONING], after.reasoning),
    ]
    for name, tokens_before, cost_before, tokens_after, cost_after in bundles:
        rate = _divided(cost_before, tokens_before)
        grown = (tokens_after - tokens_before * growth) * rate if tokens_before else cost_after
        _add(parts, name, grown)
        _add(parts, "conditions", cost_after - cost_before * growth - grown)
    _add(parts, "pieces", after.pieces - before.pieces * growth)
    return parts


def usage(lots: Sequence[Lot]) -> Usage:
    """Tokens and costs of lots at their own rates."""
    return _summed(lots, [lot.own for lot in lots], [token_costs(lot.own, lot.tokens) for lot in lots])


def _usage_as_cached_before(lots: Sequence[Lot], shares: Sequence[Fraction] | None) -> Usage:
    """Tokens and costs of lots at the base's rates, with their text input cached as the base's was."""
    return _summed(lots, [lot.then for lot in lots], [_costs_as_cached_before(lot, shares) for lot in lots])


def _costs_as_cached_before(lot: Lot, shares: Sequence[Fraction] | None) -> list[Fraction]:
    actual = token_costs(lot.then, lot.tokens)
    text = sum(lot.tokens[i] for i in _TEXT_INPUT)
    if shares is None or not text:
        return actual
    shared = list(actual)
    for i, share in zip(_TEXT_INPUT, shares, strict=True):
        rate = lot.then.tokens[i]
        if rate is None and share:
            return actual  # the model cannot cache in this way: there is nothing to compare with
        shared[i] = text * share * (rate or 0)
    return shared


def _cached_shares(tokens: Sequence[int]) -> list[Fraction] | None:
    """The part of the text input that each of its classes is; None without text input."""
    text = sum(tokens[i] for i in _TEXT_INPUT)
    return [Fraction(tokens[i], text) for i in _TEXT_INPUT] if text else None


def _summed(lots: Sequence[Lot], rates: Sequence[Rates], costs: Sequence[Sequence[Fraction]]) -> Usage:
    tokens, sums, pieces = list(NO_TOKENS), [_ZERO] * len(TOKEN_CLASSES), _ZERO
    for lot, billed, row in zip(lots, rates, costs, strict=True):
        tokens = [a + b for a, b in zip(tokens, lot.tokens, strict=True)]
        sums = [a + b for a, b in zip(sums, row, strict=True)]
        pieces += piece_cost(billed, lot.pieces)
    return Usage(
        calls=sum(lot.calls for lot in lots),
        tokens=tokens,
        input=sum((sums[i] for i in (*_TEXT_INPUT, _AUDIO_INPUT)), _ZERO),
        output=sum((sums[i] for i in _SEEN_OUTPUT), _ZERO),
        reasoning=sums[_REASONING],
        pieces=pieces,
    )


def _as_if(base: Tiers, tier: str, pricer: Pricer, retier: Callable[[str], Price]) -> Part | None:
    """The base's paid calls as another tier would have billed them; None where it has no rates for them."""
    return pricer.part(_paid(base).values(), retier(tier))


def _unit_cost(paid: Tiers, now: Tiers) -> Fraction:
    """The base's cost of a call that a vendor answered; what now costs at the base's rates where there was none."""
    if _calls(paid):
        return _cost(paid) / _calls(paid)
    return _divided(_cost_then(_paid(now)), _calls(_paid(now)))


def _paid(tiers: Tiers) -> Tiers:
    """Without what a gateway's cache answered."""
    return {tier: part for tier, part in tiers.items() if tier is not None}


def _calls(tiers: Tiers) -> int:
    return sum(part.calls for part in tiers.values())


def _cost(tiers: Tiers) -> Fraction:
    return sum((part.cost() for part in tiers.values()), _ZERO)


def _cost_then(tiers: Tiers) -> Fraction:
    return sum((part.cost_then() for part in tiers.values()), _ZERO)


def _divided(amount: Fraction, by: int) -> Fraction:
    return amount / by if by else _ZERO


def _add(parts: Parts, name: CauseName, amount: Fraction) -> None:
    if amount:
        parts[name] = parts.get(name, _ZERO) + amount
