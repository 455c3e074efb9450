"""Money and tokens that a run may spend: the worst case is reserved before a request, the truth is settled after it.

Because nothing is sent without a reservation, the cap cannot be overshot, however many requests are under way.
"""

import asyncio
from dataclasses import dataclass
from decimal import Decimal

from llmmigrate.money import EXACT

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Stake:
    """What one request may cost at most, or has cost."""

    cost: Decimal | None
    """USD; None where the model has no price, and only tokens are capped."""
    tokens: int


class BudgetReachedError(Exception):
    """The next request could exceed the cap, and nothing is under way that would free more of it."""


class Budget:
    """A cap in USD, in tokens, or both. Use from one event loop."""

    def __init__(self, *, cap: Decimal | None, token_cap: int | None = None) -> None:
        self.cap = cap
        self.token_cap = token_cap
        self.spent = ZERO
        self.spent_tokens = 0
        self._held = ZERO
        self._held_tokens = 0
        self._under_way = 0
        self._freed = asyncio.Condition()

    async def reserve(self, worst: Stake) -> None:
        """Hold `worst` back; waits for requests under way to settle where that can make room.

        Raises BudgetReachedError when there is no room and nothing under way.
        """
        async with self._freed:
            while not self._fits(worst):
                if not self._under_way:
                    raise BudgetReachedError
                await self._freed.wait()
            self._held = EXACT.add(self._held, worst.cost or ZERO)
            self._held_tokens += worst.tokens
            self._under_way += 1

    async def settle(self, worst: Stake, actual: Stake) -> None:
        """Replace a reservation by what was really spent."""
        async with self._freed:
            self._held = EXACT.subtract(self._held, worst.cost or ZERO)
            self._held_tokens -= worst.tokens
            self._under_way -= 1
            self.charge(actual)
            self._freed.notify_all()

    def charge(self, actual: Stake) -> None:
        """Count what was spent without a reservation: what a resumed run had spent before."""
        self.spent = EXACT.add(self.spent, actual.cost or ZERO)
        self.spent_tokens += actual.tokens

    def _fits(self, worst: Stake) -> bool:
        if self.token_cap is not None and self.spent_tokens + self._held_tokens + worst.tokens > self.token_cap:
            return False
        if self.cap is None:
            return True
        return EXACT.add(EXACT.add(self.spent, self._held), worst.cost or ZERO) <= self.cap
