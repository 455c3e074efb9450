"""The whole chain on a real engine, in one go: the processor is found, a plan is made for it, `serve-local` launches
`transformers serve` with a tiny GLM-5 as planned, it answers, it streams, a log is replayed on it as `local/tiny-glm5`,
and SIGTERM leaves nothing behind.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.serving.launched import (
    NEEDS_ENGINE,
    SECONDS,
    Served,
    end,
    engines,
    members,
    start,
    wait_for,
    write_tiny_glm5,
)
from tests.shadow.make_log import write_short_prompts

from llmmigrate.config import load
from llmmigrate.endpoints.http import get_json, post_json, stream_events

pytestmark = NEEDS_ENGINE
NAME = "tiny-glm5"
MODEL = f"./{NAME}"
PAIRS = 20
TOKENS = 6
SETTINGS = """\
version: 1
logs: [logs.jsonl]
from: {{provider: here, model: {model}}}
providers:
  here: {{base_url: "{url}/v1", dialect: openai-chat, price: zero}}
"""


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A directory with the tiny checkpoint and a log of calls to it."""
    write_tiny_glm5(tmp_path / NAME)
    write_short_prompts(tmp_path / "logs.jsonl", PAIRS, model=NAME, tokens=TOKENS)
    return tmp_path


def command(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command line of llmmigrate, run in this folder to its end."""
    words = [sys.executable, "-m", "llmmigrate", *arguments]
    environment = {**os.environ, "HF_HOME": str(folder / "hf")}
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def test_from_the_processor_to_a_verdict_and_nothing_is_left(workplace: Path, port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    (workplace / "llmmigrate.yaml").write_text(SETTINGS.format(model=NAME, url=url))
    launch = planned_launch(workplace, port)
    running = start(workplace, MODEL, port, "--to-config")
    groups: set[int] = set()
    try:
        wait_for(running, f"→ llmmigrate shadow --to local/{NAME}")
        groups = groups_of(running)
        check_as_planned(running, launch)
        check_answers(url)
        check_shadow(workplace, url)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=SECONDS) == 0
    finally:
        end(running)
    assert running.errors.read_text().splitlines()[-1] == "stopped"
    assert len(groups) == 1, "the guard and the engine are one process group"
    assert [process for group in groups for process in members(group)] == []


def planned_launch(folder: Path, port: int) -> dict[str, Any]:
    """What the plan for the processor that was found says is to be launched."""
    found = json.loads(command(folder, "accelerators", "--format", "json").stdout)
    host = next(device for device in found["devices"] if device["platform"] == "cpu")
    done = command(folder, "serve-local", MODEL, "--port", str(port), "--dry-run", "--format", "json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert (plan["fits"], plan["model"]["type"], plan["chosen"]["engine"]) == (True, "glm_moe_dsa", "transformers")
    assert (plan["hardware"]["platform"], plan["hardware"]["title"]) == ("cpu", host["name"])
    assert plan["hardware"]["memory_bytes"] == host["memory_bytes"]
    launch: dict[str, Any] = plan["launch"]
    return launch


def groups_of(running: Served) -> set[int]:
    """The process groups of everything that `serve-local` has started."""
    return {os.getpgid(process.pid) for process in psutil.Process(running.process.pid).children(recursive=True)}


def check_as_planned(running: Served, launch: dict[str, Any]) -> None:
    """The engine that runs was told what the plan says, in the environment that it says."""
    engine = psutil.Process(engines(running)[-1])
    assert engine.cmdline()[-len(launch["arguments"]) + 1 :] == launch["arguments"][1:]
    environment = engine.environ()
    assert {name: environment[name] for name in launch["environment"]} == launch["environment"]


def check_answers(url: str) -> None:
    """It is healthy, answers as a whole and as a stream, and says the same in both ways."""
    assert get_json(f"{url}/health").status == 200
    body: dict[str, Any] = {"model": NAME, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": TOKENS}
    reply = post_json(f"{url}/v1/chat/completions", body, seconds=SECONDS)
    assert (reply.status, reply.body["usage"]["completion_tokens"]) == (200, TOKENS)
    events = list(stream_events(f"{url}/v1/chat/completions", {**body, "stream": True}, seconds=SECONDS))
    assert events[-1]["usage"]["completion_tokens"] == TOKENS
    parts = (choice["delta"].get("content") for event in events for choice in event["choices"])
    assert "".join(part for part in parts if part) == reply.body["choices"][0]["message"]["content"] != ""


def check_shadow(folder: Path, url: str) -> None:
    """A log is replayed on it by the name that the settings have gained, and the same model agrees with itself."""
    providers = load(directory=folder).config.providers
    assert (providers["local"].base_url, set(providers)) == (f"{url}/v1", {"here", "local"})
    words = ("--to", f"local/{NAME}", "--canary", "100%", "--yes", "--cost-sample", "0", "-o", "verdict.json")
    done = command(folder, "shadow", *words)
    assert done.returncode == 3, done.stderr  # twenty pairs cannot show more
    result = json.loads((folder / "verdict.json").read_text())
    assert (result["verdict"], result["pairs"], result["failures"]) == ("INCONCLUSIVE", PAIRS, [])
    target = result["target"]
    assert (target["answers"], target["output_tokens"], target["usage_missing"]) == (PAIRS, TOKENS * PAIRS, 0)
    means = {measure["name"]: measure for measure in result["measures"]}
    assert means["exact_match"]["target"] == 1.0, "it takes the likeliest token"
    assert means["exact_match"]["unrelated"] < 1.0, "it does not say the same to everything"
