"""What is wrong with a target is known here, as its server does it: the words and the verdict that come of it."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome
from tests.endpoints.fault_server import WORDS, FaultServer
from tests.shadow.make_log import record, write_log
from tests.shadow.project import configure, the_run, verdict
from tests.shadow.servers import speaker

Run = Callable[..., Outcome]
ONLY_TIMES = ("--gate", "latency_p95=<= 1.5x", "--gate", "errors=off", "--gate", "agreement=off", "--cost-sample", "0")
MEASURES_TIME = pytest.mark.flaky(reruns=2)
"""A machine that stands still for a moment is as slow for both sides: then the measured times say something else."""
NO_TIMES = ("--gate", "latency_p95=off", "--gate", "errors=<= +5pt", "--cost-sample", "0")


@pytest.fixture(autouse=True)
def folder(project: Path) -> Path:
    return write_log(project / "logs.jsonl", 400).parent


def compared(llmmigrate: Run, current: FaultServer, target: FaultServer, *options: str) -> tuple[Outcome, Any]:
    """A run on the whole log, and its verdict."""
    configure(current, target)
    outcome = llmmigrate("shadow", "--canary", "100%", "--yes", *options)
    return outcome, verdict()


def taking(milliseconds: float, seed: int) -> list[str]:
    """Four hundred answers whose times are log-normal, σ 0.5, around a median."""
    chance = random.Random(seed)
    return [f"ok:{milliseconds / 1000 * chance.lognormvariate(0, 0.5):.4f}" for _ in range(400)]


@MEASURES_TIME
def test_a_target_three_times_as_slow_fails_by_its_times(llmmigrate: Run) -> None:
    with FaultServer(*taking(30, 1)) as current, FaultServer(*taking(90, 2)) as target:
        outcome, found = compared(llmmigrate, current, target, *ONLY_TIMES)
    assert outcome.code == 1, outcome.out + outcome.err
    (gate,) = found["gates"]
    assert (gate["key"], gate["result"]) == ("latency_p95", "FAIL")
    assert gate["low"] > 1


@MEASURES_TIME
def test_a_target_that_is_faster_passes_by_its_times(llmmigrate: Run) -> None:
    with FaultServer(*taking(60, 1)) as current, FaultServer(*taking(20, 2)) as target:
        outcome, found = compared(llmmigrate, current, target, *ONLY_TIMES)
    assert outcome.code == 0, outcome.out + outcome.err
    assert found["gates"][0]["high"] < 1


def test_answers_that_are_all_alike_decide_nothing(llmmigrate: Run, folder: Path) -> None:
    """The log and both sides say the same to every question: then agreement would be there with any target."""
    records = [record(number) for number in range(400)]
    for each in records:
        each["response"]["choices"][0]["message"]["content"] = "".join(WORDS)
    (folder / "logs.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    with FaultServer() as current, FaultServer() as target:
        outcome, found = compared(llmmigrate, current, target, *NO_TIMES)
    assert (outcome.code, found["reason"]) == (3, "cannot_decide"), outcome.out + outcome.err
    assert "the measure cannot decide: unrelated answers score nearly as high" in outcome.out.replace("\n", " ")


def test_a_current_side_that_no_longer_answers_as_logged_is_no_pass(llmmigrate: Run) -> None:
    with FaultServer(say=speaker(drop=1)) as current, FaultServer(say=speaker(drop=1)) as target:
        outcome, found = compared(llmmigrate, current, target, *NO_TIMES)
    assert (outcome.code, found["reason"]) == (3, "drift"), outcome.out + outcome.err
    assert "no longer answers as logged" in outcome.out


def test_a_burst_of_failures_is_no_verdict(llmmigrate: Run) -> None:
    script = [*["ok"] * 60, *["status:503"] * 14]
    with FaultServer(say=speaker()) as current, FaultServer(*script, say=speaker()) as target:
        outcome, found = compared(llmmigrate, current, target, *NO_TIMES)
    assert (outcome.code, found["reason"]) == (3, "clustered"), outcome.out + outcome.err


UNSUPPORTED = (
    'error:400 {"error": {"message": "Unsupported parameter: \'stream_options\' with this model", "code": %s}}'
)


@pytest.mark.parametrize("code", ["null", '"unsupported_parameter"'])
def test_a_parameter_that_the_target_does_not_take_is_named(llmmigrate: Run, code: str) -> None:
    with FaultServer(say=speaker()) as current, FaultServer(then=UNSUPPORTED % code) as target:
        outcome, found = compared(llmmigrate, current, target, *NO_TIMES)
    assert (outcome.code, found["reason"]) == (1, "gate_broken"), outcome.out + outcome.err
    (failure,) = found["failures"]
    assert failure["failure"] == "unsupported_parameter"
    assert failure["parameters"] == {"stream_options": failure["first_attempts"]}
    assert "local/glm-5 does not take stream_options" in outcome.out


BUDGET = ("--max-cost", "0.008", "--max-output-tokens", "500")


def test_a_journal_that_ends_in_a_torn_line_is_recovered_and_said(llmmigrate: Run, folder: Path) -> None:
    write_log(folder / "logs.jsonl", 150, tokens=(1, 1))
    with FaultServer(say=speaker()) as current, FaultServer(say=speaker()) as target:
        outcome, found = compared(llmmigrate, current, target, *BUDGET, *NO_TIMES)
        assert found["reason"] == "budget", outcome.out + outcome.err
        run = the_run()
        with (run / "journal.jsonl").open("ab") as journal:
            journal.write(b'{"type":"resu')
        again = llmmigrate("shadow", "--resume", run.name, "--yes", *BUDGET[:2])
    assert again.code == 3
    assert "the journal ended in a torn line" in again.err


def test_an_endpoint_of_ones_own_that_the_settings_lack_is_told_how_to_add(llmmigrate: Run) -> None:
    found = llmmigrate("shadow", "logs.jsonl", "--from", "openai/o3", "--to", "local/glm-5", "--canary", "10%")
    assert found.code == 2
    assert "providers: {local: {base_url: http://127.0.0.1:8000/v1" in found.err
