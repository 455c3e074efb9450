"""Money is safe: a run that is killed pays nothing twice, loses nothing that was not sent, and stays below its cap."""

import asyncio
import dataclasses
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
from tests.endpoints.fault_server import USAGE, FaultServer
from tests.shadow.make_log import record

import llmmigrate.shadow.journal as journal_module
from llmmigrate.costing.audit.targets import find_target
from llmmigrate.costing.audit.translate import translate
from llmmigrate.endpoints.exchange import Endpoint
from llmmigrate.logs.formats import http_capture
from llmmigrate.prices import Catalog, load_catalog
from llmmigrate.shadow.gates import gates_of
from llmmigrate.shadow.journal import Journal, boot
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


def side(name: SideName, provider: str, model: str, server: FaultServer, catalog: Catalog, concurrency: int) -> Side:
    endpoint = Endpoint(
        provider=provider, model=model, base_url=server.base_url, dialect="openai-chat", key="k",
        concurrency=concurrency,
    )  # fmt: skip
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


def job_of(folder: Path, sample: Sample, current: FaultServer, target: FaultServer, *, concurrency: int) -> Job:
    catalog = load_catalog()
    gates = gates_of({}, ["errors=<= +0.1pt", "latency_p95=off", "agreement=off"], {"agreement": "agreement"})
    return Job(
        folder=folder,
        sample=sample,
        current=side("current", "openai", "o3", current, catalog, concurrency),
        target=side("target", "zai", "glm-5", target, catalog, concurrency),
        judge=Judge(gates),
        measures=[],
        seed=1,
        store="redacted",
        fresh=True,
        repeats=0,
        max_cost=CAP,
        token_cap=None,
    )


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


def kill(child: int) -> bool:
    """Whether it was the kill that has ended it."""
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def most_often_asked(server: FaultServer) -> int:
    return max(Counter(json.dumps(item.body, sort_keys=True) for item in server.requests).values())


@pytest.mark.parametrize("kills", [KILLS])
def test_nothing_is_paid_twice(tmp_path: Path, kills: int) -> None:
    chance = random.Random(5)
    sample = sample_of(1500)
    killed = 0
    answer = Call(input_tokens=USAGE[0], output_tokens=USAGE[1])
    with FaultServer(then="ok:0.004") as current, FaultServer(then="ok:0.004") as target:
        job = job_of(tmp_path, sample, current, target, concurrency=8)
        costs = [side.till.cost(answer) or Decimal(0) for side in (job.current, job.target)]
        while killed < kills:
            child = start(job)
            wait_for_work(tmp_path / "journal.jsonl", chance)
            killed += kill(child)
        _, status = os.waitpid(start(job), 0)
    sample.bodies.close()
    assert os.waitstatus_to_exitcode(status) == 0
    for server in (current, target):
        assert most_often_asked(server) == 1, "a request was sent twice"
        assert len(server.requests) > 100
    with Journal(tmp_path / "journal.jsonl") as journal:
        past = journal.past()
        assert list(journal.records("end")), "the last start came to its end"
    billed = sum(len(server.requests) * cost for server, cost in ((current, costs[0]), (target, costs[1])))
    assert 0 < billed <= past.charged <= CAP
    assert past.ambiguous, "no kill hit a request under way: the test is too gentle"


def test_the_cap_holds_through_kills(tmp_path: Path) -> None:
    """Starts that are killed and one that ends never pass together a cap that the log would use up several times."""
    chance = random.Random(6)
    sample = sample_of(1500)
    answer = Call(input_tokens=USAGE[0], output_tokens=USAGE[1])
    with FaultServer(then="ok:0.004") as current, FaultServer(then="ok:0.004") as target:
        job = job_of(tmp_path, sample, current, target, concurrency=8)
        costs = [side.till.cost(answer) or Decimal(0) for side in (job.current, job.target)]
        job = dataclasses.replace(job, max_cost=sum(costs, Decimal(0)) * 500)
        for _ in range(10):
            child = start(job)
            wait_for_work(tmp_path / "journal.jsonl", chance)
            kill(child)
        _, status = os.waitpid(start(job), 0)
    sample.bodies.close()
    assert os.waitstatus_to_exitcode(status) == 0
    with Journal(tmp_path / "journal.jsonl") as journal:
        past, (*_, end) = journal.past(), journal.records("end")
    assert end["reason"] == "budget"
    billed = sum(len(server.requests) * cost for server, cost in ((current, costs[0]), (target, costs[1])))
    assert job.max_cost is not None
    assert 0 < billed <= past.charged <= job.max_cost
    assert past.charged > job.max_cost / 2, "the cap was not what ended it"


def killed_while_pairs_wait(job: Job, current: FaultServer, target: FaultServer) -> tuple[int, int]:
    """Kill a run whose third request to the target hangs, once nothing goes on: intents and marks in its journal."""
    path = job.folder / "journal.jsonl"
    child = start(job)
    deadline = time.monotonic() + 60
    before, now = b"", None
    while now != before or len(target.requests) < 3 or now.count(b'"sent"') != now.count(b'"result"') + 1:
        assert time.monotonic() < deadline, "the run does not come to a halt"
        before = now or b""
        time.sleep(0.3)
        now = path.read_bytes() if path.exists() else b""
    assert kill(child)
    assert now.count(b'"sent"') == len(current.requests) + len(target.requests)
    return now.count(b'"intent"'), now.count(b'"sent"')


@pytest.mark.parametrize("rebooted", [False, True])
def test_what_only_waited_is_sent_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rebooted: bool) -> None:
    """After a start of the machine nobody knows whether a mark is missing: then all that was intended may be sent."""
    if boot() is None:
        monkeypatch.setattr(journal_module, "BOOT", tmp_path / "boot")
        (tmp_path / "boot").write_text("first")
    sample = sample_of(20)
    asked = 2 * len(sample.canary)
    with FaultServer() as current, FaultServer("ok", "ok", "hang") as target:
        job = job_of(tmp_path, sample, current, target, concurrency=1)
        intended, sent = killed_while_pairs_wait(job, current, target)
        assert intended > sent, "no pair waited"
        if rebooted:
            monkeypatch.setattr(journal_module, "BOOT", tmp_path / "another")
            (tmp_path / "another").write_text("another")
        with Journal(tmp_path / "journal.jsonl") as journal:
            past = journal.past()
        target.script, target.then = (), "ok"
        _, status = os.waitpid(start(job), 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert most_often_asked(current) == most_often_asked(target) == 1
        unsure = intended - sent + 1 if rebooted else 1
        assert len(past.ambiguous) == unsure
        assert len(current.requests) + len(target.requests) == (asked - unsure + 1 if rebooted else asked)
    sample.bodies.close()
    with Journal(tmp_path / "journal.jsonl") as journal:
        assert set(journal.past().ambiguous) == set(past.ambiguous)
    assert past.charged < CAP
