"""That what runs against endpoints write is what the published schemas say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.conftest import ROOT, Outcome
from tests.endpoints.fault_server import FaultServer
from tests.shadow.make_log import write_log
from tests.shadow.servers import speaker

Run = Callable[..., Outcome]


def faults(name: str, document: Any) -> list[str]:
    """What a document has that its published schema forbids, or does not name."""
    schema = json.loads((ROOT / "docs" / "schemas" / f"llmmigrate.{name}.schema.json").read_text(encoding="utf-8"))
    for record in schema["$defs"].values():
        if "properties" in record:
            record["additionalProperties"] = False
    return [f"{error.json_path}: {error.message[:200]}" for error in Draft202012Validator(schema).iter_errors(document)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    return tmp_path


def test_the_files_of_a_comparison(llmmigrate: Run, folder: Path) -> None:
    log = write_log(folder / "logs.jsonl", 200)
    with FaultServer(say=speaker()) as current, FaultServer(say=speaker()) as target:
        (folder / "llmmigrate.yaml").write_text(
            f'from: {{provider: openai, model: o3, base_url: "{current.base_url}", api_key_env: OPENAI_API_KEY}}\n'
            f'providers: {{local: {{base_url: "{target.base_url}", dialect: openai-chat, price: zero}}}}\n'
        )
        found = llmmigrate(
            "shadow",
            str(log),
            "--to",
            "local/glm-5",
            "--canary",
            "15%",
            "--cost-sample",
            "5",
            "--yes",
            "--format",
            "json",
        )
    assert found.code == 3, found.err
    run = next(folder.glob(".llmmigrate/runs/*"))
    assert faults("verdict", json.loads(found.out)) == []
    assert faults("verdict", json.loads((run / "verdict.json").read_bytes())) == []
    assert faults("calibration", json.loads((run / "calibration.json").read_bytes())) == []


def test_the_summary_of_a_batch(llmmigrate: Run, folder: Path) -> None:
    body = {"messages": [{"role": "user", "content": "Capital of France?"}], "max_tokens": 50}
    requests = [{"custom_id": str(number), "body": body} for number in range(8)]
    (folder / "requests.jsonl").write_text("".join(json.dumps(line) + "\n" for line in requests))
    with FaultServer("ok", "status:400") as server:
        (folder / "llmmigrate.yaml").write_text(
            f'providers: {{local: {{base_url: "{server.base_url}", dialect: openai-chat, price: zero}}}}\n'
        )
        found = llmmigrate("batch", "requests.jsonl", "--to", "local/glm-5", "-o", "answers.jsonl", "--format", "json")
    assert found.code == 1, found.err
    assert faults("batch", json.loads(found.out)) == []
