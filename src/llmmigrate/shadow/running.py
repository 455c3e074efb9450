"""A run from its first request to its last: clients, budget, journal, the two samples, and what came of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from llmmigrate.endpoints import embeddings
from llmmigrate.endpoints.client import Client, limiter_of
from llmmigrate.endpoints.clock import Clock
from llmmigrate.endpoints.limits import Limiter
from llmmigrate.money import EXACT, plain
from llmmigrate.shadow.budget import Budget, Stake
from llmmigrate.shadow.engine import Comparison, CostPair, Embedding
from llmmigrate.shadow.journal import Journal, Past
from llmmigrate.shadow.judgement import Verdict
from llmmigrate.shadow.pairs import Pair
from llmmigrate.shadow.results import Spend
from llmmigrate.shadow.runs import JOURNAL
from llmmigrate.shadow.sample import Sample
from llmmigrate.shadow.scoring import Measure, Score, Scorer
from llmmigrate.shadow.sending import Sender
from llmmigrate.shadow.sides import Side
from llmmigrate.shadow.storing import Store
from llmmigrate.shadow.summary import Summary
from llmmigrate.shadow.vectors import Vectors
from llmmigrate.shadow.verdict import Judge
from llmmigrate.usage.sketch import Sketch, merge, quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything that a run needs."""

    folder: Path
    sample: Sample
    current: Side
    target: Side
    judge: Judge
    measures: Sequence[Measure]
    seed: int
    store: Store
    fresh: bool
    """The current side is asked anew; else its logged answers stand in for it."""
    repeats: int
    """In so many of the first pairs the current side is asked twice."""
    max_cost: Decimal | None
    token_cap: int | None
    embeddings: Side | None = None
    """Who gives the vectors of answers, where a measure needs them."""
    vectors: Vectors | None = None
    """Where that measure finds them."""
    resend: bool = False
    """Requests of an earlier start that may have been sent are sent again."""


@dataclass(slots=True)
class Progress:
    """How far a run is; changes while it goes on."""

    pairs: int
    of: int
    budget: Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of a run."""

    verdict: Verdict
    summary: Summary
    spend: Spend
    cost: list[CostPair]
    changed: dict[str, int]
    """What was translated for the target, in words → in how many requests."""
    lag_ms_p99: float | None
    """How long requests waited for our own limits and schedule, within 1 %."""
    torn: bool
    """The journal of the earlier start ended in a torn line."""
    not_sent_again: int
    """Requests of the earlier start that may have been sent, and were not sent again."""


async def run(job: Job, stop: asyncio.Event, on_progress: Callable[[Progress], None]) -> Ran:
    """Send, judge, and sum up. Journal, budget and limits are in force from the first request on."""
    summary = Summary(job.measures, current=job.current.endpoint.name, target=job.target.endpoint.name, store=job.store)
    with Journal(job.folder / JOURNAL) as journal:
        past = journal.past()
        journal.start()
        budget = Budget(cap=job.max_cost, token_cap=job.token_cap)
        budget.charge(Stake(past.charged, past.tokens))
        progress = Progress(0, len(job.sample.canary), budget)

        def on_pair(pair: Pair, scores: Mapping[str, Score]) -> None:
            summary.add(pair, scores)
            progress.pairs += 1
            on_progress(progress)

        async with AsyncExitStack() as clients:
            senders = await _senders(job, clients, budget, journal, past)
            comparison = _comparison(job, senders, journal, on_pair)
            halt = await comparison.run_pairs(stop)
            if halt in ("finished", "decided") and job.judge.decision != "FAIL" and job.judge.broken is None:
                await comparison.run_cost(stop)
        verdict = job.judge.result("interrupted" if stop.is_set() else halt)
        journal.note({"type": "end", "verdict": verdict.verdict, "reason": verdict.reason})
    lags: Sketch = {}
    for sender in senders[:2]:
        merge(lags, sender.spending.lags_ms)
    lag = quantile(lags, 0.99)
    return Ran(
        verdict=verdict,
        summary=summary,
        spend=_spend(budget, past, senders),
        cost=comparison.cost,
        changed=dict(sorted(senders[1].spending.changes.items())),
        lag_ms_p99=None if lag is None else round(lag, 3),
        torn=past.torn,
        not_sent_again=0 if job.resend else len(past.ambiguous),
    )


async def _senders(job: Job, clients: AsyncExitStack, budget: Budget, journal: Journal, past: Past) -> list[Sender]:
    """Current, target, and who gives vectors; those of one provider share its limits."""
    limiters: dict[tuple[str, str], Limiter] = {}
    clock = Clock(after=past.latest_ns)
    senders = []
    for side in filter(None, (job.current, job.target, job.embeddings)):
        embeds, endpoint = side.name == "embeddings", side.endpoint
        client = Client(
            endpoint,
            seed=job.seed,
            dialect=embeddings if embeds else None,
            limiter=limiters.setdefault(endpoint.account, limiter_of(endpoint)),
            clock=clock,
        )
        sender = Sender(
            side=side,
            client=await clients.enter_async_context(client),
            budget=budget,
            journal=journal,
            past=past,
            store=job.store,
            stream=not embeds,
            resend=job.resend,
        )
        senders.append(sender)
    return senders


def _comparison(
    job: Job, senders: Sequence[Sender], journal: Journal, on_pair: Callable[[Pair, Mapping[str, Score]], None]
) -> Comparison:
    embedding = None
    if job.embeddings is not None and job.vectors is not None:
        embedding = Embedding(senders[2], job.vectors)
    return Comparison(
        sample=job.sample,
        current=senders[0],
        target=senders[1],
        judge=job.judge,
        scorer=Scorer(job.measures),
        journal=journal,
        seed=job.seed,
        store=job.store,
        fresh=job.fresh,
        repeats=job.repeats,
        on_pair=on_pair,
        embedding=embedding,
    )


def _spend(budget: Budget, past: Past, senders: Sequence[Sender]) -> Spend:
    """What the answers of all starts have cost; all else that counts against the cap may have been billed."""
    known = past.known
    for sender in senders:
        known = EXACT.add(known, sender.spending.cost)
    return Spend(
        total=plain(known),
        possibly_billed=plain(EXACT.subtract(budget.spent, known)),
        cap=None if budget.cap is None else plain(budget.cap),
        tokens=budget.spent_tokens,
        tokens_cap=budget.token_cap,
    )
