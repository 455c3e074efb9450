"""Limits, on a clock that jumps to what is waited for."""

import asyncio
import itertools

from tests.endpoints.fast_loop import run_instantly

from llmmigrate.endpoints.limits import Breaker, Limiter


def instants(limiter: Limiter, count: int, tokens: int = 0, takes: float = 0.0) -> list[float]:
    """When `count` requests that come at once are let through."""

    async def one(began: list[float]) -> None:
        async with limiter.turn(tokens) as at:
            began.append(at)
            await asyncio.sleep(takes)

    async def work() -> list[float]:
        began: list[float] = []
        await asyncio.gather(*(one(began) for _ in range(count)))
        return began

    return run_instantly(work())


def most_in_a_minute(began: list[float]) -> int:
    return max(sum(at <= other < at + 60 for other in began) for at in began)


def test_no_minute_holds_more_requests_than_the_limit() -> None:
    began = instants(Limiter(concurrency=8, rpm=30), 50, takes=5)
    assert most_in_a_minute(began) <= 30
    assert began[-1] - began[0] < 49 * 2 * 1.02  # and no more is waited than the limit asks


def test_no_minute_holds_more_tokens_than_the_limit() -> None:
    began = instants(Limiter(concurrency=8, tpm=6_000, rpm=6_000), 40, tokens=200)
    assert most_in_a_minute(began) <= 30


def test_a_request_larger_than_a_minute_passes_and_the_next_one_waits_for_it() -> None:
    began = instants(Limiter(concurrency=8, tpm=1_000), 2, tokens=1_500)
    assert 90 <= began[1] - began[0] < 92


def test_without_limits_nothing_waits() -> None:
    began = instants(Limiter(concurrency=100), 100, tokens=10**9)
    assert began == [0.0] * 100


def test_no_more_run_at_one_time_than_allowed() -> None:
    async def work() -> int:
        limiter, running, most = Limiter(concurrency=5), 0, 0

        async def one() -> None:
            nonlocal running, most
            async with limiter.turn(0):
                running += 1
                most = max(most, running)
                await asyncio.sleep(1)
                running -= 1

        await asyncio.gather(*(one() for _ in range(23)))
        return most

    assert run_instantly(work()) == 5


def test_a_pause_holds_everybody() -> None:
    async def work() -> list[float]:
        limiter = Limiter(concurrency=4)
        loop = asyncio.get_running_loop()
        start = loop.time()
        limiter.pause(20)
        limiter.pause(3)  # a shorter one does not end a longer one

        async def one() -> float:
            async with limiter.turn(0) as at:
                return at - start

        return list(await asyncio.gather(*(one() for _ in range(6))))

    assert min(run_instantly(work())) >= 20


def test_after_a_pause_requests_are_still_spaced() -> None:
    async def work() -> list[float]:
        limiter = Limiter(concurrency=8, rpm=60)

        async def one() -> float:
            async with limiter.turn(0) as at:
                limiter.pause(5)
                return at

        return sorted(await asyncio.gather(*(one() for _ in range(5))))

    began = run_instantly(work())
    assert all(later - earlier >= 5 for earlier, later in itertools.pairwise(began))


def test_one_jam_halves_once_and_successes_bring_it_back() -> None:
    async def work() -> list[int]:
        limiter = Limiter(concurrency=16)
        began = asyncio.get_running_loop().time()
        seen = [limiter.allowed]
        await asyncio.sleep(1)
        assert limiter.refused(began)
        assert not limiter.refused(began)  # sent before the first refusal came back
        seen.append(limiter.allowed)
        for _ in range(8 + 9 + 10):
            limiter.succeeded()
        seen.append(limiter.allowed)
        for _ in range(1_000):
            limiter.succeeded()
        seen.append(limiter.allowed)
        for _ in range(10):
            await asyncio.sleep(1)
            limiter.refused(asyncio.get_running_loop().time())
        return [*seen, limiter.allowed]

    assert run_instantly(work()) in ([16, 8, 10, 16, 1], [16, 8, 11, 16, 1])


def test_a_jam_holds_back_those_that_wait() -> None:
    async def work() -> int:
        limiter, running, most = Limiter(concurrency=8), 0, 0
        limiter.refused(asyncio.get_running_loop().time())

        async def one() -> None:
            nonlocal running, most
            async with limiter.turn(0):
                running += 1
                most = max(most, running)
                await asyncio.sleep(1)
                running -= 1

        await asyncio.gather(*(one() for _ in range(12)))
        return most

    assert run_instantly(work()) == 4


def test_a_request_that_is_cancelled_gives_its_place_back() -> None:
    async def work() -> bool:
        limiter = Limiter(concurrency=1, rpm=1)
        async with limiter.turn(0):
            waiting = asyncio.create_task(limiter.turn(0).__aenter__())
            await asyncio.sleep(1)
            waiting.cancel()
        pacing = asyncio.create_task(limiter.turn(0).__aenter__())
        await asyncio.sleep(1)
        pacing.cancel()  # it held the place and waited for the minute
        await asyncio.sleep(0)
        async with asyncio.timeout(200), limiter.turn(0):
            return True

    assert run_instantly(work())


def test_the_breaker_opens_after_twenty_failures_in_a_row() -> None:
    breaker = Breaker()
    for request in range(19):
        breaker.failed(request, "server", jam=False)
    breaker.succeeded()
    for request in range(19):
        breaker.failed(request, "timeout_read", jam=False)
    assert not breaker.is_open()
    breaker.failed(19, "connection", jam=False)
    assert breaker.is_open()


def test_one_request_that_always_fails_does_not_open_it() -> None:
    breaker = Breaker()
    for attempt in range(60):
        breaker.failed(attempt // 10, "server", jam=False)
    assert not breaker.is_open()


def test_refusals_of_one_wave_count_once() -> None:
    breaker = Breaker()
    for request in range(100):
        breaker.failed(request, "rate_limit", jam=False)
    assert not breaker.is_open()
    for request in range(20):
        breaker.failed(request, "rate_limit", jam=True)
    assert breaker.is_open()
