"""Ctrl-C, as a terminal sends it, to the real program."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.endpoints.fault_server import FaultServer
from tests.shadow.make_log import write_log
from tests.shadow.servers import speaker


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "llmmigrate", *arguments]


@pytest.mark.parametrize("program", ["shadow", "batch"])
def test_an_interrupted_run_says_how_to_go_on_and_pays_nothing_twice(tmp_path: Path, program: str) -> None:
    write_log(tmp_path / "logs.jsonl", 300)
    environment = {**os.environ, "OPENAI_API_KEY": "sk-test"}
    with (
        FaultServer(then="ok:0.05", say=speaker(noise=0.1)) as current,
        FaultServer(then="ok:0.05", say=speaker(noise=0.1, seed=1)) as target,
    ):
        (tmp_path / "llmmigrate.yaml").write_text(f"""\
version: 1
logs: [logs.jsonl]
from: {{provider: openai, model: o3, base_url: "{current.base_url}", api_key_env: OPENAI_API_KEY}}
to: {{provider: local, model: glm-5}}
providers:
  local: {{base_url: "{target.base_url}", dialect: openai-chat, price: zero, concurrency: 2}}
""")
        first = _first(tmp_path, program)
        process = subprocess.Popen(first, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
        try:
            _wait_for(target, 10)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=120)
        finally:
            process.kill()
        assert process.returncode == 3, said
        step = next(line for line in said.splitlines() if line.startswith("to go on later: llmmigrate "))
        again = command(*shlex.split(step)[5:], *(["--yes"] if program == "shadow" else []))
        before = len(target.requests)
        assert before < 200
        done = subprocess.run(again, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    times = Counter(json.dumps(item.body, sort_keys=True) for item in target.requests)
    assert max(times.values()) == 1
    assert len(target.requests) > before


def _first(folder: Path, program: str) -> list[str]:
    """The first start."""
    if program == "shadow":
        gates = ("--gate", "latency_p95=off", "--gate", "errors=<= +2pt", "--gate", "agreement=>= -20pt")
        return command("shadow", "--canary", "95%", "--yes", "--cost-sample", "0", *gates)
    lines = [
        {"custom_id": str(number), "body": {"messages": [{"role": "user", "content": f"question {number}"}]}}
        for number in range(200)
    ]
    (folder / "requests.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return command(
        "batch", "requests.jsonl", "--to", "local/glm-5", "-o", "answers.jsonl", "--max-output-tokens", "100"
    )


def _wait_for(server: FaultServer, count: int) -> None:
    deadline = time.monotonic() + 120
    while len(server.requests) < count:
        assert time.monotonic() < deadline, "the run does not begin"
        time.sleep(0.02)
