"""A run that ends in the middle: a full disk, a second Ctrl-C. What was paid is known, and is not paid again."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.endpoints.fault_server import FaultServer
from tests.shadow.make_log import write_log
from tests.shadow.project import configure
from tests.shadow.servers import speaker

GATES = ("--gate", "latency_p95=off", "--gate", "errors=<= +2pt", "--gate", "agreement=>= -20pt")
FIRST = ("shadow", "--canary", "60%", "--yes", "--cost-sample", "0", *GATES)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[FaultServer, FaultServer]]:
    write_log(tmp_path / "logs.jsonl", 150)
    with (
        FaultServer(say=speaker(noise=0.1)) as current,
        FaultServer(say=speaker(noise=0.1, seed=1)) as target,
    ):
        configure(current, target, folder=tmp_path)
        yield current, target


def start(folder: Path, *arguments: str, before: Callable[[], None] | None = None) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "llmmigrate", *arguments],
        cwd=folder,
        env={**os.environ, "OPENAI_API_KEY": "sk-test"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
    )


def journal(folder: Path) -> list[dict[str, object]]:
    (path,) = folder.glob(".llmmigrate/runs/*/journal.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def goes_on(folder: Path) -> str:
    (run,) = folder.glob(".llmmigrate/runs/*")
    process = start(folder, "shadow", "--resume", run.name, "--yes")
    out, said = process.communicate(timeout=200)
    assert process.returncode in (0, 3), said
    return out


def most_often_asked(server: FaultServer) -> int:
    return max(Counter(json.dumps(item.body, sort_keys=True) for item in server.requests).values())


def test_a_full_disk_stops_the_run_and_nothing_is_sent_that_is_not_written(
    tmp_path: Path, servers: tuple[FaultServer, FaultServer]
) -> None:
    most = 200_000

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    process = start(tmp_path, *FIRST, before=small_disk)
    _, said = process.communicate(timeout=200)
    assert process.returncode == 2, said
    assert "journal.jsonl" in said
    assert "--resume" in said
    assert "Traceback" not in said
    (path,) = tmp_path.glob(".llmmigrate/runs/*/journal.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rfind(b"\n") + 1])
    intents = sum(item["type"] == "intent" for item in journal(tmp_path))
    sent = sum(len(server.requests) for server in servers)
    assert 0 < sent <= intents
    goes_on(tmp_path)
    assert most_often_asked(servers[1]) == 1


def test_a_second_interrupt_breaks_off_and_charges_what_was_under_way(
    tmp_path: Path, servers: tuple[FaultServer, FaultServer]
) -> None:
    _, target = servers
    target.script, target.then = ("ok",) * 5, "hang"
    process = start(tmp_path, *FIRST)
    try:
        deadline = time.monotonic() + 120
        while len(target.requests) < 10:
            assert time.monotonic() < deadline, "the run does not begin"
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert "--resume" in said
    assert "Traceback" not in said
    assert "never retrieved" not in said
    kinds = Counter(item["type"] for item in journal(tmp_path))
    assert kinds["sent"] > kinds["result"], "something was under way"
    under_way = kinds["sent"] - kinds["result"]
    assert kinds["intent"] == kinds["sent"] + kinds["given_up"], "what waited was never sent"
    target.script, target.then = (), "ok"
    out = goes_on(tmp_path)
    assert most_often_asked(target) == 1
    assert f"{under_way} requests of an earlier start" in out, "it is said how many were not sent again"
