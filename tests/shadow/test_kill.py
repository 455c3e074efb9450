"""Money is safe: a run that is killed at random moments a hundred times pays nothing twice and stays below its cap."""

import asyncio
import json
import os
import random
import signal
import time
import warnings
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from tests.endpoints.fault_server import FaultServer
from tests.shadow.make_log import record

from llmmigrate.costing.audit.targets import find_target
from llmmigrate.costing.audit.translate import translate
from llmmigrate.endpoints.exchange import Endpoint
from llmmigrate.logs.formats import http_capture
from llmmigrate.prices import Catalog, load_catalog
from llmmigrate.shadow.gates import gates_of
from llmmigrate.shadow.journal import Journal
from llmmigrate.shadow.paying import Till
from llmmigrate.shadow.running import Job, run
from llmmigrate.shadow.sample import Drawer, Sample
from llmmigrate.shadow.sides import Side, SideName
from llmmigrate.shadow.verdict import Judge
from llmmigrate.usage.call import Call

KILLS = 100
CAP = Decimal(10)
"""USD; some thousand requests at their worst, so that what was under way at a hundred kills does not use it up."""
NOW = 1_790_100_000


def side(name: SideName, provider: str, model: str, server: FaultServer, catalog: Catalog) -> Side:
    endpoint = Endpoint(provider=provider, model=model, base_url=server.base_url, dialect="openai-chat", key="k")
    known = find_target(catalog, provider, model, "openai-chat")
    return Side(
        name=name,
        endpoint=endpoint,
        till=Till(catalog, provider, model, now=NOW, price=None),
        translate=lambda asked: translate(asked.request, asked.dialect, known),
    )


def sample_of(count: int) -> Sample:
    drawer = Drawer(share=1, seed=1, cost_draws=0, wanted=lambda _: True)
    for number in range(count):
        for call in http_capture.read(record(number, max_tokens=20), keep_text=True):
            assert isinstance(call, Call)
            drawer.add(call, f"log:{number}")
    return drawer.sample()


def start(job: Job) -> int:
    """Runs a job in a process of its own; its id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the servers' threads do not matter to the child
        child = os.fork()
    if child:
        return child
    try:
        asyncio.run(run(job, asyncio.Event(), lambda progress: None))
        os._exit(0)
    finally:
        os._exit(1)


def wait_for_work(journal: Path, chance: random.Random) -> None:
    """Wait until the start has done something, and then a little, however slow the machine is."""
    before = journal.stat().st_size if journal.exists() else 0
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and (not journal.exists() or journal.stat().st_size == before):
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.05))


@pytest.mark.parametrize("kills", [KILLS])
def test_nothing_is_paid_twice(tmp_path: Path, kills: int) -> None:
    chance = random.Random(5)
    catalog = load_catalog()
    sample = sample_of(1500)
    gates = gates_of({}, ["errors=<= +0.1pt", "latency_p95=off", "agreement=off"], {"agreement": "agreement"})
    killed = 0
    with FaultServer(then="ok:0.004") as current, FaultServer(then="ok:0.004") as target:
        job = Job(
            folder=tmp_path,
            sample=sample,
            current=side("current", "openai", "o3", current, catalog),
            target=side("target", "zai", "glm-5", target, catalog),
            judge=Judge(gates),
            measures=[],
            seed=1,
            store="redacted",
            fresh=True,
            repeats=0,
            max_cost=CAP,
            token_cap=None,
        )
        while killed < kills:
            child = start(job)
            wait_for_work(tmp_path / "journal.jsonl", chance)
            os.kill(child, signal.SIGKILL)
            killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        _, status = os.waitpid(start(job), 0)
    sample.bodies.close()
    assert os.waitstatus_to_exitcode(status) == 0
    for server in (current, target):
        times = Counter(json.dumps(item.body, sort_keys=True) for item in server.requests)
        assert max(times.values()) == 1, "a request was sent twice"
        assert len(times) > 100
    with Journal(tmp_path / "journal.jsonl") as journal:
        past = journal.past()
        assert list(journal.records("end")), "the last start came to its end"
    assert 0 < past.charged <= CAP
    assert past.ambiguous, "no kill hit a request under way: the test is too gentle"
