import asyncio
from decimal import Decimal
from random import Random

import pytest

from llmmigrate.shadow.budget import Budget, BudgetReachedError, Stake


def usd(text: str, tokens: int = 0) -> Stake:
    return Stake(Decimal(text), tokens)


def test_the_cap_is_never_overshot_with_64_under_way() -> None:
    budget = Budget(cap=Decimal(1))
    random = Random(3)
    highest = Decimal(0)

    async def spend() -> None:
        nonlocal highest
        worst = Decimal(random.randint(1, 50)) / 1000
        await budget.reserve(Stake(worst, 0))
        await asyncio.sleep(random.random() / 1000)
        await budget.settle(Stake(worst, 0), Stake(worst * random.randint(0, 100) / 100, 0))
        highest = max(highest, budget.spent)

    async def run() -> int:
        gate = asyncio.Semaphore(64)

        async def one() -> bool:
            async with gate:
                try:
                    await spend()
                except BudgetReachedError:
                    return False
                return True

        return sum(await asyncio.gather(*(one() for _ in range(500))))

    done = asyncio.run(run())
    assert 0 < done < 500
    assert highest <= 1
    assert budget.spent > Decimal("0.9"), "room that settled requests gave back was not used"


def test_a_request_waits_for_room_that_others_may_free() -> None:
    async def run() -> Decimal:
        budget = Budget(cap=Decimal(1))
        await budget.reserve(usd("0.9"))
        waiting = asyncio.create_task(budget.reserve(usd("0.9")))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await budget.settle(usd("0.9"), usd("0.1"))
        await waiting
        return budget.spent

    assert asyncio.run(run()) == Decimal("0.1")


def test_without_anything_under_way_a_request_that_does_not_fit_is_refused() -> None:
    async def run() -> None:
        budget = Budget(cap=Decimal(1))
        budget.charge(usd("0.5"))
        await budget.reserve(usd("0.6"))

    with pytest.raises(BudgetReachedError):
        asyncio.run(run())


def test_tokens_are_capped_where_there_is_no_price() -> None:
    async def run() -> None:
        budget = Budget(cap=None, token_cap=100)
        await budget.reserve(Stake(None, 60))
        await budget.settle(Stake(None, 60), Stake(None, 50))
        await budget.reserve(Stake(None, 50))
        await budget.settle(Stake(None, 50), Stake(None, 50))
        await budget.reserve(Stake(None, 1))

    with pytest.raises(BudgetReachedError):
        asyncio.run(run())
