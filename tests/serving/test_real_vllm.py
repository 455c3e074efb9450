"""The whole way on vLLM's processor build: `serve-local` takes a tiny GLM-4, launches `vllm serve`, waits for it, and
ends it. Without a network and without an accelerator. GLM-5 needs sparse attention, which vLLM has on cards alone.
"""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.serving.launched import Served, end, start, wait_for

from llmmigrate.endpoints.http import get_json, post_json, stream_events

pytestmark = pytest.mark.skipif(
    shutil.which("vllm") is None or find_spec("torch") is None or find_spec("transformers") is None,
    reason="vllm is not on the PATH, or torch and transformers are not installed",
)
MODEL = "./tiny-glm4"
MESSAGES = [{"role": "user", "content": "What would the same traffic cost elsewhere?"}]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the tiny checkpoint in it."""
    folder = tmp_path_factory.mktemp("serving")
    maker = [sys.executable, "-m", "tests.serving.tiny_glm4", str(folder / MODEL)]
    subprocess.run(maker, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture
def served(workplace: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """`serve-local ./tiny-glm4 --engine vllm`, ready or on its way; ended after the test."""
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB: tests leave the memory to others
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "1")
    running = start(workplace, MODEL, port, "--engine", "vllm")
    try:
        yield running
    finally:
        end(running)


def test_it_answers_whom_it_knows_and_ends_with_zero(served: Served) -> None:
    wait_for(served, "its key, until it stops")
    root = f"http://127.0.0.1:{served.port}"
    key = (served.folder / ".llmmigrate" / "serve" / str(served.port) / "key").read_text()
    assert get_json(f"{root}/health").status == 200
    body: dict[str, Any] = {"model": "tiny-glm4", "messages": MESSAGES, "max_tokens": 4}
    url = f"{root}/v1/chat/completions"
    assert post_json(url, body, seconds=60).status == 401
    reply = post_json(url, body, key=key, seconds=60)
    assert (reply.status, reply.body["model"]) == (200, "tiny-glm4")
    asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
    events = list(stream_events(url, asked, key=key, seconds=60))
    assert 1 <= events[-1]["usage"]["completion_tokens"] <= 4
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=60) == 0
    assert served.errors.read_text().splitlines()[-1] == "stopped"
