"""Measured ratios in place of assumed ones: what they change, and what is refused."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome

from llmmigrate.cli.measured import load_calibration
from llmmigrate.errors import InputError, UsageError

Run = Callable[..., Outcome]
Write = Callable[..., str]
NOW = "2026-11-22"


def ratio(value: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"ratio": value, "low": low, "high": high, "sigma": 0.3, "draws": 300, "approximate": False, **more}


RATIOS = {
    "input": ratio(1.1, 1.05, 1.15),
    "output": ratio(1.5, 1.2, 1.8),
    "visible_output": ratio(0.8, 0.7, 0.9),
    "reasoning": ratio(3.0, 2.0, 4.0),
    "cached_share": ratio(0.1, 0.0, 0.2),
}


def document(**changes: Any) -> dict[str, Any]:
    """From o3 to GLM-5: more input, shorter answers, three times the reasoning, few cache hits."""
    plain = {
        "schema": "llmmigrate.calibration/1", "current": "openai/o3", "target": "zai/glm-5", "seed": 1, "sample": "",
        "confidence": 0.95, "draws": 300, "calls": 200, "unanswered": 0, "estimated": 0, "ratios": RATIOS, "strata": [],
    }  # fmt: skip
    return {**plain, **changes}


@pytest.fixture
def calibration(tmp_path: Path) -> Write:
    """Writes a calibration, with the verdict of its run beside it; returns the run's folder."""

    def write(found: dict[str, Any], verdict: str | None = None, name: str = "run") -> str:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "calibration.json").write_text(json.dumps(found), encoding="utf-8")
        if verdict:
            (folder / "verdict.json").write_text(json.dumps({"verdict": verdict}), encoding="utf-8")
        return str(folder)

    return write


@pytest.fixture
def log(tmp_path: Path) -> str:
    """One o3 call: 800,000 fresh and 200,000 cached tokens in, 100,000 visible and 50,000 hidden out."""
    call = {
        "timestamp": "2026-10-01T10:00:00Z", "model": "o3", "provider": "openai", "input_tokens": 1_000_000,
        "cached_input_tokens": 200_000, "output_tokens": 150_000, "reasoning_tokens": 50_000,
    }  # fmt: skip
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(call) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def target(llmmigrate: Run, log: str) -> Callable[..., dict[str, Any]]:
    def ask(*options: str) -> dict[str, Any]:
        outcome = llmmigrate("estimate", log, "--as-of", NOW, "--format", "json", *options)
        assert 0 == outcome.code, outcome.err
        (found,) = json.loads(outcome.out)["targets"]
        assert isinstance(found, dict)
        return found

    return ask


def by_hand(input_ratio: str, output_ratio: str, cached: str = "0.2") -> Decimal:
    """GLM-5 costs 1.00 for fresh input, 0.20 for cached reads and 3.20 for output, per million tokens."""
    prompt = Decimal(input_ratio) * (1 - Decimal(cached) + Decimal(cached) * Decimal("0.2"))
    return prompt + Decimal(output_ratio) * Decimal("0.15") * Decimal("3.2")


def costs(row: dict[str, Any]) -> list[Decimal]:
    return [Decimal(row[name]) for name in ("cost", "low", "high")]


def test_input_and_output_have_ratios_of_their_own(target: Callable[..., Any], calibration: Write) -> None:
    found = target("--to", "zai/glm-5", "--calibration", calibration(document()))
    assert costs(found) == [by_hand("1.1", "1.5"), by_hand("1.05", "1.2"), by_hand("1.15", "1.8")]
    assert "interval95" == found["range_kind"]


def test_a_target_that_bills_reasoning_apart_needs_the_ratio_of_reasoning(
    llmmigrate: Run, log: str, calibration: Write
) -> None:
    """qwen-plus costs 0.40 for input, 4.00 for hidden output, 1.20 to 4.00 for visible output: the middle is shown."""
    target = "dashscope-intl/qwen-plus"
    split = calibration(document(target=target), name="split")
    whole = {kind: RATIOS[kind] for kind in ("input", "output")}
    joint = calibration(document(target=target, ratios=whole), name="joint")
    found = {}
    for name, run in (("split", split), ("joint", joint)):
        options = ["--to", target, "--calibration", run, "--as-of", NOW, "--format", "json"]
        (found[name],) = json.loads(llmmigrate("estimate", log, *options).out)["targets"]
    hand = Decimal("1.1") * Decimal("0.4") + Decimal("0.08") * Decimal("2.6") + Decimal("0.15") * Decimal("4")
    assert (hand, "interval95") == (Decimal(found["split"]["cost"]), found["split"]["range_kind"])
    assert "assumed" == found["joint"]["range_kind"]


def test_a_calibration_names_its_own_target(target: Callable[..., Any], calibration: Write) -> None:
    assert "zai/glm-5" == target("--calibration", calibration(document()))["to"]


def test_without_one_the_range_is_assumed(target: Callable[..., Any]) -> None:
    found = target("--to", "zai/glm-5")
    assert ("assumed", []) == (found["range_kind"], found["calibrations"])


def test_a_measured_cache_is_used_on_request_only(target: Callable[..., Any], calibration: Write) -> None:
    run = calibration(document())
    as_logged, measured = (target("--calibration", run, "--cache", cache) for cache in ("same", "measured"))
    assert by_hand("1.1", "1.5") == Decimal(as_logged["cost"])
    assert costs(measured) == [
        by_hand("1.1", "1.5", "0.1"), by_hand("1.05", "1.2", "0.2"), by_hand("1.15", "1.8", "0"),
    ]  # fmt: skip


def test_a_cache_that_is_given_is_used(target: Callable[..., Any], calibration: Write) -> None:
    found = target("--to", "zai/glm-5", "--calibration", calibration(document()), "--cache", "none")
    assert by_hand("1.1", "1.5", "0") == Decimal(found["cost"])


def test_every_measured_ratio_is_listed_with_its_interval(target: Callable[..., Any], calibration: Write) -> None:
    found = target("--to", "zai/glm-5", "--calibration", calibration(document()))
    listed = {entry["name"]: (entry["value"], entry["low"], entry["high"]) for entry in found["assumptions"]}
    assert {"input_ratio": ("1.1", "1.05", "1.15"), "output_ratio": ("1.5", "1.2", "1.8")}.items() <= listed.items()
    assert not {"token_ratio", "verbosity", "reasoning"} & listed.keys()


def test_another_target_beside_it_stays_assumed(llmmigrate: Run, log: str, calibration: Write) -> None:
    run = calibration(document())
    options = ["--to", "zai/glm-5", "--to", "openai/gpt-4o", "--calibration", run, "--format", "json", "--as-of", NOW]
    rows = json.loads(llmmigrate("estimate", log, *options).out)["targets"]
    assert {"zai/glm-5": "interval95", "openai/gpt-4o": "assumed"} == {row["to"]: row["range_kind"] for row in rows}


def test_an_undecided_run_is_used_and_said(llmmigrate: Run, log: str, calibration: Write) -> None:
    outcome = llmmigrate("estimate", log, "--calibration", calibration(document(), "INCONCLUSIVE"), "--as-of", NOW)
    assert 0 == outcome.code
    assert "note: zai/glm-5: the calibration is of a run that ended INCONCLUSIVE." in outcome.out
    assert "95 % interval" in outcome.out


def test_an_approximate_interval_is_called_so(llmmigrate: Run, log: str, calibration: Write) -> None:
    rough = {**RATIOS, "output": ratio(1.5, 0.9, 2.1, sigma=0.9, approximate=True)}
    outcome = llmmigrate("estimate", log, "--calibration", calibration(document(ratios=rough)), "--as-of", NOW)
    assert "the 95 % interval is approximate" in outcome.out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"current": "openai/gpt-4o"}, "the log has no call of openai/gpt-4o"),
        ({"target": "zai/glm-4.6"}, "no target is zai/glm-4.6"),
    ],
)
def test_a_calibration_of_other_models_is_refused(
    llmmigrate: Run, log: str, calibration: Write, changes: dict[str, str], words: str
) -> None:
    outcome = llmmigrate("estimate", log, "--to", "zai/glm-5", "--calibration", calibration(document(**changes)))
    assert (2, "") == (outcome.code, outcome.out)
    assert words in outcome.err


def test_calibrations_that_contradict_each_other_are_refused(llmmigrate: Run, log: str, calibration: Write) -> None:
    other = {**RATIOS, "input": ratio(1.4, 1.3, 1.5)}
    runs = [calibration(document(), name="one"), calibration(document(ratios=other), name="two")]
    outcome = llmmigrate("estimate", log, "--calibration", runs[0], "--calibration", runs[1])
    assert 2 == outcome.code
    assert "contradict each other" in outcome.err
    assert "input 1.05 … 1.15 against 1.3 … 1.5" in outcome.err


def test_a_run_is_found_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / ".llmmigrate" / "runs" / "2026-11-20T10-00Z"
    folder.mkdir(parents=True)
    (folder / "calibration.json").write_text(json.dumps(document()), encoding="utf-8")
    assert "openai/o3" == load_calibration("2026-11-20T10-00Z", tmp_path).source


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", InputError),
        ("[]", InputError),
        (json.dumps({**document(), "schema": "llmmigrate.estimate/1"}), InputError),
        (json.dumps(document(ratios={**RATIOS, "input": ratio(1, 1.1, 1.2)})), InputError),
        (json.dumps(document(ratios={"input": ratio(1, 1, 1)})), InputError),
    ],
)
def test_what_is_no_calibration_is_refused(tmp_path: Path, text: str, error: type[Exception]) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(error):
        load_calibration(str(path))


def test_a_missing_calibration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no calibration at nothing"):
        load_calibration("nothing", tmp_path)
