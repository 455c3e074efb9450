"""The page of a batch: how many requests have an answer, what it cost, how long it took, what failed."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from llmmigrate.reports import Report, numbers
from llmmigrate.reports.tables import Block, Bullets, Command, Paragraph
from llmmigrate.shadow.batch import BatchResult

STOPPED = {
    "finished": "",
    "budget": " The cap is reached.",
    "interrupted": " It was interrupted.",
    "breaker": " The endpoint failed again and again, so nothing more was sent.",
}


def report(result: BatchResult, *, output: str, next_step: str | None = None) -> Report:
    """The report of a batch whose answers went to the file `output`."""
    document = msgspec.to_builtins(result)
    return Report(document=document, page=list(_page(result, output, next_step)), records=[document])


def _page(result: BatchResult, output: str, next_step: str | None) -> Iterator[Block]:
    yield Paragraph(headline(result), strong=True)
    yield Paragraph(f"Answers: {output}. {cost_words(result)}")
    if result.latency_ms_p50 is not None:
        p50, p99 = numbers.milliseconds(result.latency_ms_p50), numbers.milliseconds(result.latency_ms_p99)
        yield Paragraph(f"Latency of the answers of this start: {p50} at the median, {p99} at the 99th percentile.")
    if result.failed:
        told = [f"{name.replace('_', ' ')}: {numbers.count(n)}" for name, n in result.failed.items()]
        yield Bullets("Failed, after all attempts:", told)
    if result.changes:
        told = [f"{words}: {numbers.counted(n, 'request')}" for words, n in result.changes.items()]
        yield Bullets("Translated:", told)
    if next_step:
        yield Command(next_step)


def headline(result: BatchResult) -> str:
    """How many requests have an answer."""
    share = numbers.share(Decimal(result.answered) / result.requests)
    words = f"{numbers.count(result.answered)} of {numbers.counted(result.requests, 'request')} answered ({share})"
    left = f", {numbers.count(result.left)} not sent" if result.left else ""
    return f"{words}{left}.{STOPPED[result.stopped]}"


def cost_words(result: BatchResult) -> str:
    """What this start cost, and what counts against the cap."""
    cost = "The cost is not known" if result.cost is None else f"Cost {numbers.money(Decimal(result.cost), 'USD')}"
    if result.cap is None:
        return f"{cost}."
    counted, cap = numbers.money(Decimal(result.counted)), numbers.money(Decimal(result.cap), "USD")
    return f"{cost}; {counted} of {cap} count against the cap, all starts together."
