"""Load on an endpoint: so many requests at one time (closed loop), or so many a second (open loop).

In a closed loop a slow endpoint is asked less often; in an open loop the schedule does not wait for it, so what a
request waits because others are slow is seen: the lag behind the schedule, which a closed loop hides (coordinated
omission).
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Work = Callable[[int, float], Awaitable[bool]]
"""Sends the request of this number that was due at this instant (of the loop); False ends the load."""


@dataclass(slots=True)
class Extent:
    """How long a load goes on: for a time, for a number of requests, or until told to stop."""

    seconds: float | None = None
    count: int | None = None
    stopped: bool = False

    def goes_on(self, number: int, since: float) -> bool:
        """Whether the request of this number is still to be sent."""
        if self.stopped or (self.count is not None and number >= self.count):
            return False
        return self.seconds is None or _now() < since + self.seconds


async def closed_loop(work: Work, extent: Extent, *, concurrency: int) -> None:
    """Keeps `concurrency` requests under way; returns when the last of them is answered."""
    start = _now()
    numbers = itertools.count()

    async def keep_asking() -> None:
        while extent.goes_on(number := next(numbers), start):
            if not await work(number, _now()):
                extent.stopped = True

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(keep_asking())


async def open_loop(work: Work, extent: Extent, *, rate: float, most: int) -> None:
    """Starts `rate` requests a second, evenly, but no more than `most` at one time; returns when all are answered."""
    start = _now()
    places = asyncio.Semaphore(most)

    async def ask(number: int, due: float) -> None:
        try:
            if not await work(number, due):
                extent.stopped = True
        finally:
            places.release()

    async with asyncio.TaskGroup() as group:
        for number in itertools.count():
            due = start + number / rate
            await asyncio.sleep(due - _now())
            await places.acquire()
            if not extent.goes_on(number, start):
                return
            group.create_task(ask(number, due))


def _now() -> float:
    return asyncio.get_running_loop().time()
