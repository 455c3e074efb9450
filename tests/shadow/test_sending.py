"""One request and its money: what the journal of a start that broke off says at the next one."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.endpoints.fault_server import FaultServer

import llmmigrate.shadow.journal as journal_module
from llmmigrate.costing.audit.targets import find_target
from llmmigrate.costing.audit.translate import translate
from llmmigrate.endpoints.client import Client, Retries
from llmmigrate.endpoints.exchange import Endpoint, Timeouts
from llmmigrate.prices import load_catalog
from llmmigrate.shadow.budget import Budget, BudgetReachedError, Stake
from llmmigrate.shadow.journal import Journal, Past
from llmmigrate.shadow.pairs import Arm
from llmmigrate.shadow.paying import Till
from llmmigrate.shadow.purchase import Purchase
from llmmigrate.shadow.sending import Sender
from llmmigrate.shadow.sides import Side, SideName

BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "What is up?"}], "max_completion_tokens": 100}
CATALOG = load_catalog()
COST = Decimal("0.000078")
"""Of an answer of the fault server: 11 tokens at 2 USD and 7 at 8 USD a million."""


def side(server: FaultServer, name: SideName = "target", concurrency: int = 8) -> Side:
    timeouts = Timeouts(first_token=1.5, read=1.0)
    endpoint = Endpoint(
        provider="openai", model="o3", base_url=server.base_url, dialect="openai-chat", key="k", timeouts=timeouts,
        concurrency=concurrency,
    )  # fmt: skip
    known = find_target(CATALOG, "openai", "o3", "openai-chat")
    return Side(
        name=name,
        endpoint=endpoint,
        till=Till(CATALOG, "openai", "o3", now=1_790_100_000, price=None),
        translate=lambda asked: translate(asked.request, asked.dialect, known),
    )


def start(
    path: Path,
    server: FaultServer,
    work: Callable[[Sender], Coroutine[Any, Any, Any]],
    *,
    cap: str = "1",
    concurrency: int = 8,
    **more: Any,
) -> tuple[Any, Budget]:
    """One start of a program on the journal at `path`; what `work` gives, and what was spent of the cap in the end."""

    async def whole() -> tuple[Any, Budget]:
        with Journal(path) as journal:
            past = journal.past()
            journal.start()
            budget = Budget(cap=Decimal(cap))
            budget.charge(Stake(past.charged, past.tokens))
            asked = side(server, concurrency=concurrency)
            async with Client(asked.endpoint, retries=Retries(base=0.0)) as client:
                sender = Sender(
                    side=asked, client=client, budget=budget, journal=journal, past=past, store="full", **more
                )
                return await work(sender), budget

    return asyncio.run(whole())


async def ask(sender: Sender) -> Arm:
    return await sender.send("key", BODY, expected=20)


def past_of(path: Path) -> Past:
    with Journal(path) as journal:
        return journal.past()


async def break_off(sender: Sender, server: FaultServer, requests: int) -> None:
    """Ask, and be cancelled while so many requests have been sent."""
    asking = asyncio.create_task(ask(sender))
    while len(server.requests) < requests:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


def test_each_attempt_that_may_have_been_billed_is_in_the_journal_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with FaultServer("hang_mid_stream", "hang_mid_stream", then="hang") as server:
        worst = side(server).worst(BODY).cost
        assert worst is not None
        _, budget = start(path, server, lambda sender: break_off(sender, server, 3))
    assert budget.spent == 3 * worst
    assert past_of(path).charged == 3 * worst


def test_a_request_that_is_sent_again_keeps_what_the_first_one_may_have_cost(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with FaultServer("hang") as server:
        worst = side(server).worst(BODY).cost
        assert worst is not None
        start(path, server, lambda sender: break_off(sender, server, 1))
        assert past_of(path).ambiguous
        arm, budget = start(path, server, ask, resend=True)
    assert arm.cost == COST
    assert budget.spent == worst + COST
    assert past_of(path).charged == worst + COST


def test_a_retry_that_the_cap_forbids_is_no_lost_request(tmp_path: Path) -> None:
    """It is known that nothing is under way, so a later start with more money asks again."""
    path = tmp_path / "journal.jsonl"
    with FaultServer("hang_mid_stream") as server:
        worst = side(server).worst(BODY).cost
        assert worst is not None
        with pytest.raises(BudgetReachedError):
            start(path, server, ask, cap=str(worst * 3 / 2))
        assert past_of(path).charged == worst
        arm, budget = start(path, server, ask)
    assert arm.cost == COST
    assert budget.spent == worst + COST
    assert past_of(path).charged == worst + COST


def test_both_sides_may_be_the_same_model_at_the_same_endpoint() -> None:
    with FaultServer() as server:
        current, target = side(server, "current"), side(server, "target")
    assert current.key("r1", BODY, 0) != target.key("r1", BODY, 0)


def kinds_in(path: Path) -> Counter[str]:
    return Counter(json.loads(line)["type"] for line in path.read_text().splitlines())


async def pair(sender: Sender, name: str) -> list[Arm]:
    """Two requests that are bought together and sent one after the other."""
    requests = [sender.request(f"{name}{number}", BODY, expected=20) for number in range(2)]
    async with sender.bought(requests):
        return [(await sender.deliver(request)).arm for request in requests]


def test_what_is_bought_together_is_synced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[list[str]] = []
    sync = os.fsync
    path = tmp_path / "journal.jsonl"

    def fsync(handle: int) -> None:
        syncs.append([json.loads(line)["type"] for line in path.read_text().splitlines()])
        sync(handle)

    async def work(sender: Sender) -> list[Arm]:
        monkeypatch.setattr(os, "fsync", fsync)
        try:
            return await pair(sender, "a")
        finally:
            monkeypatch.setattr(os, "fsync", sync)

    with FaultServer() as server:
        arms, budget = start(path, server, work)
    assert [arm.cost for arm in arms] == [COST, COST]
    assert budget.spent == 2 * COST
    assert syncs == [["start", "intent", "intent"]]
    assert kinds_in(path) == {"start": 1, "intent": 2, "sent": 2, "result": 2}


@pytest.mark.parametrize("concurrency", [1, 2, 8])
def test_a_tight_cap_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, concurrency: int) -> None:
    """Room that is set aside for what waits must not keep those waiting that hold its place at the endpoint."""
    path = tmp_path / "journal.jsonl"

    async def work(sender: Sender) -> list[list[Arm]]:
        async with asyncio.timeout(60):
            return await asyncio.gather(*(pair(sender, name) for name in "abcdefgh"))

    with FaultServer(*["hang_mid_stream"] * 3) as server:
        worst = side(server).worst(BODY).cost
        assert worst is not None
        cap = worst * 11 / 2 + 16 * COST
        arms, budget = start(path, server, work, cap=str(cap), concurrency=concurrency)
        assert len(server.requests) == 16 + 3
    assert {arm.failure for both in arms for arm in both} == {None}
    assert budget.spent == 3 * worst + 16 * COST, "the attempts that broke off may have been billed"
    assert past_of(path).charged == budget.spent
    assert not past_of(path).ambiguous
    monkeypatch.setattr(journal_module, "BOOT", tmp_path / "nothing")
    counted = [past.charged for past in pasts_at_any_moment(path)]
    assert max(counted) <= cap
    assert max(counted) > budget.spent, "no intent was ever open"


@pytest.mark.parametrize("concurrency", [1, 2])
def test_what_waits_to_be_made_again_keeps_nobody_waiting_for_its_room(tmp_path: Path, concurrency: int) -> None:
    """A failed attempt is settled before its turn ends: the next one, which has no room, would wait for it for ever."""
    path = tmp_path / "journal.jsonl"

    async def work(sender: Sender) -> None:
        async with asyncio.timeout(60):
            with pytest.raises(BudgetReachedError):
                await asyncio.gather(*(pair(sender, name) for name in "abcdefgh"))

    with FaultServer(then="hang_mid_stream") as server:
        worst = side(server).worst(BODY).cost
        assert worst is not None
        _, budget = start(path, server, work, cap=str(worst * 7 / 2), concurrency=concurrency)
        assert len(server.requests) == 3
    assert budget.spent == 3 * worst
    assert past_of(path).charged == 3 * worst


def pasts_at_any_moment(path: Path) -> Iterator[Past]:
    """What the next start would have read, had the machine gone down after any line of a journal."""
    lines = path.read_bytes().splitlines(keepends=True)
    cut = path.with_name("cut.jsonl")
    for count in range(len(lines) + 1):
        cut.write_bytes(b"".join(lines[:count]))
        yield past_of(cut)


def test_what_was_not_sent_is_given_up_and_may_be_asked_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after the machine was started again, when no mark can be relied on."""
    path = tmp_path / "journal.jsonl"

    with FaultServer("hang") as server:

        async def work(sender: Sender) -> None:
            asking = asyncio.create_task(pair(sender, "a"))
            while not server.requests:
                await asyncio.sleep(0.01)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

        worst = side(server).worst(BODY).cost
        assert worst is not None
        _, budget = start(path, server, work)
        assert kinds_in(path) == {"start": 1, "intent": 2, "sent": 1, "given_up": 1}
        assert budget.spent == worst
        (tmp_path / "boot").write_text("another")
        monkeypatch.setattr(journal_module, "BOOT", tmp_path / "boot")
        assert set(past_of(path).ambiguous) == {"a0"}
        arms, budget = start(path, server, lambda sender: pair(sender, "a"))
    assert [arm.failure for arm in arms] == ["interrupted", None]
    assert budget.spent == worst + COST


def test_a_request_that_waits_to_be_sent_again_stays_in_doubt(tmp_path: Path) -> None:
    """Its first sending may have been paid, so it is not asked again unless that is wanted once more."""
    path = tmp_path / "journal.jsonl"

    async def buy(sender: Sender) -> None:
        async with sender.bought([sender.request("key", BODY, expected=20)]):
            assert kinds_in(path)["intent"] == 2

    with FaultServer("hang") as server:
        worst = side(server).worst(BODY).cost
        assert worst is not None
        start(path, server, lambda sender: break_off(sender, server, 1))
        start(path, server, buy, resend=True)
        assert past_of(path).charged == worst
        arm, _ = start(path, server, ask)
        assert arm.failure == "interrupted"
        assert len(server.requests) == 1


def test_what_is_decided_while_the_disk_is_at_work_keeps_a_request_back(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    budget = Budget(cap=Decimal(10))

    async def work() -> None:
        with Journal(path) as journal, budget.closable() as close:
            purchase = Purchase("key", Stake(Decimal(1), 20), budget=budget, journal=journal, before=None)
            leaving = asyncio.ensure_future(purchase.leave())
            await asyncio.sleep(0)
            assert kinds_in(path) == {"intent": 1}
            close()
            with pytest.raises(BudgetReachedError):
                await leaving
            purchase.end()

    asyncio.run(work())
    assert kinds_in(path) == {"intent": 1, "given_up": 1}
    assert budget.spent == 0
