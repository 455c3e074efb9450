"""The money of one request and its lines in the journal: set aside and intended early, sent in its turn, settled.

An intent is on the disk before its request leaves. That takes time, so the intents of requests that wait for their turn
are written ahead, those of a pair together. What tells whether such a request was sent is a mark in the journal
right before its bytes leave; what ends without having been sent is given up in the journal.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from typing import Any, Final

from llmmigrate.endpoints.exchange import Failure
from llmmigrate.errors import InputError
from llmmigrate.shadow.answers import ENDED
from llmmigrate.shadow.budget import NOTHING, ZERO, Budget, BudgetReachedError, Stake, total
from llmmigrate.shadow.journal import Journal

POSSIBLY_BILLED: Final = frozenset(
    {"timeout_first_token", "timeout_read", "timeout_total", "disconnected", "truncated_stream", "malformed"}
)
"""Failures after which an endpoint may charge although we have no answer: charged at the worst case."""


class Purchase:
    """One request's reservation, settled and renewed with each attempt.

    An attempt that failed is settled before another request has its turn: that one could need the room, and wait for
    it for ever where the failed one waits for the turn.
    """

    def __init__(
        self, key: str, worst: Stake, *, budget: Budget, journal: Journal, before: dict[str, Any] | None
    ) -> None:
        """`before`: the intent of an earlier start that may have been sent; the budget counts it already."""
        self.key = key
        self.worst = worst
        self.charged = NOTHING if before is None else Stake(Decimal(before["worst"] or 0), before["tokens"])
        """What all attempts so far count against the cap."""
        self._budget = budget
        self._journal = journal
        self._before = before
        self._aside = self._held = self._sent = self._done = False
        self._intended: Stake | None = None
        """What the journal says that it may cost, all attempts together."""

    async def leave(self) -> None:
        """Go on once another attempt may leave: room for it is held, and what all may cost then is on the disk.

        Raises BudgetReachedError when the cap leaves no room for it, or nothing more is to be sent.
        """
        await self._hold()
        most = total(self.charged, self.worst)
        if self._intended != most:
            self._intended = most
            await self._journal.intend(self.intent())
            if self._budget.is_closed:  # while the disk was at work
                self._settle(NOTHING)
                raise BudgetReachedError
        if not self._sent:
            self._journal.note({"type": "sent", "key": self.key})
            self._sent = True

    def settle_attempt(self, failure: Failure) -> None:
        """An attempt failed and will be made again: it counts what it may have cost, and holds nothing."""
        self._settle(charged(failure, self.worst, self.worst))

    async def _hold(self) -> None:
        if self._aside:
            self._aside = False
            self._budget.begin(self)
        else:
            await self._budget.reserve(self.worst)
        self._held = True

    def intend_early(self) -> dict[str, Any]:
        """Its intent, once room for it has been set aside."""
        self._aside = True
        self._intended = total(self.charged, self.worst)
        return self.intent()

    def intent(self) -> dict[str, Any]:
        """What the journal is told before it leaves."""
        most = total(self.charged, self.worst)
        return {"type": "intent", "key": self.key, "worst": most.cost, "tokens": most.tokens}

    def give_back(self) -> None:
        """Its turn has not come: another one needs the room. It takes room, and says so again, when it comes."""
        self._aside = False
        self._budget.take_back(self)
        self._give_up()

    def close(self, actual: Stake) -> Stake:
        """Settle at what the last attempt was charged; what all of them were. The journal gets its result next."""
        if self._aside:  # it was never sent: the endpoint is down
            self._aside = False
            self._budget.take_back(self)
        self._settle(actual)
        self._done = True
        return self.charged

    def end(self) -> None:
        """Break off what has no result: what may have been sent is charged in full, what was not is given up."""
        if self._aside:
            self.give_back()
        elif self._held and self._sent:
            self._settle(self.worst)
        elif not self._done:
            self._settle(NOTHING)
            self._give_up()

    def _settle(self, actual: Stake) -> None:
        """Replace the reservation, if there is one, by what was spent."""
        if not self._held:
            return
        self._held = False
        self._budget.settle(self.worst, actual)
        self.charged = total(self.charged, actual)

    def _give_up(self) -> None:
        """Note that nothing is under way, so that a later start may ask; but an earlier one may have asked before."""
        if self._intended is None:
            return
        self._intended = None
        if self._before is not None and not self._sent:
            note = self._before
        else:
            cost = self.charged.cost or ZERO
            note = {"type": "given_up", "key": self.key, "charged": cost, "tokens": self.charged.tokens}
        # Without the note the intent counts as one that was not sent, or at its worst: so much is safe on a full disk.
        with contextlib.suppress(InputError):
            self._journal.note(note)


@contextlib.asynccontextmanager
async def bought(budget: Budget, journal: Journal, purchases: Iterable[Purchase]) -> AsyncIterator[None]:
    """Set room aside for requests and have their intents on the disk, all together, before any of them has its turn.

    Where there is no room for all of them, each sees to it in its own turn. In the end what was not sent is given up.
    """
    wanted = tuple(purchases)
    try:
        if wanted and budget.set_aside(*wanted):
            await journal.intend(*[purchase.intend_early() for purchase in wanted])
        yield
    finally:
        for purchase in wanted:
            purchase.end()


def charged(failure: str | None, worst: Stake, spent: Stake) -> Stake:
    """What one attempt counts against the cap."""
    if failure in POSSIBLY_BILLED:
        return worst
    return spent if failure is None or failure in ENDED else NOTHING
