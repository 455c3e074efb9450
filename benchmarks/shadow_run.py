"""One comparison against a server that is there, and what it took, as JSON: what `benchmarks.shadow` starts.

    python -m benchmarks.shadow_run PORT PAIRS CONCURRENCY [--no-journal]

Everything that `llmmigrate shadow` does between its first request and its verdict, with all measures and the default
gates: reading the log, the preview and the reports are not in it. Both sides are the same server under two names.
"""

import asyncio
import json
import os
import random
import resource
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

from llmmigrate import registry
from llmmigrate.costing.audit.findings import Translation
from llmmigrate.costing.audit.targets import find_target
from llmmigrate.costing.audit.translate import translate
from llmmigrate.endpoints.exchange import Endpoint
from llmmigrate.prices import Catalog, load_catalog
from llmmigrate.shadow import running
from llmmigrate.shadow.gates import gates_of
from llmmigrate.shadow.journal import Journal
from llmmigrate.shadow.pairs import Sampled
from llmmigrate.shadow.paying import Till
from llmmigrate.shadow.running import Job, Progress
from llmmigrate.shadow.sample import Drawer, Sample
from llmmigrate.shadow.scoring import ROOM, measure
from llmmigrate.shadow.sides import Side, SideName, bounded
from llmmigrate.shadow.verdict import Judge
from llmmigrate.usage.call import Call

NOW = 1_790_100_000
PROMPT_WORDS = 300
UNDECIDED = ("errors=<= +0.001pt", "latency_p95=<= 100x", "agreement=off")
"""A margin that no number of pairs here can decide: the run asks for all of them."""


def sample_of(pairs: int) -> Sample:
    """So many different requests, all of them in the canary."""
    chance = random.Random(1)
    words = [f"word{number}" for number in range(3_000)]
    drawer = Drawer(share=1, seed=1, cost_draws=0, wanted=lambda _: True)
    for number in range(pairs):
        asked = f"{number}: {' '.join(chance.choices(words, k=PROMPT_WORDS))}"
        drawer.add(
            Call(
                request_id=f"request-{number}",
                request={"model": "o3", "messages": [{"role": "user", "content": asked}], "max_tokens": 500},
                reply=" ".join(chance.choices(words, k=20)),
                usage="known",
                input_tokens=2 * PROMPT_WORDS,
                output_tokens=40,
            ),
            f"log.jsonl:{number + 1}",
        )
    return drawer.sample()


def side(name: SideName, provider: str, model: str, port: int, concurrency: int, catalog: Catalog) -> Side:
    """A side of the comparison; both are priced by the tables."""
    endpoint = Endpoint(
        provider=provider, model=model, base_url=f"http://127.0.0.1:{port}/v1", dialect="openai-chat",
        key="sk-benchmark", concurrency=concurrency,
    )  # fmt: skip
    known = find_target(catalog, provider, model, "openai-chat")
    till = Till(catalog, provider, model, now=NOW, price=None)

    def translated(asked: Sampled) -> Translation:
        made = translate(asked.request, asked.dialect, known, features=asked.features)
        return bounded(made, endpoint.dialect, till)

    return Side(name=name, endpoint=endpoint, till=till, translate=translated)


def job_of(folder: Path, pairs: int, port: int, concurrency: int) -> Job:
    """A comparison of o3 and glm-5 that no pair decides."""
    catalog = load_catalog()
    measures = [measure(name) for name in registry.names(ROOM) if name != "embedding_similarity"]
    gates = gates_of({}, UNDECIDED, {item.name: item.kind for item in measures})
    return Job(
        folder=folder,
        sample=sample_of(pairs),
        current=side("current", "openai", "o3", port, concurrency, catalog),
        target=side("target", "zai", "glm-5", port, concurrency, catalog),
        judge=Judge(gates),
        measures=measures,
        seed=1,
        store="redacted",
        fresh=True,
        repeats=0,
        max_cost=Decimal(10**9),
        token_cap=None,
    )


class TimedJournal(Journal):
    """A journal that adds up what it takes."""

    waited_seconds = 0.0
    """What requests waited until their intents were on the disk, and for their turn on the CPU then; added up."""

    async def intend(self, *records: dict[str, Any]) -> None:
        began = time.perf_counter()
        await super().intend(*records)
        TimedJournal.waited_seconds += time.perf_counter() - began


class NoJournal(Journal):
    """Keeps nothing: what is left of the time is what a run takes without its journal."""

    async def intend(self, *records: dict[str, Any]) -> None:
        pass

    def note(self, record: dict[str, Any]) -> None:
        pass


def cpu() -> float:
    """Seconds of CPU of this process, its threads and the system's work for it included."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident() -> int:
    """Bytes of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Run it, and print what it took."""
    port, pairs, concurrency = (int(word) for word in sys.argv[1:4])
    journal = NoJournal if "--no-journal" in sys.argv else TimedJournal
    memory: dict[int, int] = {}
    sent_s = 0.0

    def on_progress(progress: Progress) -> None:
        nonlocal sent_s
        if progress.pairs % (pairs // 10) == 0:
            memory[progress.pairs] = resident()
            print(f"{progress.pairs} pairs, {memory[progress.pairs] / 2**20:.1f} MiB", file=sys.stderr)
        if progress.pairs == pairs:
            sent_s = time.perf_counter() - began

    with tempfile.TemporaryDirectory(prefix="llmmigrate-benchmark-") as folder:
        job = job_of(Path(folder), pairs, port, concurrency)
        before, began = cpu(), time.perf_counter()
        with patch.object(running, "Journal", journal):
            ran = asyncio.run(running.run(job, asyncio.Event(), on_progress))
        found = {"cpu_s": cpu() - before, "wall_s": time.perf_counter() - began, "sent_s": sent_s}
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        job.sample.bodies.close()
    if ran.verdict.pairs != pairs:
        raise SystemExit(f"{ran.verdict.pairs} of {pairs} pairs: {ran.verdict.reason}")
    waited = {"journal_wait_s": TimedJournal.waited_seconds}
    print(json.dumps({**found, **waited, "journal_bytes": size, "memory": memory}))


if __name__ == "__main__":
    main()
