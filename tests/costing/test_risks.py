"""The risk register: statuses come from results, and what nobody measured is never good."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome

Run = Callable[..., Outcome]
NOTHING = {"calls": 0, "cost": None, "spend_share": None}


def audit(**verdicts: Any) -> dict[str, Any]:
    found = dict.fromkeys(("ok", "translated", "unknown", "refused", "in_part", "not_audited"), NOTHING)
    return {
        "schema": "llmmigrate.audit/1", "at": "2026-11-20T00:00:00Z",
        "targets": [{"to": "zai/glm-5", "verdicts": {**found, **verdicts}}],
    }  # fmt: skip


def gate(key: str, result: str = "PASS") -> dict[str, Any]:
    return {
        "key": key, "limit": "<= +1pt", "kind": "difference", "limit_value": 0.01, "result": result, "estimate": 0.0,
        "low": -0.001, "high": 0.002, "current": 0.01, "target": 0.01, "pairs": 1200, "words": "",
    }  # fmt: skip


def verdict(outcome: str = "PASS", **changes: Any) -> dict[str, Any]:
    plain = {
        "schema": "llmmigrate.verdict/1", "verdict": outcome, "words": "", "ended": "2026-11-20T00:00:00Z",
        "exploratory": False, "pairs": 1200, "current": {"name": "openai/o3"}, "target": {"name": "zai/glm-5"},
        "gates": [gate("errors"), gate("latency_p95")],
    }  # fmt: skip
    return {**plain, **changes}


def drill(**changes: Any) -> dict[str, Any]:
    plain = {
        "schema": "llmmigrate.drill/1", "plan": "migration.yaml", "gateway": "envoy",
        "faults": [{"fault": "down", "sent": 500, "lost": 0, "declared": False}], "flip": {"lost": 0, "broken": 0},
        "wrong_model": 0, "wrong_key": 0,
    }  # fmt: skip
    return {**plain, **changes}


GOOD = [audit(ok={"calls": 28, "cost": "56", "spend_share": 1.0}), verdict(), drill()]


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    lines = [
        {"timestamp": f"2026-10-{day:02d}T12:00:00Z", "model": "o3", "provider": "openai", "input_tokens": 600_000,
         "output_tokens": 100_000}
        for day in range(1, 29)
    ]  # fmt: skip
    Path("log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return "log.jsonl"


@pytest.fixture
def roi(llmmigrate: Run, log: str) -> Callable[..., dict[str, Any]]:
    """The report with these results lying in .llmmigrate/."""

    def ask(*results: dict[str, Any], options: tuple[str, ...] = ()) -> dict[str, Any]:
        place = Path(".llmmigrate/runs/one")
        place.mkdir(parents=True, exist_ok=True)
        for number, result in enumerate(results):
            (place / f"{number}.json").write_text(json.dumps(result), encoding="utf-8")
        outcome = llmmigrate("report", log, "--to", "zai/glm-5", "--format", "json", *options)
        assert 0 == outcome.code, outcome.err
        found: dict[str, Any] = json.loads(outcome.out)
        return found

    return ask


Roi = Callable[..., dict[str, Any]]


def statuses(found: dict[str, Any]) -> list[str]:
    return [risk["status"] for risk in found["risks"]]


def test_without_any_result_nothing_is_good(roi: Roi) -> None:
    found = roi()
    assert "not_measured" == found["risk"]["level"]
    assert ["not_measured"] * 3 == statuses(found)[:3]
    assert "llmmigrate audit log.jsonl --to zai/glm-5" == found["next"]["command"]


def test_with_every_result_good_the_risk_is_low_and_the_traffic_may_move(roi: Roi) -> None:
    found = roi(*GOOD)
    assert ("low", "llmmigrate rollout stage") == (found["risk"]["level"], found["next"]["command"])
    assert ["ok", "ok", "ok", "not_applicable", "ok", "ok"] == statuses(found)


@pytest.mark.parametrize("missing", range(3))
def test_one_result_that_is_missing_keeps_the_risk_unmeasured(roi: Roi, missing: int) -> None:
    found = roi(*(result for number, result in enumerate(GOOD) if number != missing))
    assert "not_measured" == found["risk"]["level"]
    assert found["next"]["command"].startswith(
        ("llmmigrate audit", "llmmigrate shadow", "llmmigrate rollout drill")[missing]
    )


@pytest.mark.parametrize(
    ("bad", "risk"),
    [
        (audit(refused={"calls": 3, "cost": "6", "spend_share": 0.107}), 1),
        (verdict("FAIL", gates=[gate("errors", "FAIL")]), 0),
        (verdict("FAIL", gates=[gate("errors"), gate("latency_p95", "FAIL")]), 2),
        (drill(faults=[{"fault": "down", "sent": 500, "lost": 2, "declared": False}]), 5),
        (drill(flip={"lost": 0, "broken": 1}), 5),
        (drill(wrong_key=1), 5),
    ],
)
def test_a_bad_result_makes_the_risk_high_and_stops_the_move(roi: Roi, bad: dict[str, Any], risk: int) -> None:
    found = roi(*(bad if bad["schema"] == good["schema"] else good for good in GOOD))
    assert ("high", "failed") == (found["risk"]["level"], found["risks"][risk]["status"])
    assert found["next"]["words"].startswith("do not move yet")


@pytest.mark.parametrize(
    ("doubt", "risk"),
    [
        (audit(in_part={"calls": 28, "cost": "56", "spend_share": 1.0}), 1),
        (verdict("INCONCLUSIVE", gates=[gate("errors", "INCONCLUSIVE"), gate("latency_p95")]), 0),
        (verdict(exploratory=True), 0),
        (drill(flip=None), 5),
        (drill(faults=[{"fault": "down", "sent": 500, "lost": 2, "declared": True}]), 5),
    ],
)
def test_a_result_in_doubt_is_not_low(roi: Roi, doubt: dict[str, Any], risk: int) -> None:
    found = roi(*(doubt if doubt["schema"] == good["schema"] else good for good in GOOD))
    assert ("medium", "caution") == (found["risk"]["level"], found["risks"][risk]["status"])


def test_results_about_other_models_say_nothing(roi: Roi) -> None:
    other = verdict(target={"name": "openai/gpt-4o"})
    assert "not_measured" == roi(GOOD[0], other, GOOD[2])["risks"][0]["status"]


def test_a_given_result_about_other_models_is_refused(llmmigrate: Run, log: str) -> None:
    Path("verdict.json").write_text(json.dumps(verdict(current={"name": "openai/gpt-4o"})), encoding="utf-8")
    outcome = llmmigrate("report", log, "--to", "zai/glm-5", "--evidence", "verdict.json")
    assert 2 == outcome.code
    assert "verdict.json is about other models than openai/o3 and zai/glm-5" in outcome.err


@pytest.mark.parametrize("text", ["{}", "no json", '{"schema": "llmmigrate.verdict/1"}', "[1]"])
def test_a_given_file_that_is_no_result_is_refused(llmmigrate: Run, log: str, text: str) -> None:
    Path("evidence.json").write_text(text, encoding="utf-8")
    outcome = llmmigrate("report", log, "--to", "zai/glm-5", "--evidence", "evidence.json")
    assert 2 == outcome.code
    assert "evidence.json" in outcome.err


def test_the_latest_of_several_results_counts(roi: Roi) -> None:
    old = verdict("FAIL", gates=[gate("errors", "FAIL")], ended="2026-11-01T00:00:00Z")
    assert "low" == roi(*GOOD, old)["risk"]["level"]


def test_a_run_on_one_of_two_models_is_not_the_whole_answer(llmmigrate: Run, log: str) -> None:
    second = {"timestamp": "2026-10-05T12:00:00Z", "model": "gpt-4o", "input_tokens": 100_000, "output_tokens": 1}
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(json.dumps(second) + "\n")
    Path("verdict.json").write_text(json.dumps(verdict()), encoding="utf-8")
    options = ["--to", "zai/glm-5", "--evidence", "verdict.json", "--format", "json"]
    risk = json.loads(llmmigrate("report", log, *options).out)["risks"][0]
    assert "caution" == risk["status"]
    assert "not measured for openai/gpt-4o" in risk["words"]
