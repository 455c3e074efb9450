"""The sample logs are what their generator writes, and hold what their README promises."""

import json
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
LOGS = ("logs.jsonl", "openai_chat.jsonl", "litellm.jsonl", "otlp.jsonl", "captures.jsonl")


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    subprocess.run([sys.executable, "-B", "-m", "samples.make_samples", str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize("name", LOGS)
def test_the_generator_writes_the_same_bytes(regenerated: Path, name: str) -> None:
    assert (regenerated / name).read_bytes() == (SAMPLES / name).read_bytes()


def test_nothing_else_is_written(regenerated: Path) -> None:
    assert {path.name for path in regenerated.iterdir()} == set(LOGS)


def test_all_samples_together_stay_small() -> None:
    assert sum((SAMPLES / name).stat().st_size for name in LOGS) < 2_500_000


def flat_records() -> list[dict[str, Any]]:
    lines = (SAMPLES / "logs.jsonl").read_bytes().split(b"\n")
    return [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]


def test_the_flat_log_covers_every_day_of_six_weeks() -> None:
    days = {date.fromisoformat(record["timestamp"][:10]) for record in flat_records()}
    assert (min(days), max(days), len(days)) == (date(2026, 10, 5), date(2026, 11, 15), 42)


def test_working_days_are_busier_than_weekends() -> None:
    calls = Counter(date.fromisoformat(record["timestamp"][:10]) for record in flat_records())
    weekends = [count for day, count in calls.items() if day.weekday() >= 5]
    assert max(weekends) < min(count for day, count in calls.items() if day.weekday() < 5)


def test_the_flat_log_holds_its_dirt() -> None:
    lines = (SAMPLES / "logs.jsonl").read_text().split("\n")
    repeated = [line for line, count in Counter(lines).items() if count == 2 and line]
    unreadable = [line for line in lines if line and not (line.startswith("{") and line.endswith("}"))]
    models = Counter(record["model"] for record in flat_records())
    assert (len(repeated), len(unreadable), lines.count(""), models["acme-chat-1"]) == (1, 2, 1, 1)


def test_failures_are_tried_again_under_the_same_identity() -> None:
    failed = {record["request_id"] for record in flat_records() if "status" in record}
    again = {record["request_id"] for record in flat_records() if record.get("attempt") == 2}
    assert failed == again
    assert len(failed) > 30


def test_one_logged_cost_is_in_cents() -> None:
    costs = sorted(record["estimated_cost_usd"] for record in flat_records() if "estimated_cost_usd" in record)
    assert costs[-1] > 10 * costs[-2]


def captures() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLES / "captures.jsonl").read_bytes().splitlines()]


def test_the_captures_hold_plain_questions_tools_and_schemas() -> None:
    routes = Counter(record["route"] for record in captures())
    requests = [record["request"] for record in captures()]
    assert set(routes) == {"/answer", "/order", "/extract", "/triage", "/invoice"}
    assert min(routes.values()) > 10
    assert sum("tools" in request for request in requests) == routes["/order"]
    schemas = [request["response_format"]["json_schema"] for request in requests if schema_wanted(request)]
    assert Counter(schema["strict"] for schema in schemas) == {False: routes["/extract"], True: routes["/invoice"]}
    assert any(message["role"] == "tool" for request in requests for message in request["messages"])


def schema_wanted(request: dict[str, Any]) -> bool:
    return "json_schema" in request.get("response_format", {})


def test_the_captured_answers_keep_what_their_requests_demand() -> None:
    found = 0
    for record in captures():
        if record["status"] == 200 and schema_wanted(record["request"]):
            schema = record["request"]["response_format"]["json_schema"]["schema"]
            answer = json.loads(record["response"]["choices"][0]["message"]["content"])
            jsonschema_rs.validate(schema, answer)
            found += 1
    assert found > 50


def test_a_captured_retry_asks_the_same_again() -> None:
    failed = {record["request_id"]: record["request"] for record in captures() if record["status"] != 200}
    again = {record["request_id"]: record["request"] for record in captures() if record.get("attempt") == 2}
    assert failed == again
    assert failed
