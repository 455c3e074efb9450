"""What traffic would cost at a target's rates: cells are first reduced to what the target's price depends on.

A target without clock prices needs no time, so tens of thousands of cells become a few dozen; re-pricing a saved
profile on many targets then costs next to nothing.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from llmmigrate.costing.assumptions import Factors, Ratios
from llmmigrate.costing.bill import NOTHING, ZERO, Amount, cost_at, fees_at
from llmmigrate.costing.slices import Sizes, Slice, Sums
from llmmigrate.money import exact
from llmmigrate.prices.cards import Band, RateCard, Unpriced
from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.entries import Entry
from llmmigrate.units import COUNT_CLASSES, TOKEN_CLASSES

INPUT: Final = TOKEN_CLASSES.index("input")
CACHE: Final = tuple(TOKEN_CLASSES.index(name) for name in ("cache_read", "cache_write_5m", "cache_write_1h"))
CACHE_READ: Final = CACHE[0]
OUTPUT: Final = TOKEN_CLASSES.index("output")
OUTPUT_AUDIO: Final = TOKEN_CLASSES.index("output_audio")
REASONING: Final = TOKEN_CLASSES.index("reasoning")


class Conditions(msgspec.Struct, frozen=True):
    """Under which conditions traffic is priced at a target."""

    as_of: int
    """Epoch seconds; the period in force then."""
    logged: bool = False
    """Price at each call's own date instead."""
    cache: Decimal | None = None
    """Share of the input that the target reads from its cache; None keeps what the log has."""
    as_logged: bool = False
    """What is paid today: tokens and tiers stay what they are, and what has no rate is unpriced."""
    batch_share: Decimal = ZERO
    """Share of the standard-tier traffic that goes by batch."""


class SliceCost(msgspec.Struct, frozen=True):
    """A slice at a target: the amount at the expected ratios, at the ends of their ranges, or why there is none."""

    amount: Amount = NOTHING
    fees: Decimal = ZERO
    """The part of the amount that is billed by the piece, which no number of tokens changes."""
    low: Decimal = ZERO
    high: Decimal = ZERO
    unpriced: Unpriced | None = None
    currency: str = "USD"
    assumptions: tuple[str, ...] = ()
    grade: str = ""
    """The weakest grade (A, B, C) of the rates."""


class TargetPricer:
    """Prices slices at one target."""

    def __init__(self, catalog: Catalog, target: Entry, conditions: Conditions) -> None:
        self._catalog = catalog
        self.target = target
        self._conditions = conditions

    def rates(self, part: Slice) -> tuple[list[float], list[float], str] | None:
        """Mean currency a token by `TOKEN_CLASSES` and a piece by `COUNT_CLASSES`, of a slice that has a price.

        For figures that are estimates anyway. A class without a rate is 0: a priced slice has none of it.
        """
        cards = [answer for answer in self._answers(part, self._tier(part)[0]) if isinstance(answer, RateCard)]
        if not cards:
            return None
        rates = [
            _mean([card.rates.get(name, ZERO) * card.multiplier for card in cards]) / 1e6 for name in TOKEN_CLASSES
        ]
        fees = [_mean([card.fees.get(name, ZERO) * card.multiplier for card in cards]) for name in COUNT_CLASSES]
        return rates, fees, cards[0].currency

    def price(self, part: Slice, sums: Sums, ratios: Ratios, sizes: Sizes) -> SliceCost:
        """What a slice costs here; `sizes` is the sketch of its model's input sizes."""
        tier, notes = self._tier(part)
        with exact():
            cost = self._with_range(part, sums, tier, ratios, sizes)
            share = self._conditions.batch_share
            if share and part.tier == "standard" and cost.unpriced is None:
                cost = _mixed(cost, self._with_range(part, sums, "batch", ratios, sizes), share)
        return msgspec.structs.replace(cost, assumptions=(*notes, *cost.assumptions))

    def _with_range(self, part: Slice, sums: Sums, tier: str, ratios: Ratios, sizes: Sizes) -> SliceCost:
        """The cost at the expected tokens, at the fewest and at the most: the ends of all ratios at once.

        For measured ratios that is never too narrow, however they depend on each other: the cost is a sum of products
        with them, and the spread of a sum is at most the sum of the spreads.
        """
        answers = self._answers(part, tier)
        base = self._at(answers, sums, ratios.expected())
        if base.unpriced is not None:
            return base
        if ratios.is_point:
            return msgspec.structs.replace(base, low=base.amount.low, high=base.amount.high)
        low = self._at(answers, sums, ratios.fewest()).amount.low
        plain = self._at(answers, sums, ratios.most()).amount.high
        return msgspec.structs.replace(base, low=low, high=self._dearest(plain, part, sums, tier, ratios, sizes))

    def _tier(self, part: Slice) -> tuple[str, tuple[str, ...]]:
        """The logged tier where the target has rates for it, else standard."""
        if part.tier == "standard" or self._conditions.as_logged:
            return part.tier, ()
        answers = self._answers(part, part.tier)
        if any(isinstance(answer, Unpriced) and answer.reason == "tier_without_rate" for answer in answers):
            return "standard", (f"no_{part.tier}_tier",)
        return part.tier, ()

    def _answers(self, part: Slice, tier: str) -> tuple[RateCard | Unpriced, ...]:
        conditions = self._conditions
        ask = self._catalog.cards if conditions.logged else self._catalog.forward_cards
        return ask(self.target, at=part.at, as_of=conditions.as_of, prompt=part.prompt, output=part.output, tier=tier)

    def _at(self, answers: Sequence[RateCard | Unpriced], sums: Sums, factors: Factors) -> SliceCost:
        amounts: list[Decimal] = []
        fees: list[Decimal] = []
        currency, grade = "USD", ""
        assumptions: dict[str, None] = {}
        for answer in answers:
            if isinstance(answer, Unpriced):
                return SliceCost(unpriced=answer)
            tokens, notes = self._tokens(sums.tokens, answer, factors)
            cost = cost_at(answer, tokens, sums.pieces())
            if isinstance(cost, Unpriced):
                return SliceCost(unpriced=cost)
            amounts.append(cost)
            fees.append(fees_at(answer, sums.pieces()))
            currency, grade = answer.currency, max(grade, answer.source[:1])
            assumptions.update(dict.fromkeys((*notes, *answer.assumptions)))
        amount, fee = Amount(min(amounts), max(amounts)), Amount(min(fees), max(fees)).middle
        return SliceCost(amount, fee, currency=currency, assumptions=tuple(assumptions), grade=grade)

    def _tokens(
        self, tokens: Sequence[int], card: RateCard, factors: Factors
    ) -> tuple[list[int | Decimal], tuple[str, ...]]:
        """The tokens as the target would count and bill them: its tokenizer, its cache, its classes."""
        if self._conditions.as_logged:
            return list(tokens), ()
        moved = _scaled(tokens, factors)
        notes: list[str] = []
        if self._conditions.cache is not None:
            _recache(moved, self._conditions.cache)
        for place in CACHE:
            if moved[place] and TOKEN_CLASSES[place] not in card.rates:
                moved[INPUT] += moved[place]
                moved[place] = 0
                notes.append(f"no_{TOKEN_CLASSES[place]}_price")
        if moved[REASONING] and "reasoning" not in card.rates:
            moved[OUTPUT] += moved[REASONING]
            moved[REASONING] = 0
        return moved, tuple(notes)

    def _dearest(self, plain: Decimal, part: Slice, sums: Sums, tier: str, ratios: Ratios, sizes: Sizes) -> Decimal:
        """The high end: the cost of the most tokens (`plain`), some of which push their call into the next band."""
        most = ratios.most()
        upto = part.prompt.upto
        if upto is None or most.input <= 1:
            return plain
        share = sizes.share_pushed(part.prompt, most.input)
        if not share:
            return plain
        above = part._replace(prompt=Band(upto, upto + 1))
        next_band = self._at(self._answers(above, tier), sums, most)
        if next_band.unpriced is not None:
            return plain
        return plain + share * max(next_band.amount.high - plain, ZERO)


def _mean(values: Sequence[Decimal]) -> float:
    return sum(map(float, values)) / len(values)


def _mixed(standard: SliceCost, batch: SliceCost, share: Decimal) -> SliceCost:
    """A share of the traffic by batch, the rest at the standard rates."""
    if batch.unpriced is not None:
        return batch
    rest = 1 - share
    return SliceCost(
        Amount(*(share * b + rest * a for a, b in zip(standard.amount, batch.amount, strict=True))),
        share * batch.fees + rest * standard.fees,
        share * batch.low + rest * standard.low,
        share * batch.high + rest * standard.high,
        None,
        standard.currency,
        (*standard.assumptions, *batch.assumptions),
        max(standard.grade, batch.grade),
    )


def _scaled(tokens: Sequence[int], factors: Factors) -> list[int | Decimal]:
    """The target's tokens for the source's."""
    scaled: list[int | Decimal] = list(tokens)
    if factors.is_one:
        return scaled
    for place in range(OUTPUT):
        scaled[place] *= factors.input
    for place in (OUTPUT, OUTPUT_AUDIO):
        scaled[place] *= factors.output
    scaled[REASONING] *= factors.reasoning
    if factors.cached is not None:
        _recache(scaled, factors.cached)
    return scaled


def _recache(tokens: list[int | Decimal], share: Decimal) -> None:
    """Set the cached share of the input; nothing is written, the rest is fresh."""
    total = tokens[INPUT] + sum(tokens[place] for place in CACHE)
    for place in CACHE:
        tokens[place] = 0
    tokens[CACHE_READ] = total * share
    tokens[INPUT] = total - tokens[CACHE_READ]
