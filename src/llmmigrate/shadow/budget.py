"""Money and tokens that a run may spend: the worst case is reserved before a request, the truth is settled after it.

Because nothing is sent without a reservation, the cap cannot be overshot, however many requests are under way.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

from llmmigrate.money import EXACT

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Stake:
    """What one request may cost at most, or has cost."""

    cost: Decimal | None
    """USD; None where the model has no price, and only tokens are capped."""
    tokens: int


NOTHING: Final = Stake(ZERO, 0)


class BudgetReachedError(Exception):
    """The next request could exceed the cap, and nothing is under way that would free more of it."""


class Waiting(Protocol):
    """A request for which room is set aside while it waits for its turn."""

    worst: Stake

    def give_back(self) -> None:
        """Call `Budget.take_back`: the room is needed by a request whose turn has come."""
        ...


class Budget:
    """A cap in USD, in tokens, or both. Use from one event loop."""

    def __init__(self, *, cap: Decimal | None, token_cap: int | None = None) -> None:
        self.cap = cap
        self.token_cap = token_cap
        self.spent = ZERO
        self.spent_tokens = 0
        self._held = ZERO
        self._held_tokens = 0
        self._aside: dict[Waiting, None] = {}
        self._under_way = 0
        self._closed = False
        self._freed = asyncio.Event()

    def set_aside(self, *waiting: Waiting) -> bool:
        """Hold room for requests that wait for their turn: for all of them, or, and this is False, for none.

        They must not keep those waiting whose turn has come: where these need it, the last one gives it back.
        """
        whole = total(*(request.worst for request in waiting))
        if not self._fits(whole):
            return False
        self._hold(whole)
        self._aside.update(dict.fromkeys(waiting))
        return True

    def take_back(self, waiting: Waiting) -> None:
        """Free what was set aside for a request."""
        del self._aside[waiting]
        self._let_go(waiting.worst)

    def begin(self, waiting: Waiting) -> None:
        """Its turn has come: what was set aside is its reservation from now on."""
        del self._aside[waiting]
        self._under_way += 1

    @contextlib.contextmanager
    def closable(self) -> Iterator[Callable[[], None]]:
        """Gives what stops all spending until the end of this block: nothing that was not sent by then is sent."""
        try:
            yield self._close
        finally:
            self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is to be sent."""
        return self._closed

    def _close(self) -> None:
        self._closed = True
        while self._aside:
            next(reversed(self._aside)).give_back()

    async def reserve(self, worst: Stake) -> None:
        """Hold `worst` back; waits for requests under way to settle where that can make room.

        Raises BudgetReachedError when there is no room and nothing under way, or the budget is closed.
        """
        while not self._fits(worst):
            if self._closed:
                raise BudgetReachedError
            if self._aside:
                next(reversed(self._aside)).give_back()
            elif self._under_way:
                self._freed.clear()
                await self._freed.wait()
            else:
                raise BudgetReachedError
        self._hold(worst)
        self._under_way += 1

    def settle(self, worst: Stake, actual: Stake) -> None:
        """Replace a reservation by what was really spent."""
        self._under_way -= 1
        self.charge(actual)
        self._let_go(worst)

    def charge(self, actual: Stake) -> None:
        """Count what was spent without a reservation: what a resumed run had spent before."""
        self.spent = EXACT.add(self.spent, actual.cost or ZERO)
        self.spent_tokens += actual.tokens

    def _hold(self, worst: Stake) -> None:
        self._held = EXACT.add(self._held, worst.cost or ZERO)
        self._held_tokens += worst.tokens

    def _let_go(self, worst: Stake) -> None:
        self._held = EXACT.subtract(self._held, worst.cost or ZERO)
        self._held_tokens -= worst.tokens
        self._freed.set()

    def _fits(self, worst: Stake) -> bool:
        if self._closed:
            return False
        if self.token_cap is not None and self.spent_tokens + self._held_tokens + worst.tokens > self.token_cap:
            return False
        if self.cap is None:
            return True
        return EXACT.add(EXACT.add(self.spent, self._held), worst.cost or ZERO) <= self.cap


def total(*stakes: Stake) -> Stake:
    """All of these together; a cost that is not known adds nothing, as it is the tokens that are capped then."""
    cost = ZERO
    for stake in stakes:
        cost = EXACT.add(cost, stake.cost or ZERO)
    return Stake(cost, sum(stake.tokens for stake in stakes))
