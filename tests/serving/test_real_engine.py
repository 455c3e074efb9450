"""The whole way on a real engine: `serve-local` finds the processor, plans, launches `transformers serve` with a tiny
GLM-5, waits for it, and ends it. Without a network and without an accelerator. `test_whole_chain` does all in one go.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.serving.launched import NEEDS_ENGINE, SECONDS, Served, end, engines, start, wait_for, write_tiny_glm5

from llmmigrate.config import load
from llmmigrate.endpoints.http import get_json, post_json, stream_events

pytestmark = NEEDS_ENGINE
MODEL = "./tiny-glm5"
MESSAGES = [{"role": "user", "content": "What would the same traffic cost elsewhere?"}]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the tiny checkpoint in it."""
    folder = tmp_path_factory.mktemp("serving")
    write_tiny_glm5(folder / "tiny-glm5")
    return folder


@pytest.fixture
def served(workplace: Path, port: int) -> Iterator[Served]:
    """`serve-local ./tiny-glm5`, ready or on its way; ended after the test."""
    running = start(workplace, MODEL, port)
    try:
        yield running
    finally:
        end(running)


def test_it_answers(served: Served) -> None:
    said = wait_for(served, "ready after")
    assert "loading weights, 100 %" in said
    url = f"http://127.0.0.1:{served.port}"
    assert get_json(f"{url}/health").status == 200
    body: dict[str, Any] = {"model": "tiny-glm5", "messages": MESSAGES, "max_tokens": 4}
    reply = post_json(f"{url}/v1/chat/completions", body, seconds=60)
    assert (reply.status, reply.body["usage"]["completion_tokens"]) == (200, 4)
    events = list(stream_events(f"{url}/v1/chat/completions", {**body, "stream": True}, seconds=60))
    assert len(events) >= 2
    assert events[-1]["usage"]["completion_tokens"] == 4


def test_a_second_one_on_the_same_port_is_refused_before_it_loads(served: Served) -> None:
    wait_for(served, "ready after")
    second = start(served.folder, MODEL, served.port)
    assert second.process.wait(timeout=30) == 2
    said = second.errors.read_text()
    assert f"error[port_taken]: port {served.port} is taken by pid {engines(served)[-1]}" in said
    assert get_json(f"http://127.0.0.1:{served.port}/health").status == 200


def test_sigterm_ends_it_with_zero(served: Served) -> None:
    wait_for(served, "ready after")
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=60) == 0
    assert served.errors.read_text().splitlines()[-1] == "stopped"


def test_it_is_measured_and_registered(workplace: Path, port: int) -> None:
    running = start(workplace, MODEL, port, "--measure", "--gpu-price", "0.10", "--to-config", "-o", "plan.json")
    try:
        said = wait_for(running, "→ llmmigrate shadow --to local/tiny-glm5")
    finally:
        running.process.terminate()
        assert running.process.wait(timeout=60) == 0
    assert "measuring with 2 requests at a time, 64 words in and 8 tokens out" in said
    plan = json.loads((workplace / "plan.json").read_text())
    rate = plan["cost"]["rates"][0]
    assert (rate["basis"], rate["concurrency"]) == ("measured", 2)
    assert rate["output_tokens"] is not None
    assert 1 <= rate["output_tokens"] <= 8
    assert Decimal(rate["cost_per_million_output"]) > Decimal(rate["cost_per_million_tokens"]) > 0
    local = load(directory=workplace).config.providers["local"]
    assert (local.base_url, local.api_key_env) == (f"http://127.0.0.1:{port}/v1", None)
    assert engines(running) == []


def test_control_c_while_it_loads_is_an_interruption(served: Served) -> None:
    wait_for(served, "starting transformers")
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(timeout=60) == 130


def test_a_checkpoint_that_does_not_load_shows_what_the_engine_said(workplace: Path, port: int) -> None:
    broken = workplace / "broken"
    broken.mkdir(exist_ok=True)
    for file in (workplace / "tiny-glm5").iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    (broken / "model.safetensors").write_bytes(b"no weights at all")
    errors = workplace / "broken.txt"
    with errors.open("wb") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "llmmigrate", "serve-local", "./broken", "--port", str(port)],
            cwd=workplace, stdout=subprocess.DEVNULL, stderr=stream, timeout=SECONDS, check=False,
        )  # fmt: skip
    said = errors.read_text()
    assert done.returncode == 2, said
    assert "  │ " in said
    assert "error[engine]" in said
