"""What to price for a user who names no target: models of the same tier, and what can be saved without moving."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from llmmigrate.costing.assumptions import Assumption
from llmmigrate.costing.audit.targets import Target, target_of
from llmmigrate.costing.bill import ZERO
from llmmigrate.costing.estimate import Estimator
from llmmigrate.costing.outcomes import Scenario, SourceName, label_of
from llmmigrate.costing.request import KEEP, Request
from llmmigrate.costing.selfhosted import is_machine
from llmmigrate.costing.whatif import Conditions
from llmmigrate.prices.catalog import Catalog
from llmmigrate.prices.entries import Entry

STAY_BATCH_SHARE: Final = Decimal("0.5")
STAY_CACHE_SHARE: Final = Decimal("0.5")
TIER_BELOW: Final = {"frontier": "mid", "mid": "small"}


class Candidates:
    """Scenarios for a user who names no target."""

    def __init__(self, estimator: Estimator, catalog: Catalog, conditions: Conditions, share: Decimal) -> None:
        self._estimator = estimator
        self._catalog = catalog
        self._conditions = conditions
        self._share = share
        self._sources = estimator.sources()
        self.tier = self._main_tier()

    def moving(self) -> set[SourceName]:
        """The source models that move: those of the tier in which most is spent; without a tier, all."""
        if self.tier is None:
            return set(self._sources)
        return {name for name in self._sources if self._tier_of(name) == self.tier}

    def targets(self) -> list[Scenario]:
        """All current models of that tier, each for the moving models."""
        moving = self.moving()
        own = {label_of(entry) for name in moving if (entry := self._estimator.source(name)) is not None}
        found = [
            entry
            for entry in self._catalog.current_models(self._conditions.as_of)
            if entry.capability_tier is not None
            and (self.tier is None or entry.capability_tier == self.tier)
            and label_of(entry) not in own
        ]
        return [self._to(entry, moving) for entry in found]

    def _to(self, entry: Entry, moving: set[SourceName]) -> Scenario:
        def target_of(name: SourceName) -> Entry | None:
            return entry if name in moving else None

        return Scenario(label_of(entry), "move", target_of, self._conditions, self._share)

    def stays(self) -> list[Scenario]:
        """What can be saved without moving: batch and prompt caching."""
        return [*self._batch(), *self._caching()]

    def _batch(self) -> Iterable[Scenario]:
        share = self._conditions.batch_share or STAY_BATCH_SHARE
        conditions = msgspec.structs.replace(self._conditions, batch_share=share)
        label = f"stay, {share:.0%} of it by batch"
        yield Scenario(label, "stay", self._estimator.source, conditions, Decimal(1), (_given("batch_share", share),))

    def _caching(self) -> Iterable[Scenario]:
        """Models that read less than the share from the cache are priced as if they read just so much."""
        below = {name for name in self._sources if self._estimator.cached_share(name) < STAY_CACHE_SHARE}

        def target_of(name: SourceName) -> Entry | None:
            return self._estimator.source(name) if name in below else None

        conditions = msgspec.structs.replace(self._conditions, cache=STAY_CACHE_SHARE)
        label = f"stay, at least {STAY_CACHE_SHARE:.0%} of input read from the cache"
        extra = (_given("cache_share", STAY_CACHE_SHARE),)
        yield Scenario(label, "stay", target_of, conditions, Decimal(1), extra)

    def siblings(self) -> Iterable[Scenario]:
        """The other models of the main source's vendor, one tier below; which of them is cheapest is for the caller."""
        main = next((entry for name in self._sources if (entry := self._estimator.source(name)) is not None), None)
        below = TIER_BELOW.get(self.tier or "")
        if main is None or below is None:
            return
        moving = self.moving()
        for entry in self._catalog.current_models(self._conditions.as_of):
            if entry.provider == main.provider and entry.capability_tier == below:
                yield msgspec.structs.replace(
                    self._to(entry, moving), label=f"stay, {label_of(entry)} ({below})", kind="stay"
                )

    def _main_tier(self) -> str | None:
        spend: dict[str, Decimal] = {}
        for name in self._sources:
            tier = self._tier_of(name)
            if tier is not None:
                spend[tier] = spend.get(tier, ZERO) + self._estimator.spend_of(name)
        return max(spend, key=lambda tier: (spend[tier], tier)) if spend else None

    def _tier_of(self, name: SourceName) -> str | None:
        entry = self._estimator.source(name)
        return None if entry is None else entry.capability_tier


def targets_to_audit(request: Request, catalog: Catalog, now: int) -> list[Target]:
    """Every target that a mix may choose from, before it is known which of them it will be."""
    names = [name for name in (*request.to, *request.map.values()) if name != KEEP and not is_machine(name)]
    entries = [catalog.named(name) for name in names]
    if not names:
        entries = [entry for entry in catalog.current_models(request.as_of or now) if entry.capability_tier is not None]
    return [target_of(entry, catalog.tables[entry.provider]) for entry in entries]


def _given(name: str, share: Decimal) -> Assumption:
    return Assumption(name, share, "default", why="what if")
