"""The load loops, on a clock that jumps to what is waited for."""

import asyncio

import pytest
from tests.endpoints.fast_loop import run_instantly

from llmmigrate.endpoints.load import Extent, closed_loop, open_loop


class Server:
    """Notes when it is asked, takes its time, and knows how many are under way."""

    def __init__(self, takes: float, last: int | None = None) -> None:
        self.takes, self.last = takes, last
        self.asked: list[tuple[int, float, float]] = []
        self.running = self.most = 0
        self.answered = 0

    async def work(self, number: int, due: float) -> bool:
        now = asyncio.get_running_loop().time()
        self.asked.append((number, due, now))
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(self.takes)
        self.running -= 1
        self.answered += 1
        return number != self.last


def test_a_closed_loop_keeps_as_many_under_way() -> None:
    server = Server(takes=1)
    run_instantly(closed_loop(server.work, Extent(count=23), concurrency=4))
    assert sorted(number for number, _, _ in server.asked) == list(range(23))
    assert (server.most, server.answered) == (4, 23)


def test_a_closed_loop_ends_after_its_time_and_waits_for_what_is_under_way() -> None:
    server = Server(takes=3)
    run_instantly(closed_loop(server.work, Extent(seconds=10), concurrency=2))
    start = server.asked[0][2]
    assert all(now < start + 10 for _, _, now in server.asked)
    assert server.answered == len(server.asked) == 8


def test_an_open_loop_keeps_its_schedule_however_long_answers_take() -> None:
    server = Server(takes=5)
    run_instantly(open_loop(server.work, Extent(count=20), rate=2, most=100))
    dues = [due - server.asked[0][1] for _, due, _ in server.asked]
    assert dues == pytest.approx([number / 2 for number in range(20)])
    assert all(now >= due for _, due, now in server.asked)
    assert server.most >= 5  # a closed loop would wait
    assert server.answered == 20


def test_an_open_loop_that_is_held_back_shows_it_as_lag() -> None:
    server = Server(takes=4)
    run_instantly(open_loop(server.work, Extent(count=9), rate=2, most=2))
    assert server.most == 2
    lags = [now - due for _, due, now in server.asked]
    assert lags[-1] > 10  # due after 4 seconds, sent after the fourth round of 4


@pytest.mark.parametrize("loop", ["closed", "open"])
def test_a_load_ends_when_the_work_says_so(loop: str) -> None:
    server = Server(takes=0.5, last=5)
    extent = Extent(seconds=1_000)
    if loop == "closed":
        run_instantly(closed_loop(server.work, extent, concurrency=2))
    else:
        run_instantly(open_loop(server.work, extent, rate=2, most=4))
    assert 6 <= server.answered == len(server.asked) <= 9


def test_a_load_ends_when_it_is_told_to() -> None:
    server = Server(takes=1)
    extent = Extent(seconds=1_000)

    async def work() -> None:
        load = asyncio.create_task(closed_loop(server.work, extent, concurrency=3))
        await asyncio.sleep(5)
        extent.stopped = True
        await load

    run_instantly(work())
    assert server.answered == len(server.asked) <= 21
