"""How fast an endpoint may be asked: requests at one time, requests and tokens a minute, and when to stop.

All of it runs on the clock of the event loop, so a test that runs a faster loop sees the same behaviour sooner.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from llmmigrate.endpoints.exchange import Failure
from llmmigrate.endpoints.failures import OUTAGE

_MINUTE: Final = 60.0 * 1.01
"""Seconds, with one part in a hundred to spare for what jitter on the way pushes together."""


class Limiter:
    """Lets requests through one after another, as the limits and the endpoint's own answers allow.

    Requests are spaced evenly: each keeps the way shut for the part of a minute that it uses up of `rpm` and of `tpm`,
    so no minute ever holds more than the limit, wherever it begins. (A bucket that starts full lets through twice the
    limit in its first minute.) The number at one time shrinks by half when the endpoint says that it is too much, once
    for all requests that were under way, and grows by one for each round of successes: additive increase,
    multiplicative decrease (Chiu and Jain, 1989).
    """

    def __init__(self, *, concurrency: int, rpm: int | None = None, tpm: int | None = None) -> None:
        self._most = concurrency
        self._allowed = float(concurrency)
        self._running = 0
        self._per_request = _MINUTE / rpm if rpm else 0.0
        self._per_token = _MINUTE / tpm if tpm else 0.0
        self._next = 0.0
        self._shut_until = 0.0
        self._last_decrease = 0.0
        self._freed = asyncio.Condition()
        self._gate = asyncio.Lock()

    @property
    def allowed(self) -> int:
        """Requests at one time that are allowed now."""
        return int(self._allowed)

    @contextlib.asynccontextmanager
    async def turn(self, tokens: int) -> AsyncIterator[float]:
        """Waits for a turn and holds it; gives the instant (of the loop) at which it began."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._running < self.allowed)
            self._running += 1
        try:
            yield await self._pace(tokens)
        finally:
            self._running -= 1
            async with self._freed:
                self._freed.notify(2)  # one for the place that is free, one for a place that was added

    def pause(self, seconds: float) -> None:
        """Nothing is sent for so long: the endpoint has asked for it."""
        self._shut_until = max(self._shut_until, _now() + seconds)

    def succeeded(self) -> None:
        """A request was answered."""
        self._allowed = min(float(self._most), self._allowed + 1 / self._allowed)

    def refused(self, began: float) -> bool:
        """A request that began at this instant was too much; whether it is the first sign of a new jam."""
        if began < self._last_decrease:
            return False
        self._last_decrease = _now()
        self._allowed = max(1.0, self._allowed / 2)
        return True

    async def _pace(self, tokens: int) -> float:
        async with self._gate:  # first come, first served
            while (wait := max(self._next, self._shut_until) - _now()) > 0:
                await asyncio.sleep(wait)
            self._next = _now() + max(self._per_request, tokens * self._per_token)
            return _now()


class Breaker:
    """Opens when an endpoint fails again and again with nothing between that works; it does not close any more.

    One request that always fails must not open it, however often it is tried: the failures must come from several.
    """

    FAILURES: Final = 20
    REQUESTS: Final = 10

    def __init__(self) -> None:
        self._failures = 0
        self._requests: set[int] = set()
        self._opened = asyncio.Event()

    def is_open(self) -> bool:
        """Whether nothing more should be sent."""
        return self._opened.is_set()

    async def rest(self, seconds: float) -> None:
        """Waits before another try; not to the end if it opens meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._opened.wait()

    def succeeded(self) -> None:
        """The endpoint has answered."""
        self._failures = 0
        self._requests.clear()

    def failed(self, request: int, failure: Failure, jam: bool) -> None:
        """An attempt of `request` failed; a rate limit counts only as the first sign of a new jam."""
        if failure not in OUTAGE and not jam:
            return
        self._failures += 1
        self._requests.add(request)
        if self._failures >= self.FAILURES and len(self._requests) >= self.REQUESTS:
            self._opened.set()


def _now() -> float:
    return asyncio.get_running_loop().time()
