"""One request to one side, from the reservation to the journal: the only way in which a run spends money."""

import hashlib
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Protocol

from llmmigrate.costing.audit.findings import Translation
from llmmigrate.endpoints.exchange import Exchange, Failure
from llmmigrate.errors import EndpointError
from llmmigrate.money import EXACT
from llmmigrate.shadow.answers import ENDED, answer_of, body_of, call_of, tokens_of
from llmmigrate.shadow.budget import Budget, BudgetReachedError, Stake
from llmmigrate.shadow.journal import Journal, Past
from llmmigrate.shadow.pairs import Arm, Sampled
from llmmigrate.shadow.sides import Read, Side
from llmmigrate.shadow.storing import Store, restored_arm, stored_arm

ZERO: Final = Decimal(0)
POSSIBLY_BILLED: Final = frozenset(
    {"timeout_first_token", "timeout_read", "timeout_total", "disconnected", "truncated_stream", "malformed"}
)
"""Failures after which an endpoint may charge although we have no answer: charged at the worst case."""
NOT_THE_MODELS: Final = frozenset({"auth", "quota", "not_found", "breaker", "ours"})
"""Failures that end a run until somebody has mended something: they are no evidence when it goes on."""
NOTHING: Final = Stake(ZERO, 0)


BeforeSending = Callable[[Failure | None], Awaitable[None]]
"""Told why the attempt before failed; None before the first one."""
OnExchange = Callable[[Exchange], None]


class Sends(Protocol):
    """What is needed of an endpoint's client."""

    async def send(self, body: dict[str, Any], *, tokens: int, stream: bool, on_send: BeforeSending) -> Exchange:
        """Send a request with retries; `on_send` is awaited right before each attempt leaves."""
        ...


@dataclass(slots=True)
class Spending:
    """What one side has done so far, all its requests together: pairs, repetitions, the cost sample."""

    cost: Decimal = ZERO
    """USD for answers whose usage and price are known."""
    changes: dict[str, int] = field(default_factory=dict)
    """What was translated, in words → in how many requests."""
    asked: bool = False
    """A request of this start has reached it."""
    answered: bool = False
    """There was an answer in this start."""
    lags_ms: "array[float]" = field(default_factory=lambda: array("d"))
    """How long requests of this start waited for our own limits."""

    def add(self, arm: Arm) -> None:
        """Count an answer's cost."""
        if arm.tokens is not None and not arm.tokens.estimated:
            self.cost = EXACT.add(self.cost, arm.cost or ZERO)


@dataclass(slots=True, kw_only=True)
class Sender:
    """Sends the requests of one side."""

    side: Side
    client: Sends
    budget: Budget
    journal: Journal
    past: Past
    store: Store
    stream: bool = True
    """Answers are asked for as streams, so that the time to the first token can be measured."""
    resend: bool = False
    """Requests that an earlier start may have sent are sent again."""
    retry_failed: bool = False
    """Requests that failed in an earlier start are sent again."""
    spending: Spending = field(default_factory=Spending)

    async def ask(
        self,
        asked: Sampled,
        *,
        translation: Translation | None = None,
        copy: int = 0,
        on_exchange: OnExchange | None = None,
    ) -> Arm:
        """The answer to a logged request; `copy` 1 asks the same a second time.

        `translation` where it was made already. `on_exchange` is told what was received, before the journal is.
        Raises BudgetReachedError when the cap leaves no room for it.
        """
        translation = translation or self.side.translate(asked)
        if translation.body is None:
            return incompatible(translation)
        for finding in translation.changes:
            self.spending.changes[finding.words] = self.spending.changes.get(finding.words, 0) + 1
        read = self.side.read(translation.body)
        key = self.side.key(asked.key, translation.body, copy, read)
        expected = asked.input_tokens + asked.output_tokens
        return await self.send(key, translation.body, expected=expected, on_exchange=on_exchange, read=read)

    async def send(
        self,
        key: str,
        body: dict[str, Any],
        *,
        expected: int,
        on_exchange: OnExchange | None = None,
        read: Read | None = None,
    ) -> Arm:
        """The answer to a request under a journal key: from the journal where it is there, else from the endpoint.

        `expected`: tokens of prompt and reply that it will take, for the limit of tokens a minute. `read`: what the
        side has read off the body, where it has.
        Raises BudgetReachedError when the cap leaves no room for it.
        """
        while key in self.past.results:
            arm = restored_arm(self.journal.record_at(self.past.results[key])["arm"])
            if arm.failure is None or not self._is_asked_again(key, arm.failure):
                self.spending.add(arm)
                return arm
            key = hashlib.sha256(f"{key} again".encode()).hexdigest()
        if key in self.past.ambiguous and not self.resend:
            return Arm(answer=None, failure="interrupted", first_failure="interrupted", attempts=0)
        read = read or self.side.read(body)
        worst = self.side.worst(body, read)
        purchase = _Purchase(self.budget, worst, self._charged_before(key))

        async def before(previous: Failure | None) -> None:
            most = await purchase.attempt(previous)
            if most is not None:
                await self.journal.intend({"type": "intent", "key": key, "worst": most.cost, "tokens": most.tokens})

        try:
            exchange = await self.client.send(body, tokens=expected, stream=self.stream, on_send=before)
        except BudgetReachedError:
            self._give_up(key, purchase)
            raise
        except BaseException:  # cancelled: what may have been sent is charged in full
            await purchase.settle(worst)
            raise
        if on_exchange is not None:
            on_exchange(exchange)
        arm = self._arm(exchange, len(read.canonical))
        await purchase.settle(_charged(arm.failure, worst, _spent(arm, worst)))
        self._keep(key, arm, exchange, purchase)
        self._check_served(arm)
        return arm

    def _is_asked_again(self, key: str, failure: str) -> bool:
        """Whether a failure of an earlier start says nothing about the endpoint as it is now."""
        return self.retry_failed or failure in NOT_THE_MODELS or key in self.past.outage

    def _charged_before(self, key: str) -> Stake:
        """What an earlier start may have paid for a request that it did not see answered."""
        intent = self.past.ambiguous.get(key)
        return NOTHING if intent is None else Stake(Decimal(intent["worst"] or 0), intent["tokens"])

    def _give_up(self, key: str, purchase: "_Purchase") -> None:
        """Note that no room was left for another attempt: nothing is under way, so a later start may ask again."""
        if purchase.sent:
            charged = purchase.charged
            self.journal.note({"type": "given_up", "key": key, "charged": charged.cost, "tokens": charged.tokens})

    def _check_served(self, arm: Arm) -> None:
        """EndpointError for a failure that every further request would meet, too."""
        self.spending.answered = self.spending.answered or arm.answer is not None
        endpoint = self.side.endpoint
        if arm.failure == "not_found" and not self.spending.answered:
            raise EndpointError(
                f"{endpoint.name} is not served at {endpoint.base_url}", why=arm.detail, fix="check the model's name"
            )
        if arm.failure in ("connection", "disconnected", "timeout_connect") and not self.spending.asked:
            raise EndpointError(
                f"{endpoint.name} cannot be reached at {endpoint.base_url}",
                why=arm.detail,
                fix="check the address and the network; what was answered already is in the journal",
            )
        self.spending.asked = True
        if arm.failure in ("auth", "quota"):
            what = "refuses the key" if arm.failure == "auth" else "has no quota left for this key"
            fix = f"check {endpoint.key_env}" if endpoint.key_env else "name the variable with the key: api_key_env"
            raise EndpointError(f"{endpoint.name} {what}", why=arm.detail, fix=fix)

    def _keep(self, key: str, arm: Arm, exchange: Exchange, purchase: "_Purchase") -> None:
        """Write the result, and count it."""
        self.journal.note(
            {
                "type": "result",
                "key": key,
                "side": self.side.name,
                "arm": stored_arm(arm, self.store),
                "charged": purchase.charged.cost,
                "tokens": purchase.charged.tokens,
            }
        )
        if exchange.attempts:
            self.spending.lags_ms.append(exchange.lag_ms)
        self.spending.add(arm)

    def _arm(self, exchange: Exchange, prompt_bytes: int) -> Arm:
        last, found = exchange.last, body_of(exchange)
        call = None if found is None else call_of(found, exchange, prompt_bytes=prompt_bytes)
        return Arm(
            answer=answer_of(call, found) if call is not None and exchange.failure is None else None,
            failure=exchange.failure,
            first_failure=exchange.first_failure,
            detail=exchange.detail,
            attempts=len(exchange.attempts),
            latency_ms=last.latency_ms if last else None,
            ttft_ms=last.ttft_ms if last else None,
            sent_ns=last.started_ns if last else None,
            failed_ns=exchange.attempts[0].ended_ns if last and exchange.first_failure else None,
            tokens=None if call is None else tokens_of(call),
            cost=None if call is None else self.side.till.cost(call),
            served_model=None if call is None else call.model,
        )


class _Purchase:
    """One request's reservation, renewed for each attempt so that a retry never waits for its own."""

    def __init__(self, budget: Budget, worst: Stake, charged: Stake) -> None:
        """`charged`: what an earlier start may have paid, which the budget counts already."""
        self._budget = budget
        self.worst = worst
        self._held = self.sent = False
        self._most: Stake | None = None
        self.charged = charged

    async def attempt(self, previous: Failure | None) -> Stake | None:
        """Reserve for the next attempt; what all of them may have cost then, None where that is no more than before."""
        await self.settle(_charged(previous, self.worst, self.worst))
        await self._budget.reserve(self.worst)
        self._held = self.sent = True
        most, self._most = self._most, _sum(self.charged, self.worst)
        return None if most == self._most else self._most

    async def settle(self, actual: Stake) -> None:
        """Replace the reservation, if there is one, by what was spent."""
        if not self._held:
            return
        self._held = False
        await self._budget.settle(self.worst, actual)
        self.charged = _sum(self.charged, actual)


def incompatible(translation: Translation) -> Arm:
    """The arm of a request that this side cannot be asked at all."""
    words = "; ".join(finding.words for finding in translation.refused)
    return Arm(answer=None, failure="incompatible", first_failure="incompatible", detail=words, attempts=0)


def _sum(one: Stake, other: Stake) -> Stake:
    return Stake(EXACT.add(one.cost or ZERO, other.cost or ZERO), one.tokens + other.tokens)


def _spent(arm: Arm, worst: Stake) -> Stake:
    """What the answer has cost; where that is not known, the worst case."""
    tokens = worst.tokens if arm.tokens is None else arm.tokens.input + arm.tokens.output
    if arm.tokens is None or arm.tokens.estimated or arm.cost is None:
        return Stake(worst.cost, max(tokens, worst.tokens))
    return Stake(arm.cost, tokens)


def _charged(failure: str | None, worst: Stake, spent: Stake) -> Stake:
    """What one attempt counts against the cap."""
    if failure in POSSIBLY_BILLED:
        return worst
    return spent if failure is None or failure in ENDED else NOTHING
