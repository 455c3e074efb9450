"""`audit` as a user types it: what is refused, what it costs, where it stands, and what the log does not show."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT, Outcome

from llmmigrate.costing.audit.results import AuditVerdicts, load
from llmmigrate.errors import ConfigError

Run = Callable[..., Outcome]
REQUESTS = str(ROOT / "tests" / "cli" / "golden" / "inputs" / "requests.jsonl")
SAMPLES = ("logs.jsonl", "litellm.jsonl", "otlp.jsonl", "openai_chat.jsonl")


def audited(run: Run, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("audit", *arguments, "--format", "json").out)
    return found


def rules(target: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {rule["rule"]: rule for rule in target["rules"]}


def line(**more: Any) -> str:
    """A captured call of OpenAI chat with `more` in its request."""
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], **more}
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    answer = {"object": "chat.completion", "model": "gpt-4o", "choices": [], "usage": usage}
    return json.dumps({"timestamp": "2026-11-20T10:00:00Z", "request": asked, "response": answer}) + "\n"


@pytest.mark.parametrize(("target", "code"), [("zai/glm-5", 1), ("openai/gpt-5.4", 0), ("anthropic/claude-opus-5", 1)])
def test_the_exit_code_says_whether_anything_is_refused(llmmigrate: Run, target: str, code: int) -> None:
    assert llmmigrate("audit", REQUESTS, "--to", target).code == code
    assert llmmigrate("audit", REQUESTS, "--to", target, "--exit-zero").code == 0


def test_strict_says_what_is_missing_unless_the_answer_is_no_already(llmmigrate: Run, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(
        line() + json.dumps({"timestamp": "2026-11-20T10:00:00Z", "model": "gpt-4o", "input_tokens": None}) + "\n"
    )
    assert llmmigrate("audit", str(log), "--to", "zai/glm-5", "--strict").code == 3
    log.write_text(log.read_text() + line(n=2))
    assert llmmigrate("audit", str(log), "--to", "zai/glm-5", "--strict").code == 1
    log.write_text(log.read_text() + "{broken\n")
    assert llmmigrate("audit", str(log), "--to", "zai/glm-5", "--strict").code == 2


def test_a_refused_call_is_named_with_its_line_and_its_share_of_the_spend(llmmigrate: Run, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(line() * 3 + line(logprobs=True))
    found = audited(llmmigrate, str(log), "--to", "zai/glm-5")
    [target] = found["targets"]
    assert target["verdicts"]["ok"]["calls"] == 3
    assert target["verdicts"]["refused"] == {"calls": 1, "cost": "0.0035", "spend_share": 0.25}
    assert rules(target)["logprobs"]["first"] == [f"{log}:4"]
    assert rules(target)["logprobs"]["refused_spend_share"] == 0.25


@pytest.mark.parametrize("name", SAMPLES)
def test_every_call_is_counted_once_and_the_spend_is_that_of_analyze(llmmigrate: Run, name: str) -> None:
    log = str(ROOT / "samples" / name)
    found = audited(llmmigrate, log, "--to", "zai/glm-5", "--to", "anthropic/claude-opus-5")
    analysis = json.loads(llmmigrate("analyze", log, "--format", "json").out)
    assert found["total"]["calls"] == analysis["total"]["calls"]
    assert found["total"]["cost"] == analysis["total"]["cost"]
    assert sum(found["bodies"].values()) == found["total"]["calls"]
    for target in found["targets"]:
        assert sum(part["calls"] for part in target["verdicts"].values()) == found["total"]["calls"]


def test_a_call_that_is_refused_for_two_reasons_counts_once(llmmigrate: Run, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(line(n=2, logprobs=True, messages=["a", {"content": "b"}]))
    [target] = audited(llmmigrate, str(log), "--to", "zai/glm-5")["targets"]
    assert target["verdicts"]["refused"]["calls"] == 1
    assert {name for name, rule in rules(target).items() if rule["refused"] == 1} == {"n", "logprobs", "body"}
    assert sum(finding["rule"] == "body" for finding in target["findings"]) == 2


def test_a_log_without_requests_is_never_called_fit(llmmigrate: Run) -> None:
    outcome = llmmigrate("audit", str(ROOT / "samples" / "logs.jsonl"), "--to", "zai/glm-5")
    assert outcome.code == 0
    assert "Only the context window was audited" in outcome.out
    found = audited(llmmigrate, str(ROOT / "samples" / "litellm.jsonl"), "--to", "zai/glm-5")
    verdicts = found["targets"][0]["verdicts"]
    assert (found["bodies"]["messages_only"], verdicts["ok"]["calls"]) == (316, 0)
    assert verdicts["in_part"]["calls"] == 314


def test_a_saved_profile_holds_no_requests(llmmigrate: Run, tmp_path: Path) -> None:
    saved = str(tmp_path / "usage.profile.json")
    assert llmmigrate("ingest", REQUESTS, "-o", saved).code == 0
    found = audited(llmmigrate, saved, "--to", "zai/glm-5")
    assert found["bodies"]["none"] == found["targets"][0]["verdicts"]["not_audited"]["calls"] == 10


def test_ingested_records_with_text_are_audited_like_the_log(llmmigrate: Run, tmp_path: Path) -> None:
    kept = str(tmp_path / "calls.jsonl")
    assert llmmigrate("ingest", REQUESTS, "-o", kept, "--keep-text").code == 0
    there, here = (audited(llmmigrate, path, "--to", "zai/glm-5")["targets"][0] for path in (REQUESTS, kept))
    assert there["verdicts"] == here["verdicts"]


def test_what_a_logged_answer_shows_counts_too(llmmigrate: Run, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    called = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    record = {"timestamp": "2026-11-20T10:00:00Z", "model": "gpt-4o", "input_tokens": 10, "output_tokens": 5}
    log.write_text(json.dumps({**record, "messages": [{"role": "user", "content": "Hi"}], "tool_calls": [called]}))
    [target] = audited(llmmigrate, str(log), "--to", "deepseek/deepseek-reasoner")["targets"]
    assert rules(target)["tools"]["refused"] == 1


def test_longer_than_the_window_is_refused_by_what_is_asked_for_too(llmmigrate: Run, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(line(max_tokens=199_000) + line(max_tokens=199_001))
    [target] = audited(llmmigrate, str(log), "--to", "zai/glm-5")["targets"]
    assert rules(target)["context"]["first"] == [f"{log}:2"]
    assert rules(target)["max_output"]["translated"] == 2


def test_a_saved_audit_reads_back(llmmigrate: Run, tmp_path: Path) -> None:
    saved = tmp_path / "audit.json"
    assert llmmigrate("audit", REQUESTS, "--to", "zai/glm-5", "-o", str(saved)).code == 1
    found = load(saved)
    assert found.targets[0].verdicts.refused.calls == 4
    assert set(json.loads(saved.read_text())["targets"][0]["verdicts"]) == set(AuditVerdicts.__struct_fields__)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": "llmmigrate.estimate/1"}'])
def test_what_is_no_audit_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "audit.json"
    path.write_text(text)
    with pytest.raises(ConfigError):
        load(path)
    with pytest.raises(ConfigError):
        load(tmp_path / "absent.json")


def test_a_target_of_the_settings_needs_no_price_table(
    llmmigrate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llmmigrate.yaml").write_text(
        "version: 1\nto: {provider: local, model: glm}\n"
        "providers: {local: {base_url: 'http://127.0.0.1:8000/v1', dialect: anthropic-messages, price: zero}}\n"
    )
    [target] = audited(llmmigrate, REQUESTS)["targets"]
    assert (target["to"], target["dialect"], target["context_window"]) == ("local/glm", "anthropic-messages", None)
    assert rules(target)["n"]["refused"] == 1
    assert rules(target)["context"]["unknown"] == 10


def test_parameters_that_a_log_makes_up_do_not_fill_the_memory(llmmigrate: Run, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text("".join(line(**{f"x{number}": 1}) for number in range(1000)))
    [target] = audited(llmmigrate, str(log), "--to", "zai/glm-5")["targets"]
    assert len(target["findings"]) < 310
    assert rules(target)["parameters"]["unknown"] == 1000
    assert sum(f["calls"] for f in target["findings"] if f["rule"] == "parameters") == 1000
