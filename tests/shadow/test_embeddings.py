"""Meanings compared by vectors of a third endpoint: measured, a gate, paid for, and never made up."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome
from tests.endpoints.fault_server import FaultServer
from tests.shadow import project
from tests.shadow.make_log import write_log
from tests.shadow.project import the_run, verdict
from tests.shadow.servers import speaker

Run = Callable[..., Outcome]
GATES = ("--gate", "latency_p95=off", "--gate", "errors=<= +5pt", "--gate", "agreement=off")
SHADOW = ("shadow", "--canary", "60%", "--yes", "--cost-sample", "0", *GATES)
SMALL = "azure/text-embedding-3-small"
RATE = Decimal("0.02") / 1_000_000
"""USD for a token at `SMALL`."""


@pytest.fixture(autouse=True)
def folder(project: Path) -> Path:
    return write_log(project / "logs.jsonl", 150).parent


def configure(current: FaultServer, target: FaultServer, vectors: FaultServer) -> None:
    served = f'{{base_url: "{vectors.base_url}"}}'
    project.configure(current, target, more=f"  azure: {served}\n  mine: {served}\n")


def similarity() -> dict[str, Any]:
    (found,) = (item for item in verdict()["measures"] if item["name"] == "embedding_similarity")
    return found  # type: ignore[no-any-return]


@pytest.fixture
def current() -> Iterator[FaultServer]:
    with FaultServer(say=speaker(noise=0.1)) as server:
        yield server


@pytest.fixture
def target() -> Iterator[FaultServer]:
    with FaultServer(say=speaker(noise=0.1, seed=1)) as server:
        yield server


@pytest.fixture
def vectors() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def test_meanings_are_measured_and_paid(
    llmmigrate: Run, current: FaultServer, target: FaultServer, vectors: FaultServer
) -> None:
    configure(current, target, vectors)
    found = llmmigrate(*SHADOW, "--measure", "embedding_similarity", "--embeddings", SMALL)
    assert found.code in (0, 3), found.err
    measured = similarity()
    assert measured["pairs"] == verdict()["pairs"]
    assert measured["target"] > 0.8
    assert measured["unrelated"] < 0.6
    assert {item.path for item in vectors.requests} == {"/v1/embeddings"}
    tokens = sum(len(text.split()) for item in vectors.requests for text in item.body["input"])
    answer = Decimal("0.000078")  # 11 tokens at 2 USD and 7 at 8 USD a million; the target is free
    assert Decimal(verdict()["spend"]["total"]) == len(current.requests) * answer + tokens * RATE
    assert verdict()["spend"]["possibly_billed"] == "0"


def test_another_meaning_breaks_its_gate(llmmigrate: Run, current: FaultServer, vectors: FaultServer) -> None:
    gate = ("--gate", "embedding_similarity=>= -10pt")
    with FaultServer(say=speaker(drop=0.7)) as target:
        configure(current, target, vectors)
        found = llmmigrate(*SHADOW, "--embeddings", SMALL, *gate)
    assert found.code == 1, found.out + found.err
    assert [item["key"] for item in verdict()["gates"] if item["result"] == "FAIL"] == ["embedding_similarity"]


@pytest.mark.parametrize(
    ("then", "store", "why"),
    [
        ('error:400 {"error": {"message": "too many texts"}}', "redacted", "no vectors of the answers: bad_request"),
        ('error:400 {"error": {"message": "too many texts"}}', "full", "bad_request: too many texts"),
        ("few_vectors", "redacted", "vectors for"),
        ("html", "full", "failed 20 times in a row"),
    ],
)
def test_a_fault_of_the_endpoint_is_not_measured(
    llmmigrate: Run, current: FaultServer, target: FaultServer, then: str, store: str, why: str
) -> None:
    with FaultServer(then=then) as vectors:
        configure(current, target, vectors)
        gate = ("--gate", "embedding_similarity=>= -10pt")
        found = llmmigrate(*SHADOW, "--embeddings", SMALL, "--store", store, *gate)
    assert found.code == 3, found.out + found.err
    assert similarity()["pairs"] == 0
    assert similarity()["not_measured"] == verdict()["pairs"]
    assert similarity()["target"] is None
    assert store == "full" or "too many texts" not in similarity()["why"]
    assert why in similarity()["why"]
    assert why in found.out


def test_a_refused_key_stops_before_the_second_pair(llmmigrate: Run, current: FaultServer, target: FaultServer) -> None:
    with FaultServer(then="status:401") as vectors:
        configure(current, target, vectors)
        found = llmmigrate(*SHADOW, "--embeddings", SMALL)
    assert found.code == 2
    assert SMALL in found.err
    assert len(vectors.requests) == 1
    assert len(target.requests) == 1


def test_a_resumed_run_asks_for_no_vector_twice(
    llmmigrate: Run, folder: Path, current: FaultServer, target: FaultServer, vectors: FaultServer
) -> None:
    write_log(folder / "logs.jsonl", 150, tokens=(1, 1))  # the answers take more than the log lets expect
    configure(current, target, vectors)
    tight = ("--gate", "errors=<= +1pt", "--max-cost", "0.005", "--max-output-tokens", "100")
    first = llmmigrate(*SHADOW, "--embeddings", SMALL, *tight)
    assert first.code == 3, first.err
    assert verdict()["reason"] == "budget"
    before, measured = len(vectors.requests), similarity()["pairs"]
    assert measured
    journal = the_run() / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    last = max(place for place, line in enumerate(lines) if json.loads(line)["type"] == "pair")
    journal.write_text("".join(lines[:last] + lines[last + 1 :]))  # killed before the last pair was noted
    records = [json.loads(line) for line in lines]
    asked = sum(record["type"] == "result" and record["side"] == "embeddings" for record in records)
    lost = asked - measured + 1
    again = llmmigrate("shadow", "--resume", the_run().name, "--yes", "--max-cost", "5")
    assert again.code in (0, 3), again.err
    assert verdict()["pairs"] > measured
    assert len(vectors.requests) > before
    times = Counter(json.dumps(item.body, sort_keys=True) for item in vectors.requests)
    assert max(times.values()) == 1
    assert similarity()["not_measured"] == lost, "vectors that were fetched for a pair that was not noted yet"
    assert "kept none" in similarity()["why"]
    assert similarity()["pairs"] + similarity()["not_measured"] == verdict()["pairs"]


def test_a_cap_that_leaves_no_room_for_vectors_of_an_earlier_start_ends_the_run(
    llmmigrate: Run, folder: Path, current: FaultServer, target: FaultServer, vectors: FaultServer
) -> None:
    """What waits for the earlier pairs to be taken must not wait for one that the cap forbids."""
    write_log(folder / "logs.jsonl", 150, tokens=(1, 1))
    configure(current, target, vectors)
    tight = ("--gate", "errors=<= +1pt", "--max-cost", "0.005", "--max-output-tokens", "100")
    assert llmmigrate(*SHADOW, "--embeddings", SMALL, *tight).code == 3
    journal = the_run() / "journal.jsonl"
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    fetched = [item["key"] for item in records if item["type"] == "result" and item["side"] == "embeddings"]
    pairs = [place for place, item in enumerate(records) if item["type"] == "pair"]
    kept = (item for place, item in enumerate(records) if place != pairs[-1] and item.get("key") not in fetched[1:])
    journal.write_text("".join(json.dumps(item) + "\n" for item in kept))
    sent = len(current.requests) + len(target.requests)
    line = [sys.executable, "-m", "llmmigrate", "shadow", "--resume", the_run().name, "--yes", "--max-cost", "0.0022"]
    again = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 3, again.stderr
    assert verdict()["reason"] == "budget"
    assert len(current.requests) + len(target.requests) == sent


def test_a_dry_run_shows_what_vectors_cost(
    llmmigrate: Run, current: FaultServer, target: FaultServer, vectors: FaultServer
) -> None:
    configure(current, target, vectors)
    arguments = ("--embeddings", SMALL, "--dry-run")
    page = llmmigrate(*SHADOW, *arguments)
    told = json.loads(llmmigrate(*SHADOW, *arguments, "--format", "json").out)
    assert page.code == 0, page.err
    assert f"{SMALL} (vectors)" in page.out
    # 40 tokens of the logged answer for each of four answers: current, target, the logged one, and current's second one
    assert told["embeddings"]["requests"] == told["pairs"]
    texts = 3 * told["pairs"] + told["doubled"]
    assert told["embeddings"]["tokens"] == 40 * texts
    assert Decimal(told["embeddings"]["expected"]) == 40 * texts * RATE
    assert not vectors.requests


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--measure", "embedding_similarity"), "--embeddings PROVIDER/MODEL"),
        (("--gate", "embedding_similarity=>= -3pt"), "--embeddings PROVIDER/MODEL"),
        (("--embeddings", "mine/unpriced"), "--max-tokens-total"),
        (("--embeddings", "nobody/small"), "unknown provider"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_sent(
    llmmigrate: Run, current: FaultServer, target: FaultServer, vectors: FaultServer,
    arguments: tuple[str, ...], words: str,
) -> None:  # fmt: skip
    configure(current, target, vectors)
    found = llmmigrate(*SHADOW, *arguments)
    assert found.code == 2
    assert words in found.err
    assert not current.requests
    assert not vectors.requests
