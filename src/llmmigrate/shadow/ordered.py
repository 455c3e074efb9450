"""Many jobs at once, their results in the order in which the jobs were listed.

Evidence must enter the tests in an order that was fixed beforehand. Taken as they complete, slow failures would come
last, and a target that fails slowly would pass before they are seen.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, Literal, TypeVar

from llmmigrate.shadow.budget import BudgetReachedError

Job = TypeVar("Job")
Result = TypeVar("Result")
Halt = Literal["finished", "decided", "budget", "interrupted"]
"""Why no further job was started."""

SPARE: Final = 6
"""Jobs under way beyond what the endpoints take at one time: their intents are synced while they wait for their turn.
And of a pair it is drawn who is asked first, so that without them one side often has nobody waiting, and the other too
many."""
AHEAD: Final = 1024
"""So many results may wait for a slow one before them; then nothing new is started."""


async def in_order(
    jobs: Sequence[Job],
    do: Callable[[Job], Awaitable[Result]],
    take: Callable[[Result], Awaitable[bool]],
    *,
    window: int,
    stop: asyncio.Event,
) -> Halt:
    """Do all jobs, at most `window` at once, and `take` each result in the order of `jobs`.

    Ends early when `take` returns False (decided), a job raises BudgetReachedError, or `stop` is set; what is under way
    then is finished, and what can be taken in order is taken, but not after a decision. Any other exception of a job
    cancels the others and is raised.
    """
    run = _Run(jobs, do, take)
    stopped = asyncio.ensure_future(stop.wait())
    stopped.add_done_callback(lambda _: run.news.set())
    try:
        while True:
            if stop.is_set():
                run.halt("interrupted")
            run.start(window)
            if not run.under_way:
                return run.halted or "finished"
            await run.news.wait()
            await run.collect()
    finally:
        stopped.cancel()
        for task in run.under_way:
            task.cancel()
        await asyncio.gather(*run.under_way, return_exceptions=True)


class _Run(Generic[Job, Result]):
    """The state of one `in_order`."""

    def __init__(
        self, jobs: Sequence[Job], do: Callable[[Job], Awaitable[Result]], take: Callable[[Result], Awaitable[bool]]
    ) -> None:
        self._jobs, self._do, self._take = jobs, do, take
        self._started = self._taken = 0
        self._results: dict[int, Result] = {}
        self._finished: list[asyncio.Future[Any]] = []
        self.news = asyncio.Event()
        """Something has finished, or all is to stop. (`asyncio.wait` would look at all that is under way each time.)"""
        self.under_way: dict[asyncio.Future[Any], int] = {}
        self.halted: Halt | None = None

    def halt(self, why: Halt) -> None:
        """Start nothing more; the first reason stays."""
        self.halted = self.halted or why

    def start(self, window: int) -> None:
        """Fill the window."""
        last = min(len(self._jobs), self._taken + AHEAD)
        while self.halted is None and self._started < last and len(self.under_way) < window:
            task: asyncio.Future[Any] = asyncio.ensure_future(self._do(self._jobs[self._started]))
            task.add_done_callback(self._finish)
            self.under_way[task] = self._started
            self._started += 1

    def _finish(self, task: "asyncio.Future[Any]") -> None:
        self._finished.append(task)
        self.news.set()

    async def collect(self) -> None:
        """Keep what has finished, and hand over what is next in order."""
        self.news.clear()
        finished, self._finished = self._finished, []
        for task in finished:
            number = self.under_way.pop(task)
            try:
                self._results[number] = task.result()
            except BudgetReachedError:
                self.halt("budget")
        while self.halted != "decided" and self._taken in self._results:
            self._taken += 1
            if not await self._take(self._results.pop(self._taken - 1)):
                self.halted = "decided"
