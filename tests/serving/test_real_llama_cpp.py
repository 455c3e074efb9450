"""The whole way on llama.cpp's own server: `serve-local` takes a GGUF file, plans it for the processor, launches
`llama-server`, waits for it, and ends it. Without a network and without an accelerator.
"""

import json
import re
import shutil
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.serving import tiny_gguf, tiny_glm_dsa
from tests.serving.launched import Served, end, engines, start, wait_for

from llmmigrate.endpoints.http import get_json, post_json, stream_events
from llmmigrate.serving.engines import installed_version, load_engine
from llmmigrate.serving.fit import Wish
from llmmigrate.serving.inventory import take_inventory
from llmmigrate.serving.planning import decide
from llmmigrate.serving.pool import found_pools

pytestmark = pytest.mark.skipif(shutil.which("llama-server") is None, reason="llama-server is not on the PATH")
MODEL = "./tiny-glm4.gguf"
MESSAGES = [{"role": "user", "content": "What would the same traffic cost elsewhere?"}]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the tiny checkpoint in it."""
    folder = tmp_path_factory.mktemp("serving")
    tiny_gguf.write(folder / MODEL)
    return folder


@pytest.fixture
def served(workplace: Path, port: int) -> Iterator[Served]:
    """`serve-local ./tiny-glm4.gguf`, ready or on its way; ended after the test."""
    running = start(workplace, MODEL, port)
    try:
        yield running
    finally:
        end(running)


def key_of(running: Served) -> str:
    return (running.folder / ".llmmigrate" / "serve" / str(running.port) / "key").read_text()


def test_it_answers_whom_it_knows(served: Served) -> None:
    said = wait_for(served, "its key, until it stops")
    assert "loading weights" in said
    root, key = f"http://127.0.0.1:{served.port}", key_of(served)
    assert get_json(f"{root}/health").status == 200
    body: dict[str, Any] = {"model": "tiny-glm4", "messages": MESSAGES, "max_tokens": 4}
    url = f"{root}/v1/chat/completions"
    assert post_json(url, body, seconds=60).status == 401
    reply = post_json(url, body, key=key, seconds=60)
    assert (reply.status, reply.body["model"]) == (200, "tiny-glm4")
    assert 1 <= reply.body["usage"]["completion_tokens"] <= 4
    asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
    events = list(stream_events(url, asked, key=key, seconds=60))
    assert 1 <= events[-1]["usage"]["completion_tokens"] <= 4
    assert events[-1]["usage"]["prompt_tokens"] == reply.body["usage"]["prompt_tokens"]


def test_its_version_is_read() -> None:
    version = installed_version(load_engine("llama.cpp"))
    assert version is not None
    assert re.match(r"b?\d", version), version


def test_it_sets_aside_the_cache_that_was_planned(served: Served) -> None:
    wait_for(served, "its key, until it stops")
    reply = get_json(f"http://127.0.0.1:{served.port}/props", key=key_of(served))
    assert (reply.body["total_slots"], reply.body["default_generation_settings"]["n_ctx"]) == (4, tiny_gguf.CONTEXT)


def test_the_caches_of_sparse_attention_are_as_large_as_planned(
    workplace: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_ARG_LOG_VERBOSITY", "4")  # so that it tells the sizes of its buffers
    tiny_glm_dsa.write(workplace / "dsa.gguf", indexers=(True, True, True, False, False, False, True, False), drafts=1)
    decision = decide(str(workplace / "dsa.gguf"), found_pools(take_inventory()), Wish())
    running = start(workplace, "./dsa.gguf", port)
    try:
        wait_for(running, "its key, until it stops")
    finally:
        end(running)
    log = (workplace / ".llmmigrate" / "serve" / str(port) / "engine.log").read_text()
    sizes = re.findall(r"llama_kv_cache: size = +([0-9.]+) MiB", log)
    choice = decision.chosen
    assert choice is not None
    planned = choice.kv_tokens * choice.kv_token_bytes
    assert sum(Decimal(size) for size in sizes[-2:]) == Decimal(planned) / (1 << 20)


def test_sigterm_ends_it_with_zero_and_its_key_is_gone(served: Served) -> None:
    wait_for(served, "its key, until it stops")
    assert key_of(served) not in served.errors.read_text()
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=60) == 0
    assert served.errors.read_text().splitlines()[-1] == "stopped"
    assert not (served.folder / ".llmmigrate" / "serve" / str(served.port) / "key").exists()


def test_it_is_measured(workplace: Path, port: int) -> None:
    running = start(workplace, MODEL, port, "--measure", "--gpu-price", "0.10", "-o", "plan.json")
    try:
        wait_for(running, "its key, until it stops")
    finally:
        end(running)
    rate = json.loads((workplace / "plan.json").read_text())["cost"]["rates"][0]
    assert (rate["basis"], rate["concurrency"]) == ("measured", 2)
    assert Decimal(rate["cost_per_million_tokens"]) > 0


def test_a_file_that_does_not_load_shows_what_the_engine_said(workplace: Path, port: int) -> None:
    whole = (workplace / MODEL).read_bytes()
    (workplace / "broken.gguf").write_bytes(whole[:-20_000])  # within the last tensor
    running = start(workplace, "./broken.gguf", port)
    assert running.process.wait(timeout=60) == 2
    said = running.errors.read_text()
    assert "  │ " in said
    assert "error[engine]" in said
    assert engines(running) == []
