"""What `serve-local` and `accelerators` answer on this machine, and with which exit code."""

import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.serving import tiny_gguf
from tools.screens import ROOT

from llmmigrate.cli.launching import _key

Run = Callable[..., Any]
TOOL_CALL = {
    "timestamp": "2026-11-01T10:00:00Z", "provider": "openai", "model": "o3", "input_tokens": 1000,
    "output_tokens": 100,
    "finish_reason": "tool_calls",
}  # fmt: skip


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose accelerators, if it has any, are hidden; the folder is first on the PATH."""
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)
    return tools


def faults(name: str, document: Any) -> list[str]:
    schema = json.loads((ROOT / "docs" / "schemas" / f"llmmigrate.{name}.schema.json").read_text())
    for record in schema["$defs"].values():
        if "properties" in record:
            record["additionalProperties"] = False
    return [f"{error.json_path}: {error.message[:200]}" for error in Draft202012Validator(schema).iter_errors(document)]


def installed(tools: Path, name: str, *lines: str) -> None:
    (tools / name).write_text("#!/bin/sh\n" + "\n".join(lines) + "\n")
    (tools / name).chmod(0o755)


def test_without_accelerators_it_says_what_would_be_needed(llmmigrate: Run) -> None:
    done = llmmigrate("serve-local", "--dry-run")
    assert done.code == 2
    assert done.out.startswith("No accelerator was found, and GLM-5 does not fit on ")
    assert "  - 8xh200: fp8 on vllm, 202,752 tokens of context" in done.out
    assert "error[does_not_fit]" in done.err
    assert "  fix: " in done.err


def test_without_accelerators_a_dry_run_takes_a_second_of_the_processor_at_most(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "llmmigrate", "serve-local", "--dry-run", "-o", str(tmp_path / "plan.json")]
    taken = []
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert subprocess.run(words, cwd=tmp_path, capture_output=True, check=False).returncode == 2
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(taken) <= 1.0 * max(1.0, slowness())


def slowness() -> float:
    """How much longer this processor takes, now, than the one that the second was measured on."""
    started = time.process_time()
    sum(number * number for number in range(1_000_000))
    return (time.process_time() - started) / 0.12


def test_the_next_step_is_what_was_planned(tmp_path: Path) -> None:
    tiny_gguf.write(tmp_path / "tiny.gguf")
    asked = ["serve-local", "./tiny.gguf", "--context", "1024", "--port", "8765"]
    for words, step in (
        ([*asked, "--dry-run"], "→ llmmigrate serve-local ./tiny.gguf --context 1024 --port 8765"),
        (
            ["serve-local", "--on", "2xH100", "--dry-run"],
            "→ llmmigrate serve-local glm-4.7-flash --on 2xH100 --dry-run",
        ),
    ):
        told = subprocess.run(
            [sys.executable, "-m", "llmmigrate", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert told.stdout.splitlines()[-1] == step


def test_the_list_of_devices_is_what_its_schema_says(llmmigrate: Run) -> None:
    document = json.loads(llmmigrate("accelerators", "--format", "json").out)
    assert faults("accelerators", document) == []
    assert [device["platform"] for device in document["devices"] if device["hidden_by"] is None] == ["cpu"]


@pytest.mark.parametrize(
    "line", ["--on 8xH200", "--on 2xA100", "--on 16xH100", "--on 8xmi300x", "glm-4.7-flash --on h100"]
)
def test_a_plan_is_what_its_schema_says_whether_it_fits_or_not(llmmigrate: Run, line: str) -> None:
    document = json.loads(llmmigrate("serve-local", *line.split(), "--dry-run", "--format", "json").out)
    assert faults("plan", document) == []
    assert document["fits"] == (document["chosen"] is not None) == (document["launch"] is not None)


def test_a_plan_for_logs_is_what_its_schema_says(llmmigrate: Run) -> None:
    logs = str(ROOT / "samples" / "logs.jsonl")
    document = json.loads(
        llmmigrate("serve-local", "--on", "8xH200", "--dry-run", "--logs", logs, "--format", "json").out
    )
    assert faults("plan", document) == []
    assert document["traffic"]["machines"] == 1


def test_the_playbook_is_what_its_schema_says(llmmigrate: Run) -> None:
    assert (
        faults("playbook", json.loads(llmmigrate("serve-local", "--profile", "playbook", "--format", "json").out)) == []
    )


def test_a_machine_with_ascend_cards_gets_their_plan_and_their_engine(
    llmmigrate: Run, bare_machine: Path, data: Path
) -> None:
    (recording,) = (data / "accelerator_samples").glob("npu-smi_info_atlas-a3_ascend910x16*")
    installed(bare_machine, "npu-smi", f"cat '{recording}'")
    planned = llmmigrate("serve-local", "--dry-run")
    assert planned.code == 0
    assert planned.out.startswith("GLM-5 in w4a8 fits on 16 × Ascend910: 202,752 tokens of context")
    launched = llmmigrate("serve-local")
    assert launched.code == 2
    assert "error[engine_missing]: vllm-ascend is not installed here" in launched.err


def test_tools_in_the_logs_turn_multi_token_prediction_off(llmmigrate: Run, tmp_path: Path) -> None:
    line = ("serve-local", "--on", "8xH200", "--dry-run", "--format", "json")
    plain = {**TOOL_CALL, "finish_reason": "stop"}
    found = {}
    for name, calls in (("plain", [plain, plain]), ("tools", [plain, TOOL_CALL])):
        log = tmp_path / f"{name}.jsonl"
        log.write_text("".join(json.dumps({**call, "id": f"{n}"}) + "\n" for n, call in enumerate(calls)))
        found[name] = json.loads(llmmigrate(*line, "--logs", str(log)).out)
    assert (found["plain"]["traffic"]["tools"], found["plain"]["chosen"]["draft_tokens"]) == (False, 3)
    assert (found["tools"]["traffic"]["tools"], found["tools"]["chosen"]["draft_tokens"]) == (True, 0)
    assert "--speculative-config.method" in found["plain"]["launch"]["arguments"]
    assert "--speculative-config.method" not in found["tools"]["launch"]["arguments"]


@pytest.mark.parametrize(
    ("form", "names"),
    [("compose", ["compose.yaml"]), ("systemd", ["llmmigrate-glm-5.env.example", "llmmigrate-glm-5.service"])],
)
def test_an_export_writes_its_files_and_starts_nothing(
    llmmigrate: Run, tmp_path: Path, form: str, names: list[str]
) -> None:
    done = llmmigrate("serve-local", "--on", "8xH200", "--export", form, "-o", "deploy")
    assert done.code == 0
    assert sorted(path.name for path in (tmp_path / "deploy").iterdir()) == names
    assert "Made by llmmigrate" in (tmp_path / "deploy" / names[-1]).read_text().splitlines()[0]


def test_an_export_that_cannot_be_written_is_refused_before_the_plan(llmmigrate: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = llmmigrate("serve-local", "--on", "8xH200", "--export", "compose", "-o", "file")
    assert (done.code, done.out) == (2, "")


def test_a_taken_port_is_refused_before_anything_starts(llmmigrate: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shape = {"num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 1, "max_position_embeddings": 8192}
    (folder / "config.json").write_text(json.dumps(shape))
    (folder / "model.safetensors").write_bytes(b"x" * 100)
    (folder / "tokenizer.json").write_text("{}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = llmmigrate("serve-local", "./mine", "--port", port)
    assert done.code == 2
    assert f"error[port_taken]: port {port} is taken by pid {os.getpid()}" in done.err


def test_a_new_key_is_for_its_owner_alone_and_a_given_one_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, file = _key(tmp_path)
    assert file is not None
    assert (file.read_text(), file.stat().st_mode & 0o777) == (key, 0o600)
    assert len(key) >= 32
    assert _key(tmp_path)[0] != key
    monkeypatch.setenv("LLMMIGRATE_LOCAL_KEY", "given")
    assert _key(tmp_path / "other") == ("given", None)
    assert not (tmp_path / "other").exists()
