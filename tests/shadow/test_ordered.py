import asyncio
from collections.abc import Awaitable, Callable

import pytest

from llmmigrate.shadow.budget import BudgetReachedError
from llmmigrate.shadow.ordered import AHEAD, Halt, in_order


def into(taken: list[int]) -> Callable[[int], Awaitable[bool]]:
    async def take(job: int) -> bool:
        taken.append(job)
        return True

    return take


def run(
    jobs: list[int],
    do: Callable[[int], Awaitable[int]],
    take: Callable[[int], Awaitable[bool]],
    window: int = 4,
    stop: asyncio.Event | None = None,
) -> Halt:
    async def whole() -> Halt:
        return await in_order(jobs, do, take, window=window, stop=stop or asyncio.Event())

    return asyncio.run(whole())


def test_results_come_in_the_order_of_the_jobs_however_long_they_take() -> None:
    async def slow_first(job: int) -> int:
        await asyncio.sleep(0.02 if job % 3 == 0 else 0)
        return job

    taken: list[int] = []
    assert run(list(range(20)), slow_first, into(taken)) == "finished"
    assert taken == list(range(20))


def test_no_more_than_the_window_is_under_way() -> None:
    under_way = peak = 0

    async def count(job: int) -> int:
        nonlocal under_way, peak
        under_way += 1
        peak = max(peak, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return job

    run(list(range(50)), count, into([]), window=5)
    assert peak == 5


def test_a_slow_job_holds_the_others_back_at_last() -> None:
    started: list[int] = []
    release = asyncio.Event()

    async def first_waits(job: int) -> int:
        started.append(job)
        if job == 0:
            await release.wait()
        elif job == AHEAD - 1:
            release.set()
        return job

    taken: list[int] = []
    run(list(range(AHEAD + 10)), first_waits, into(taken))
    assert taken == list(range(AHEAD + 10))
    assert started[AHEAD:] == list(range(AHEAD, AHEAD + 10))


def test_a_decision_stops_and_nothing_after_it_is_taken() -> None:
    async def at_once(job: int) -> int:
        return job

    taken: list[int] = []

    async def until_five(job: int) -> bool:
        taken.append(job)
        return job < 5

    assert run(list(range(100)), at_once, until_five) == "decided"
    assert taken == [0, 1, 2, 3, 4, 5]


def test_a_reached_budget_keeps_what_was_before_the_gap() -> None:
    async def broke_at_seven(job: int) -> int:
        if job == 7:
            raise BudgetReachedError
        return job

    taken: list[int] = []
    assert run(list(range(100)), broke_at_seven, into(taken), window=3) == "budget"
    assert taken == list(range(7))


def test_an_interrupt_finishes_what_runs() -> None:
    stop = asyncio.Event()
    finished: list[int] = []

    async def interrupt_at_three(job: int) -> int:
        if job == 3:
            stop.set()
        await asyncio.sleep(0.01)
        finished.append(job)
        return job

    taken: list[int] = []
    assert run(list(range(100)), interrupt_at_three, into(taken), stop=stop) == "interrupted"
    assert taken == sorted(finished) == [0, 1, 2, 3]


def test_another_exception_cancels_the_rest_and_is_raised() -> None:
    cancelled: list[int] = []

    async def broken(job: int) -> int:
        if job == 1:
            raise ValueError("broken")
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.append(job)
            raise
        return job

    with pytest.raises(ValueError, match="broken"):
        run([0, 1, 2], broken, into([]))
    assert cancelled == [0, 2]
