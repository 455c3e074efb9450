"""What the same traffic would cost elsewhere: one ranked list, each with its range, tolerance and assumptions."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cached_property
from typing import Final, NamedTuple

import msgspec

from llmmigrate.costing.assumptions import AS_THEY_ARE, Ratios
from llmmigrate.costing.bill import ZERO
from llmmigrate.costing.calibration import UNCALIBRATED, Calibrations
from llmmigrate.costing.outcomes import Known, Outcome, Scenario, SourceName, label_of
from llmmigrate.costing.slices import Base, Sizes, Slice, Slices, Sums, Times, coarser, reduce
from llmmigrate.costing.whatif import CACHE_READ, REASONING, Conditions, SliceCost, TargetPricer
from llmmigrate.money import exact
from llmmigrate.prices.cards import Interval, Unpriced
from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.clock import Clock
from llmmigrate.prices.entries import Entry
from llmmigrate.usage.profile import CLASS_COUNT, STATED_FREE, CellKey, Profile, input_total
from llmmigrate.usage.sketch import Sketch, merge


class Reduced(NamedTuple):
    """Slices, and today's cost of those that were asked for."""

    slices: Slices
    now: dict[Slice, Known | None]


class Move(NamedTuple):
    """One source model on its way to a target: what it is today, its token ratios and sizes, the target's prices."""

    source: Entry | None
    ratios: Ratios
    sizes: Sizes
    pricer: TargetPricer


class Distinctions(NamedTuple):
    """What some models' prices depend on: clocks, and size marks of prompts and outputs."""

    clocks: tuple[Clock, ...]
    prompt: tuple[int, ...]
    output: tuple[int, ...]


NO_SIZES: Final = Sizes({})


class Estimator:
    """Prices scenarios for one profile; slices and today's cost are computed once."""

    def __init__(
        self,
        profile: Profile,
        catalog: Catalog,
        conditions: Conditions,
        currency: str = "USD",
        calibrations: Calibrations = UNCALIBRATED,
    ) -> None:
        self._profile = profile
        self._calibrations = calibrations
        self._catalog = catalog
        self._conditions = conditions
        self._currency = currency
        self._entries: dict[SourceName, Entry | Unpriced] = {}
        self._sizes = {name: Sizes(sketch) for name, sketch in _input_sizes(profile).items()}
        self._reduced: dict[tuple[object, ...], Reduced] = {}

    def source(self, name: SourceName) -> Entry | None:
        """What a source model is in the price tables, None when it is unpriced."""
        if name not in self._entries:
            self._entries[name] = self._catalog.find(*name, logged_cost=0 if self._stated_free(name) else None)
        found = self._entries[name]
        return None if isinstance(found, Unpriced) else found

    def _stated_free(self, name: SourceName) -> bool:
        """Whether the log states a cost of 0 for every call of a model."""
        return name not in self._charged

    @cached_property
    def _charged(self) -> set[SourceName]:
        """The source models with calls for which the log states no cost of 0."""
        return {(key.provider, key.model) for key in self._keys if not key.mask & STATED_FREE}

    @cached_property
    def names(self) -> list[SourceName]:
        """The source models."""
        return list(dict.fromkeys((key.provider, key.model) for key in self._keys))

    @property
    def _keys(self) -> Iterable[CellKey]:
        """The first key of each group of cells."""
        return (cells[0][0] for cells in self._base.groups)

    def calls_by_kind(self) -> dict[str, int]:
        """Calls whose usage is `known`, is `missing`, or that `failed`; and among them those that are `undated`."""
        counts = dict.fromkeys(("known", "missing", "failed", "undated"), 0)
        for cells in self._base.groups:
            key, calls = cells[0][0], sum(cell.calls for _, cell in cells)
            failed, missing = key.billing == "failed", key.usage == "missing"
            counts["failed" if failed else "missing" if missing else "known"] += calls
            counts["undated"] += calls if key.start is None else 0
        return counts

    def sources(self) -> list[SourceName]:
        """The source models, the dearest first; unpriced ones last, by tokens."""
        spend: dict[SourceName, tuple[Decimal, int]] = {}
        for part, sums, now in self.today():
            cost, tokens = spend.get((part.provider, part.model), (ZERO, 0))
            spend[part.provider, part.model] = (cost + self._middle(now), tokens + sum(sums.tokens))
        return sorted(spend, key=lambda name: (-spend[name][0], -spend[name][1], str(name)))

    def spend_of(self, name: SourceName) -> Decimal:
        """Today's cost of a source model's calls."""
        return sum((self._middle(now) for part, _, now in self.today() if (part.provider, part.model) == name), ZERO)

    def cached_share(self, name: SourceName) -> float:
        """The share of a source model's input that was read from the cache."""
        sums = [part_sums.tokens for part, part_sums, _ in self.today() if (part.provider, part.model) == name]
        inputs = sum(map(input_total, sums))
        return sum(tokens[CACHE_READ] for tokens in sums) / inputs if inputs else 0.0

    def _middle(self, now: Known | None) -> Decimal:
        return ZERO if now is None else self.convert(now.amount.middle, now.currency)

    def today(self) -> list[tuple[Slice, Sums, Known | None]]:
        """The profile's slices with what each costs today, None where its model is unpriced."""
        reduced = self._reduce_for(())
        return [(part, sums, self._now(reduced, part, sums)) for part, sums in reduced.slices.items()]

    def day_costs(self, now: int) -> dict[int, float]:
        """Today's cost by interval start, in floats, for a projection; calls dated after `now` are left out."""
        found = defaultdict[int, list[float]](list)
        for part, cells in self._base.cells.items():
            known = self._unit_rates(part)
            if known is None:
                continue
            per_token, (request, search, image) = known
            rates = [(i, per_token[i]) for i in range(CLASS_COUNT) if part.mask >> i & 1]
            for key, cell in cells:
                start = key.start
                if start is not None and start <= now:
                    tokens = cell.tokens
                    fees = cell.calls * request + cell.searches * search + cell.images * image
                    found[start].append(sum([tokens[i] * rate for i, rate in rates]) + fees)
        return {start: math.fsum(costs) for start, costs in found.items()}

    def _unit_rates(self, part: Slice) -> tuple[list[float], list[float]] | None:
        """What a token of each class and a piece of each kind cost today, in the estimate's currency."""
        entry = self.source((part.provider, part.model))
        if entry is None or self._price_now(part, self._base.slices[part]) is None:
            return None
        found = TargetPricer(self._catalog, entry, self._as_it_is).rates(part)
        if found is None:
            return None
        rates, fees, currency = found
        factor = float(self.convert(Decimal(1), currency))
        return [rate * factor for rate in rates], [fee * factor for fee in fees]

    @cached_property
    def _as_it_is(self) -> Conditions:
        return msgspec.structs.replace(self._conditions, cache=None, batch_share=ZERO, as_logged=True)

    @cached_property
    def _base_times(self) -> Callable[[Interval | None], Interval | None]:
        """What tells times apart for any table: the clocks in force, or with logged dates everything."""
        if self._conditions.logged:
            return lambda at: at
        entries = self._catalog.entries()
        return Times({clock for e in entries for clock in self._catalog.clock_conditions(e, self._conditions.as_of)})

    @cached_property
    def _base(self) -> Base:
        return reduce(self._profile.cells.items(), self._base_times)

    def _reduce_for(self, targets: Iterable[Entry]) -> "Reduced":
        """The slices that these targets' prices and those of the sources tell apart."""
        if self._conditions.logged:
            key: tuple[object, ...] = ()
        else:
            key = self._distinctions([*targets, *(e for name in self.names if (e := self.source(name)) is not None)])
        if key not in self._reduced:
            slices = self._base.slices
            if isinstance(key, Distinctions):
                slices = coarser(slices, Times(key.clocks), key.prompt, key.output)
            self._reduced[key] = Reduced(slices, {})
        return self._reduced[key]

    def _distinctions(self, entries: Iterable[Entry]) -> "Distinctions":
        """The clocks and size marks that the prices of these models depend on, in a fixed order."""
        as_of = self._conditions.as_of
        clocks: dict[Clock, None] = {}
        prompt, output = set[int](), set[int]()
        for entry in entries:
            clocks.update(dict.fromkeys(self._catalog.clock_conditions(entry, as_of)))
            prompt.update({entry.context_window} if entry.context_window else ())
            period = entry.period_at(as_of)
            if period is not None:
                prompt.update({period.prompt_upto} if period.prompt_upto is not None else ())
                prompt.update(row.prompt_above for row in period.rows if row.prompt_above >= 0)
                output.update(row.output_above for row in period.rows if row.output_above >= 0)
        return Distinctions(tuple(clocks), tuple(sorted(prompt)), tuple(sorted(output)))

    def price(self, scenario: Scenario) -> Outcome:
        """Price one scenario."""
        outcome = Outcome(scenario)
        targets = {name: target for name in self.names if (target := scenario.target_of(name)) is not None}
        moves = {name: self._move_of(name, target, scenario.conditions) for name, target in targets.items()}
        reduced = self._reduce_for({id(target): target for target in targets.values()}.values())
        with exact():
            for part, sums in reduced.slices.items():
                now = self._now(reduced, part, sums)
                self._add(outcome, part, sums, now, moves.get((part.provider, part.model)))
            outcome.settle(self.convert)
        return outcome

    def _move_of(self, name: SourceName, target: Entry, conditions: Conditions) -> Move:
        source = self.source(name)
        ratios = self._calibrations.ratios(source, target)
        sizes = self._sizes.get(name, NO_SIZES)
        return Move(source, ratios, sizes, TargetPricer(self._catalog, target, conditions))

    def _now(self, reduced: "Reduced", part: Slice, sums: Sums) -> Known | None:
        """Today's cost of a slice."""
        if part not in reduced.now:
            reduced.now[part] = self._price_now(part, sums)
        return reduced.now[part]

    def _price_now(self, part: Slice, sums: Sums) -> Known | None:
        entry = self.source((part.provider, part.model))
        if entry is None:
            return None
        cost = TargetPricer(self._catalog, entry, self._as_it_is).price(part, sums, AS_THEY_ARE, NO_SIZES)
        return None if cost.unpriced is not None else Known(cost.amount, cost.currency)

    def _add(self, outcome: Outcome, part: Slice, sums: Sums, now: Known | None, move: Move | None) -> None:
        outcome.calls += sums.calls
        if move is None:
            _keep(outcome, sums.calls, now, Decimal(1))
            return
        source, ratios, sizes, pricer = move
        then = pricer.price(part, sums, ratios, sizes)
        if then.unpriced is not None:
            reason = then.unpriced.reason
            outcome.stranded[reason] = outcome.stranded.get(reason, 0) + sums.calls
            _keep(outcome, sums.calls, now, Decimal(1))
            return
        outcome.moves[part.model or "(no model)"] = None
        outcome.sources.update({} if source is None else {label_of(source): None})
        outcome.ratios[ratios] = None
        outcome.reasoned |= sums.tokens[REASONING] > 0
        outcome.reasons |= "reasoning" in pricer.target.capabilities
        outcome.notes.update(dict.fromkeys(then.assumptions))
        outcome.grade = max(outcome.grade or "", then.grade) or None
        self._move(outcome, sums, now, then)
        self._hold(outcome, part, sums, now, pricer.target)

    def _move(self, outcome: Outcome, sums: Sums, now: Known | None, then: SliceCost) -> None:
        share = outcome.scenario.share
        moved, low, high = (share * part for part in (then.amount.middle, then.low, then.high))
        outcome.add(then.currency, cost=moved, low=low, high=high)
        if now is not None:
            moved_now = share * now.amount.middle
            outcome.add(then.currency, comparable=moved, comparable_low=low, comparable_high=high, moved_then=moved)
            outcome.add(then.currency, moved_fees=share * then.fees)
            outcome.add(now.currency, current=moved_now, moved_now=moved_now)
            outcome.compared_calls += sums.calls
        if share != 1:
            _keep(outcome, 0, now, 1 - share)

    def _hold(self, outcome: Outcome, part: Slice, sums: Sums, now: Known | None, target: Entry) -> None:
        """Count calls whose prompt alone exceeds the target's context window."""
        if target.context_window is None or part.prompt.above < target.context_window:
            return
        outcome.held_out_calls += sums.calls
        if now is not None:
            outcome.add(now.currency, held_out_now=now.amount.middle)

    def convert(self, amount: Decimal, currency: str) -> Decimal:
        """An amount in the estimate's currency."""
        return self._catalog.convert(amount, currency, self._currency, self._conditions.as_of)[0]


def _keep(outcome: Outcome, calls: int, now: Known | None, share: Decimal) -> None:
    """Calls that stay cost what they cost today; unpriced ones are in no sum."""
    if now is None:
        return
    low, middle, high = (share * part for part in (now.amount.low, now.amount.middle, now.amount.high))
    outcome.add(now.currency, cost=middle, low=low, high=high, current=middle)
    outcome.add(now.currency, comparable=middle, comparable_low=low, comparable_high=high)
    outcome.compared_calls += calls


def _input_sizes(profile: Profile) -> dict[SourceName, Sketch]:
    sizes: dict[SourceName, Sketch] = {}
    for key, sketches in profile.sketches.items():
        merge(sizes.setdefault((key.provider, key.model), {}), sketches.input_tokens)
    return sizes
