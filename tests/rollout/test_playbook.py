"""A playbook's ROLLBACK_CONFIG becomes a plan: by its names, from JSON, YAML or Python, and never by half."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmmigrate.rollout.plan import load

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("form", ["json", "yaml", "python"])
def test_a_playbook_is_taken_over_as_written(form: str, llmmigrate: Run) -> None:
    config = {
        "latency_threshold_ms": 200,
        "error_rate_threshold": 0.05,
        "consecutive_failures": 3,
        "fallback_providers": [
            {"name": "primary", "base_url": "https://api.holysheep.ai/v1"},
            {"name": "secondary", "provider": "openai"},
            {"name": "emergency", "url": "http://10.0.0.5:8000/v1"},
        ],
        "check_interval_seconds": 30,
        "alert_webhook": "https://hooks.example/llm",
    }
    text = f"ROLLBACK_CONFIG = {config!r}\n" if form == "python" else json.dumps(config)
    Path("playbook").write_text(text)
    assert llmmigrate("init", "--rollout", "--from-playbook", "playbook").code == 0
    plan = load(Path("migration.yaml"))
    assert plan.rollback.latency_p95 is not None
    assert (float(plan.rollback.latency_p95), float(plan.rollback.error_rate)) == (0.2, 0.05)
    assert (plan.rollback.windows, plan.failover.eject_after, int(plan.monitoring.every)) == (3, 3, 30)
    assert plan.monitoring.webhook == "https://hooks.example/llm"
    urls = [plan.provider(role).base_url for role in ("target", "current", "emergency")]
    assert urls == ["https://api.holysheep.ai/v1", "https://api.openai.com/v1", "http://10.0.0.5:8000/v1"]


def test_what_a_playbook_cannot_mean_is_refused(llmmigrate: Run) -> None:
    for text in ('{"error_rate_threshold": "often"}', "[1, 2]", "a: [", "just words"):
        Path("playbook").write_text(text)
        assert llmmigrate("init", "--rollout", "--from-playbook", "playbook").code == 2
        assert not Path("migration.yaml").exists()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("consecutive_failures", 3.5, "consecutive_failures: '3.5' is no whole number"),
        ("error_rate_threshold", 5, "error_rate_threshold: '5' is no part of 1"),
        ("latency_threshold_ms", -1, "latency_threshold_ms: '-1' is no number above 0"),
        ("primary", {"url": "https://relay.test/v1?key=1"}, "no plan can be made of playbook: 'https://relay.test/v1?"),
    ],
)
def test_a_playbook_that_makes_no_plan_is_refused_at_once(key: str, value: Any, said: str, llmmigrate: Run) -> None:
    Path("playbook").write_text(json.dumps({key: value}))
    refused = llmmigrate("init", "--rollout", "--from-playbook", "playbook")
    assert (refused.code, Path("migration.yaml").exists()) == (2, False)
    assert said in refused.err


@pytest.mark.parametrize(
    ("key", "value"),
    [("alert_webhook", "${WEBHOOK}"), ("alert_webhook", "#alerts"), ("metrics_endpoint", "/metrics?all=1")],
)
def test_what_a_plan_cannot_hold_of_a_playbook_is_left_out_and_said(key: str, value: str, llmmigrate: Run) -> None:
    Path("playbook").write_text(json.dumps({key: value, "consecutive_failures": 4.0, "error_rate_threshold": 1.0}))
    done = llmmigrate("init", "--rollout", "--from-playbook", "playbook")
    assert done.code == 0
    assert f"not taken over from playbook: {key}: '{value}' is no " in done.err
    plan = load(Path("migration.yaml"))
    assert (plan.monitoring.webhook, plan.monitoring.metrics_path) == (None, "/metrics")
    assert (plan.rollback.windows, float(plan.rollback.error_rate)) == (4, 1.0)


@pytest.mark.parametrize("sign", [" = ", ": dict[str, object] = "])
def test_the_named_dictionary_is_taken_wherever_it_stands(sign: str, llmmigrate: Run) -> None:
    config = {"latency_threshold_ms": 300, "error_rate_threshold": 0.01}
    Path("playbook").write_text(f'RETRY = {{"max": 3}}\nROLLBACK_CONFIG{sign}{config!r}\n')
    assert llmmigrate("init", "--rollout", "--from-playbook", "playbook").code == 0
    plan = load(Path("migration.yaml"))
    assert (str(plan.rollback.latency_p95), str(plan.rollback.error_rate)) == ("0.300", "0.01")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('ROLLBACK_CONFIG = {"latency_threshold_ms": int(os.environ["X"])}', "ROLLBACK_CONFIG cannot be read"),
        ("ROLLBACK_CONFIG = {[1]: 2}", "ROLLBACK_CONFIG cannot be read"),
        ("a: &a [*a]", "a value is a part of itself"),
    ],
)
def test_a_playbook_that_is_computed_or_has_no_end_is_refused(text: str, what: str, llmmigrate: Run) -> None:
    Path("playbook").write_text(text)
    refused = llmmigrate("init", "--rollout", "--from-playbook", "playbook")
    assert (refused.code, Path("migration.yaml").exists()) == (2, False)
    assert what in refused.err
    assert "defect" not in refused.err
