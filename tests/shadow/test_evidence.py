"""What `estimate` and `report` read of runs and drills, from the files that the real writers make."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.conftest import ROOT, Outcome
from tests.endpoints.fault_server import FaultServer
from tests.shadow.make_log import record
from tests.shadow.servers import speaker

from llmmigrate.cli.measured import load_calibration
from llmmigrate.costing.evidence import Drill, Evidence, Verdict, find, objections, read
from llmmigrate.costing.risks import Situation, register
from llmmigrate.rollout.drill.results import Drill as Written

Run = Callable[..., Outcome]
LENIENT = ("--gate", "latency_p95=off", "--gate", "errors=<= +5pt", "--gate", "agreement=>= -20pt")
ROUTES = ("/answer", "/extract", "/rare")
DAY = 86_400
NOTHING = Situation(sources=(), price_rise=None)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Four weeks of calls of o3 on three routes, one of them rare, with bodies."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    monkeypatch.setenv("ZAI_API_KEY", "sk-test-0123456789abcdef")
    lines = []
    for number in range(300):
        line = record(number)
        route = ROUTES[2] if number % 50 == 0 else ROUTES[number % 2]
        lines.append(json.dumps({**line, "timestamp": line["timestamp"] + number % 28 * DAY, "route": route}))
    (tmp_path / "logs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    yield tmp_path


def shadow(llmmigrate: Run, *options: str, **faults: Any) -> Outcome:
    """A run against two servers on loopback."""
    current_says, target_says = speaker(noise=0.1), speaker(noise=0.1, seed=1)
    with FaultServer(say=current_says) as current, FaultServer(say=target_says, **faults) as target:
        Path("llmmigrate.yaml").write_text(f"""\
version: 1
logs: [logs.jsonl]
from: {{provider: openai, model: o3, base_url: "{current.base_url}", api_key_env: OPENAI_API_KEY}}
to: {{provider: zai, model: glm-5, base_url: "{target.base_url}", api_key_env: ZAI_API_KEY}}
""")
        return llmmigrate("shadow", "--canary", "90%", "--yes", *LENIENT, *options)


def report(llmmigrate: Run, *options: str) -> dict[str, Any]:
    outcome = llmmigrate("report", "logs.jsonl", "--as-of", "2026-11-22", "--format", "json", *options)
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def test_a_run_and_a_drill_are_read_as_they_were_written(llmmigrate: Run) -> None:
    ran = shadow(llmmigrate, "--cost-sample", "120")
    assert ran.code == 0, ran.out + ran.err
    (run,) = Path(".llmmigrate/runs").iterdir()
    written = json.loads((run / "verdict.json").read_text())
    measured = json.loads((run / "calibration.json").read_text())
    (result,) = (item.result for item in find(Path()))
    assert isinstance(result, Verdict)
    assert (result.verdict, result.pairs, result.target.name) == ("PASS", written["pairs"], "zai/glm-5")

    drill = ROOT / "benchmarks/drills/envoy.json"
    assert isinstance(read(drill).result, Drill)
    found = report(llmmigrate, "--evidence", str(drill), "--calibration", str(run))
    assert found["quality"]["path"] == str(run / "verdict.json")
    for gate, shown in zip(written["gates"], found["quality"]["gates"], strict=True):
        assert shown == {name: gate[name] for name in shown}
    statuses = {risk["risk"]: risk["status"] for risk in found["risks"]}
    assert statuses["answers are not as good as today"] == "ok"
    assert statuses["no quick way back"] == "ok"

    calibration = load_calibration(str(run))
    (used,) = found["estimate"]["calibrations"]
    assert (used["draws"], used["verdict"]) == (calibration.draws, "PASS")
    assert found["saving"]["range_kind"] == "interval95"
    names = [part["name"] for part in used["strata"]]
    assert names == ["route=/answer", "route=/extract"], "the rare route has too few draws"
    of_file = {part["name"]: part["ratios"] for part in measured["strata"]}
    for part in used["strata"]:
        for ratio in part["ratios"]:
            mine = of_file[part["name"]][ratio["kind"]]
            assert (ratio["ratio"], ratio["low"], ratio["high"]) == (mine["ratio"], mine["low"], mine["high"])

    page = llmmigrate("estimate", "logs.jsonl", "--calibration", str(run), "--as-of", "2026-11-22").out
    assert "Tokens of zai/glm-5 for each token now" in page
    (line,) = [line for line in page.splitlines() if line.strip().startswith("route=/answer")]
    ratio = of_file["route=/answer"]["input"]
    assert f"{ratio['ratio']:,.2f} ({ratio['low']:,.2f} … {ratio['high']:,.2f})" in line


@pytest.mark.parametrize("gateway", sorted(path.stem for path in (ROOT / "benchmarks" / "drills").glob("*.json")))
def test_a_drill_means_the_same_to_its_writer_and_to_a_report(gateway: str, tmp_path: Path) -> None:
    """What `rollout drill` calls passed is no failed risk, and the other way round."""
    drill = msgspec.json.decode((ROOT / f"benchmarks/drills/{gateway}.json").read_bytes(), type=Written)
    bad = [
        msgspec.structs.replace(drill, wrong_key=3),
        msgspec.structs.replace(drill, wrong_model=3, wrong_model_declared=False),
        msgspec.structs.replace(drill, wrong_model=3, wrong_model_declared=True),
        msgspec.structs.replace(drill, flip=None),
    ]
    for written in (drill, *bad):
        assert (status_of(written, tmp_path) == "failed") == (not written.passed)
    untried = msgspec.structs.replace(drill.faults[0], target_hits=0)
    assert status_of(msgspec.structs.replace(drill, faults=[untried]), tmp_path) == "caution"


def status_of(drill: Written, folder: Path) -> str:
    path = folder / "drill.json"
    path.write_bytes(msgspec.json.encode(drill))
    result = read(path).result
    assert isinstance(result, Drill)
    risks = register(Evidence(drill=(str(path), result)), NOTHING)
    return next(risk.status for risk in risks if risk.risk == "no quick way back")


def test_a_run_that_failed_forbids_its_target_to_a_mix(llmmigrate: Run) -> None:
    ran = shadow(llmmigrate, "--cost-sample", "0", shares={'error:400 {"error": {"message": "no"}}': 0.4})
    assert ran.code == 1, ran.out + ran.err
    assert list(objections(find(Path())).failed) == ["zai/glm-5"]
    line = ("estimate", "logs.jsonl", "--mix", "--by", "tag.route", "--as-of", "2026-11-22", "--format", "json")
    rows = json.loads(llmmigrate(*line, "--to", "zai/glm-5").out)["targets"]
    (mix,) = [row for row in rows if row["kind"] == "mix"]
    assert {group["to"] for group in mix["groups"]} == {"stays"}
    assert all("ended FAIL" in group["refused"]["zai/glm-5"] for group in mix["groups"])
    found = report(llmmigrate, "--to", "zai/glm-5")
    assert found["risk"]["level"] == "high"
    assert found["next"]["words"].startswith("do not move yet: shadow run FAIL: errors outside the limit")
