import asyncio
from decimal import Decimal
from random import Random

import pytest

from llmmigrate.shadow.budget import Budget, BudgetReachedError, Stake


def usd(text: str, tokens: int = 0) -> Stake:
    return Stake(Decimal(text), tokens)


class Early:
    """A request that waits for its turn with room set aside for it, where there is some."""

    def __init__(self, budget: Budget, worst: Stake) -> None:
        self.budget = budget
        self.worst = worst
        self.has_room = budget.set_aside(self)

    def give_back(self) -> None:
        self.has_room = False
        self.budget.take_back(self)


def test_the_cap_is_never_overshot_with_64_under_way() -> None:
    budget = Budget(cap=Decimal(1))
    random = Random(3)
    highest = Decimal(0)

    async def spend() -> None:
        nonlocal highest
        cost = Decimal(random.randint(1, 50)) / 1000
        worst = Stake(cost, 0)
        waiting = Early(budget, worst)
        if random.random() < 0.7 and waiting.has_room:
            await asyncio.sleep(random.random() / 1000)
        if waiting.has_room:
            budget.begin(waiting)
        else:
            await budget.reserve(worst)
        await asyncio.sleep(random.random() / 1000)
        budget.settle(worst, Stake(cost * random.randint(0, 100) / 100, 0))
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
        budget.settle(usd("0.9"), usd("0.1"))
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


def test_room_is_set_aside_for_all_or_for_none() -> None:
    class One:
        worst = usd("0.6")

        def give_back(self) -> None:
            budget.take_back(self)

    budget = Budget(cap=Decimal(1))
    assert not budget.set_aside(One(), One())
    assert budget.set_aside(One()), "nothing was held of what did not fit"


def test_whose_turn_has_come_takes_the_room_of_the_last_that_wait() -> None:
    async def run() -> list[bool]:
        budget = Budget(cap=Decimal(1))
        waiting = [Early(budget, usd("0.3")) for _ in range(3)]
        assert all(early.has_room for early in waiting)
        await budget.reserve(usd("0.5"))
        return [early.has_room for early in waiting]

    assert asyncio.run(run()) == [True, False, False]


def test_those_under_way_are_waited_for_when_nothing_is_set_aside() -> None:
    async def run() -> None:
        budget = Budget(cap=Decimal(1))
        first = Early(budget, usd("0.6"))
        budget.begin(first)
        waiting = asyncio.create_task(budget.reserve(usd("0.6")))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        budget.settle(first.worst, usd("0.6"))
        with pytest.raises(BudgetReachedError):
            await waiting

    asyncio.run(run())


def test_nothing_more_is_spent_once_it_is_closed() -> None:
    async def run() -> None:
        budget = Budget(cap=None)
        waiting = Early(budget, usd("0.1"))
        with budget.closable() as close:
            under_way = usd("0.2")
            await budget.reserve(under_way)
            close()
            assert not waiting.has_room
            assert not Early(budget, usd("0.1")).has_room
            with pytest.raises(BudgetReachedError):
                await budget.reserve(usd("0.1"))
            budget.settle(under_way, under_way)
        await budget.reserve(usd("0.1"))
        assert budget.spent == Decimal("0.2")

    asyncio.run(run())


def test_tokens_are_capped_where_there_is_no_price() -> None:
    async def run() -> None:
        budget = Budget(cap=None, token_cap=100)
        await budget.reserve(Stake(None, 60))
        budget.settle(Stake(None, 60), Stake(None, 50))
        await budget.reserve(Stake(None, 50))
        budget.settle(Stake(None, 50), Stake(None, 50))
        await budget.reserve(Stake(None, 1))

    with pytest.raises(BudgetReachedError):
        asyncio.run(run())
