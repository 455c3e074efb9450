"""Moments keep their order, whatever is done to the machine's clock."""

import asyncio
import time
from itertools import pairwise

import pytest
from tests.endpoints.fault_server import FaultServer

from llmmigrate.endpoints.client import Client, Retries
from llmmigrate.endpoints.clock import Clock
from llmmigrate.endpoints.exchange import Attempt, Endpoint

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
NOON = 1_790_000_000 * SECOND


def set_to(monkeypatch: pytest.MonkeyPatch, now: int) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: now)


def test_a_clock_that_is_set_back_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    set_to(monkeypatch, NOON)
    assert clock.moment(50.0) == NOON
    set_to(monkeypatch, NOON - HOUR)
    assert clock.moment(52.5) == NOON + 5 * SECOND // 2
    set_to(monkeypatch, NOON - HOUR + 9 * SECOND)
    assert clock.moment(60.0) == NOON + 10 * SECOND


def test_a_clock_that_is_set_forward_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a sleep of the machine, in which the clock of the loop may stand still."""
    clock = Clock()
    set_to(monkeypatch, NOON)
    clock.moment(50.0)
    set_to(monkeypatch, NOON + HOUR)
    assert clock.moment(51.0) == NOON + HOUR


def test_moments_lie_after_those_of_an_earlier_process(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to(monkeypatch, NOON - HOUR)
    clock = Clock(after=NOON)
    assert NOON < clock.moment(1.0) < clock.moment(1.5) < NOON + SECOND
    set_to(monkeypatch, NOON + HOUR)
    assert clock.moment(2.0) == NOON + HOUR


def test_what_is_sent_after_a_failure_is_later_than_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order tells an outage that lasts from one that is over."""
    real = time.time_ns
    steps = iter(range(100))
    monkeypatch.setattr(time, "time_ns", lambda: real() - next(steps) * HOUR)

    async def work(server: FaultServer) -> list[Attempt]:
        endpoint = Endpoint(provider="zai", model="glm-5", dialect="openai-chat", base_url=server.base_url, key="k")
        async with Client(endpoint, retries=Retries(attempts=1)) as client:
            return [(await client.send({"model": "x", "messages": []})).attempts[0] for _ in range(4)]

    with FaultServer("ok", "status:500", "ok", "ok") as server:
        attempts = asyncio.run(work(server))
    assert [made.failure for made in attempts] == [None, "server", None, None]
    assert all(later.started_ns > earlier.ended_ns for earlier, later in pairwise(attempts))
