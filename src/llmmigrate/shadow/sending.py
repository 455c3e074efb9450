"""One request to one side, from the reservation to the journal: the only way in which a run spends money."""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple, Protocol

from llmmigrate.costing.audit.findings import Translation
from llmmigrate.endpoints.client import OnRetry, OnSend
from llmmigrate.endpoints.exchange import Exchange
from llmmigrate.errors import EndpointError
from llmmigrate.money import EXACT
from llmmigrate.shadow.answers import answer_of, body_of, call_of, tokens_of
from llmmigrate.shadow.budget import Budget, Stake
from llmmigrate.shadow.journal import Journal, Past
from llmmigrate.shadow.pairs import Arm, Sampled
from llmmigrate.shadow.purchase import Purchase, bought, charged
from llmmigrate.shadow.sides import Read, Side
from llmmigrate.shadow.storing import Store, restored_arm, stored_arm
from llmmigrate.usage.sketch import Sketch, add

ZERO: Final = Decimal(0)
NOT_THE_MODELS: Final = frozenset({"auth", "quota", "not_found", "breaker", "ours"})
"""Failures that end a run until somebody has mended something: they are no evidence when it goes on."""

OnExchange = Callable[[Exchange], None]


class Sends(Protocol):
    """What is needed of an endpoint's client."""

    async def send(
        self, body: dict[str, Any], *, tokens: int, stream: bool, on_send: OnSend, on_retry: OnRetry
    ) -> Exchange:
        """Send a request with retries."""
        ...


@dataclass(slots=True)
class Spending:
    """What one side has done in this start, all its requests together: pairs, repetitions, the cost sample."""

    cost: Decimal = ZERO
    """USD for answers whose usage and price are known; for those of earlier starts see `Past.known`."""
    changes: dict[str, int] = field(default_factory=dict)
    """What was translated, in words → in how many requests."""
    asked: bool = False
    """A request of this start has reached it."""
    answered: bool = False
    """There was an answer in this start."""
    lags_ms: Sketch = field(default_factory=dict)
    """How long requests of this start waited for our own limits."""

    def add(self, arm: Arm) -> None:
        """Count an answer's cost."""
        if arm.tokens is not None and not arm.tokens.estimated:
            self.cost = EXACT.add(self.cost, arm.cost or ZERO)


class Told(NamedTuple):
    """What came of a request."""

    arm: Arm
    key: str | None
    """Of its result in the journal; None where it was not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that is to be sent."""

    key: str
    """The journal's."""
    body: dict[str, Any]
    read: Read
    expected: int
    """Tokens of prompt and reply that it will take, for the limit of tokens a minute."""
    purchase: Purchase


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

    async def ask(self, asked: Sampled, *, on_exchange: OnExchange | None = None) -> Arm:
        """The answer to a logged request; `on_exchange` is told what was received, before the journal is.

        Raises BudgetReachedError when the cap leaves no room for it.
        """
        return await self._alone(self.prepare(asked), on_exchange)

    async def send(
        self, key: str, body: dict[str, Any], *, expected: int, on_exchange: OnExchange | None = None
    ) -> Arm:
        """The answer to a request under a journal key; see `request` and `ask`."""
        return await self._alone(self.request(key, body, expected=expected), on_exchange)

    async def _alone(self, request: Request | Told, on_exchange: OnExchange | None) -> Arm:
        async with self.bought([request]):
            return (await self.deliver(request, on_exchange=on_exchange)).arm

    def prepare(self, asked: Sampled, *, translation: Translation | None = None, copy: int = 0) -> Request | Told:
        """How a logged request is sent, or what came of it already; `copy` 1 asks the same a second time.

        `translation` where it was made already.
        """
        translation = translation or self.side.translate(asked)
        if translation.body is None:
            return Told(incompatible(translation), None)
        for finding in translation.changes:
            self.spending.changes[finding.words] = self.spending.changes.get(finding.words, 0) + 1
        read = self.side.read(translation.body)
        key = self.side.key(asked.key, translation.body, copy, read)
        return self.request(key, translation.body, expected=asked.input_tokens + asked.output_tokens, read=read)

    def has_answer(self, asked: Sampled, translation: Translation, *, copy: int) -> bool:
        """Whether an earlier start has asked this, and kept what came of it."""
        body = translation.body
        if body is None or not self.past.results:
            return False
        return self.side.key(asked.key, body, copy) in self.past.results

    def request(self, key: str, body: dict[str, Any], *, expected: int, read: Read | None = None) -> Request | Told:
        """A request under a journal key, or what came of it already.

        `expected`: tokens of prompt and reply that it will take, for the limit of tokens a minute. `read`: what the
        side has read off the body, where it has.
        """
        while key in self.past.results:
            arm = restored_arm(self.journal.record_at(self.past.results[key])["arm"])
            if arm.failure is None or not self._is_asked_again(key, arm.failure):
                return Told(arm, key)
            key = hashlib.sha256(f"{key} again".encode()).hexdigest()
        before = self.past.ambiguous.get(key)
        if before is not None and not self.resend:
            return Told(Arm(answer=None, failure="interrupted", first_failure="interrupted", attempts=0), None)
        read = read or self.side.read(body)
        worst = self.side.worst(body, read)
        purchase = Purchase(key, worst, budget=self.budget, journal=self.journal, before=before)
        return Request(key=key, body=body, read=read, expected=expected, purchase=purchase)

    def bought(self, requests: Iterable[Request | Told]) -> AbstractAsyncContextManager[None]:
        """Set room aside for these requests, of any side, and have all their intents on the disk; see `purchase`."""
        wanted = [request.purchase for request in requests if isinstance(request, Request)]
        return bought(self.budget, self.journal, wanted)

    async def deliver(self, request: Request | Told, *, on_exchange: OnExchange | None = None) -> Told:
        """Send a request that was bought, and keep what comes of it.

        Raises BudgetReachedError when the cap leaves no room for it.
        """
        if isinstance(request, Told):
            return request
        exchange = await self.client.send(
            request.body,
            tokens=request.expected,
            stream=self.stream,
            on_send=request.purchase.leave,
            on_retry=request.purchase.settle_attempt,
        )
        if on_exchange is not None:
            on_exchange(exchange)
        arm = self._arm(exchange, len(request.read.canonical))
        self._keep(request, arm, exchange)
        self._check_served(arm)
        return Told(arm, request.key)

    def _is_asked_again(self, key: str, failure: str) -> bool:
        """Whether a failure of an earlier start says nothing about the endpoint as it is now."""
        return self.retry_failed or failure in NOT_THE_MODELS or key in self.past.outage

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
            raise EndpointError(f"{endpoint.name} {what}", why=arm.detail, fix=self._way_in(arm.failure))

    def _way_in(self, failure: Literal["auth", "quota"]) -> str:
        """What somebody has to mend before the endpoint answers."""
        if failure == "quota":
            return f"raise the quota of the account at {self.side.endpoint.provider}, or see to its billing"
        key = self.side.endpoint.key_env
        return f"check {key}" if key else "name the variable with the key: api_key_env"

    def _keep(self, request: Request, arm: Arm, exchange: Exchange) -> None:
        """Settle, write the result, and count it."""
        worst = request.purchase.worst
        counts = request.purchase.close(charged(arm.failure, worst, _spent(arm, worst)))
        self.journal.note(
            {
                "type": "result",
                "key": request.key,
                "side": self.side.name,
                "arm": stored_arm(arm, self.store),
                "charged": counts.cost,
                "tokens": counts.tokens,
            }
        )
        if exchange.attempts:
            add(self.spending.lags_ms, exchange.lag_ms)
        self.spending.add(arm)

    def _arm(self, exchange: Exchange, prompt_bytes: int) -> Arm:
        last, found = exchange.last, body_of(exchange)
        call = None if found is None else call_of(found, exchange, prompt_bytes=prompt_bytes)
        return Arm(
            answer=answer_of(call, found) if call is not None and exchange.failure is None else None,
            failure=exchange.failure,
            first_failure=exchange.first_failure,
            detail=exchange.detail,
            parameter=exchange.parameter,
            attempts=len(exchange.attempts),
            latency_ms=last.latency_ms if last else None,
            ttft_ms=last.ttft_ms if last else None,
            sent_ns=last.started_ns if last else None,
            failed_ns=exchange.attempts[0].ended_ns if last and exchange.first_failure else None,
            tokens=None if call is None else tokens_of(call),
            cost=None if call is None else self.side.till.cost(call),
            served_model=None if call is None else call.model,
        )


def incompatible(translation: Translation) -> Arm:
    """The arm of a request that this side cannot be asked at all."""
    words = "; ".join(finding.words for finding in translation.refused)
    return Arm(answer=None, failure="incompatible", first_failure="incompatible", detail=words, attempts=0)


def _spent(arm: Arm, worst: Stake) -> Stake:
    """What the answer has cost; where that is not known, the worst case."""
    tokens = worst.tokens if arm.tokens is None else arm.tokens.input + arm.tokens.output
    if arm.tokens is None or arm.tokens.estimated or arm.cost is None:
        return Stake(worst.cost, max(tokens, worst.tokens))
    return Stake(arm.cost, tokens)
