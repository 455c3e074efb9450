"""A file of requests through one endpoint: the same limits, retries, journal and cap as a comparison, with one side.

Requests are lines of OpenAI's Batch input, answers lines of its output: `custom_id` joins them. An answer is written
as soon as it is there, before the journal knows of it, so nothing that was paid is lost.
"""

import asyncio
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, NamedTuple

import msgspec

from llmmigrate.costing.audit.requests import dialect_of, features_of
from llmmigrate.costing.results import Money, Record
from llmmigrate.endpoints.client import Client
from llmmigrate.endpoints.exchange import Exchange
from llmmigrate.errors import InputError, Location
from llmmigrate.money import plain
from llmmigrate.shadow.answers import body_of
from llmmigrate.shadow.budget import Budget, Stake
from llmmigrate.shadow.journal import Journal
from llmmigrate.shadow.ordered import SPARE, Halt, in_order
from llmmigrate.shadow.pairs import Arm, Sampled
from llmmigrate.shadow.sending import Sender
from llmmigrate.shadow.sides import Side
from llmmigrate.statistics.quantiles import quantile

SCHEMA: Final = "llmmigrate.batch/1"
JOURNAL_SUFFIX: Final = ".journal"


class BatchResult(Record, frozen=True, kw_only=True):
    """What came of a batch (llmmigrate.batch/1), all its starts together."""

    schema: str = SCHEMA
    command: str
    version: str
    endpoint: str
    requests: int
    answered: int
    failed: dict[str, int]
    """Requests without an answer, by why; they may be sent again with --resume."""
    left: int
    """Requests that were not sent, because the cap was reached or the run interrupted."""
    stopped: Literal["finished", "budget", "interrupted", "breaker"]
    latency_ms_p50: float | None
    latency_ms_p99: float | None
    """Of the answers of this start."""
    cost: Money | None
    """USD for the answers of this start; null where some have no price."""
    counted: Money
    """USD of all starts that count against the cap: answers, and what may have been billed."""
    cap: Money | None
    input_tokens: int
    output_tokens: int
    changes: dict[str, int]
    """What was translated, in words → in how many requests."""


class Line(NamedTuple):
    """One request of a batch file."""

    number: int
    custom_id: str
    body: dict[str, Any]


def read_requests(path: Path) -> list[Line]:
    """The requests of a batch file. InputError, with the place, for a line that is none or an id that stands twice."""
    lines = list(_lines(path))
    seen: dict[str, int] = {}
    for line in lines:
        if line.custom_id in seen:
            raise InputError(
                f"the custom_id '{line.custom_id}' stands twice",
                where=Location(str(path), line.number),
                why=f"it stands in line {seen[line.custom_id]}, too, and joins an answer to its request",
            )
        seen[line.custom_id] = line.number
    if not lines:
        raise InputError(f"{path} holds no request", fix='write lines such as {"custom_id": "1", "body": {…}}')
    return lines


def _lines(path: Path) -> Iterator[Line]:
    if not path.exists():
        raise InputError(f"no such file: {path}")
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            if not text.strip():
                continue
            where = Location(str(path), number)
            try:
                record = msgspec.json.decode(text)
            except msgspec.DecodeError as error:
                raise InputError("this line is no JSON", where=where, why=str(error)) from None
            yield _line(number, record, where)


def _line(number: int, record: Any, where: Location) -> Line:
    body = record.get("body") if isinstance(record, dict) else None
    if not isinstance(body, dict) or dialect_of(body) is None:
        fix = 'write {"custom_id": "…", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": […]}}'
        raise InputError("this line holds no chat request", where=where, fix=fix)
    name = record.get("custom_id")
    if not isinstance(name, str) or not name:
        raise InputError("this request has no custom_id", where=where, fix="give each request one of its own")
    return Line(number, name, body)


def answered_in(path: Path) -> set[str]:
    """The custom_ids that have an answer in an output file; a line that a crash cut off is dropped from it."""
    if not path.exists():
        return set()
    found: set[str] = set()
    whole = 0
    with path.open("r+b") as file:
        for text in file:
            if not text.endswith(b"\n"):
                break
            whole += len(text)
            record = msgspec.json.decode(text)
            if record.get("error") is None:
                found.add(record["custom_id"])
        file.truncate(whole)
    return found


@dataclass(slots=True, kw_only=True)
class Batch:
    """A batch while it goes on."""

    side: Side
    lines: Sequence[Line]
    output: Path
    max_cost: Decimal | None
    token_cap: int | None
    resend: bool = False
    done: set[str] = field(default_factory=set)
    """Answered by an earlier start."""
    failed: Counter[str] = field(default_factory=Counter)
    latencies_ms: "array[float]" = field(default_factory=lambda: array("d"))
    unpriced: int = 0
    cost: Decimal = Decimal(0)
    tokens: list[int] = field(default_factory=lambda: [0, 0])
    taken: int = 0

    async def run(self, stop: asyncio.Event, on_answer: Any) -> tuple[Halt, Budget, Sender]:
        """Send what has no answer yet."""
        self.done = answered_in(self.output)
        left = [line for line in self.lines if line.custom_id not in self.done]
        with (
            Journal(self.output.with_name(self.output.name + JOURNAL_SUFFIX)) as journal,
            self.output.open("ab") as out,
        ):
            past = journal.past()
            journal.start()
            budget = Budget(cap=self.max_cost, token_cap=self.token_cap)
            budget.charge(Stake(past.charged, past.tokens))
            async with Client(self.side.endpoint) as client:
                sender = Sender(
                    side=self.side, client=client, budget=budget, journal=journal, past=past, store="hashes",
                    stream=False, resend=self.resend, retry_failed=True,
                )  # fmt: skip

                async def ask(line: Line) -> Arm:
                    return await self._ask(line, sender, out)

                async def take(arm: Arm) -> bool:
                    self._count(arm)
                    on_answer(self.taken, budget)
                    return arm.failure != "breaker"

                window = self.side.endpoint.concurrency + SPARE
                halt = await in_order(left, ask, take, window=window, stop=stop)
        return halt, budget, sender

    async def _ask(self, line: Line, sender: Sender, out: BinaryIO) -> Arm:
        def keep(exchange: Exchange) -> None:
            out.write(msgspec.json.encode(_answer(line, exchange)) + b"\n")
            out.flush()

        return await sender.ask(asked_of(line), on_exchange=keep)

    def _count(self, arm: Arm) -> None:
        self.taken += 1
        if arm.failure is not None:
            self.failed[arm.failure] += 1
            return
        self.unpriced += arm.cost is None
        self.cost += arm.cost or 0
        if arm.tokens is not None:
            self.tokens[0] += arm.tokens.input
            self.tokens[1] += arm.tokens.output
        if arm.latency_ms is not None:
            self.latencies_ms.append(arm.latency_ms)

    def result(self, halt: Halt, budget: Budget, sender: Sender, *, command: str, version: str) -> BatchResult:
        """What came of it."""
        stopped: Any = "breaker" if halt == "decided" else halt
        failed = sum(self.failed.values())
        answered = len(self.done) + self.taken - failed
        times = self.latencies_ms
        return BatchResult(
            command=command,
            version=version,
            endpoint=self.side.endpoint.name,
            requests=len(self.lines),
            answered=answered,
            failed=dict(sorted(self.failed.items())),
            left=len(self.lines) - answered - failed,
            stopped=stopped,
            latency_ms_p50=round(quantile(times, 0.5), 3) if times else None,
            latency_ms_p99=round(quantile(times, 0.99), 3) if times else None,
            cost=None if self.unpriced else plain(self.cost),
            counted=plain(budget.spent),
            cap=None if budget.cap is None else plain(budget.cap),
            input_tokens=self.tokens[0],
            output_tokens=self.tokens[1],
            changes=dict(sorted(sender.spending.changes.items())),
        )


def asked_of(line: Line) -> Sampled:
    """A request of a batch as the engine takes one; its size is a guess for the limit of tokens a minute."""
    dialect = dialect_of(line.body)
    assert dialect is not None  # `read_requests` lets no other pass
    reply = features_of(line.body, dialect).max_output_tokens or 500
    return Sampled(
        key=line.custom_id,
        order=0.0,
        place=str(line.number),
        request=line.body,
        dialect=dialect,
        logged=None,
        input_tokens=len(msgspec.json.encode(line.body)) // 4,
        output_tokens=min(reply, 500),
    )


def _answer(line: Line, exchange: Exchange) -> dict[str, Any]:
    """One line of OpenAI's Batch output."""
    last = exchange.last
    body = body_of(exchange)
    response = None
    if body is not None:
        response = {"status_code": last.status if last else None, "request_id": body.get("id"), "body": body}
    error = None if body is not None else {"code": exchange.failure, "message": exchange.detail}
    return {"id": f"batch_req_{line.number}", "custom_id": line.custom_id, "response": response, "error": error}
