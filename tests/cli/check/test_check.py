"""`check` as continuous integration uses it: exit codes, documents, prices alone."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from tests.cli.check.project import CONTRACT, Run, document, log
from tests.conftest import ROOT


def test_like_traffic_passes_and_longer_answers_fail(llmmigrate: Run, baseline: str) -> None:
    same = llmmigrate("check", log("same.jsonl", seed=2))
    assert (same.code, same.out.splitlines()[0]) == (0, "PASS: 2 rules kept.")
    dearer = llmmigrate("check", log("dearer.jsonl", seed=3, longer=1.5))
    assert (dearer.code, dearer.out.splitlines()[0]) == (1, "FAIL: 2 of 2 rules are broken.")
    assert re.search(r"route /summarize, gpt-4\.1: \+1\d\d output tokens a call, [\d.]+ % of the change", dearer.out)


def test_the_same_log_has_no_causes_and_no_empty_table(llmmigrate: Run, baseline: str) -> None:
    out = llmmigrate("check", "base.jsonl").out
    assert re.search(r"\nThe cost is the same to the last digit: \d+\.\d+ USD\.\n", out)
    assert "cause by cause" not in out


def test_the_answer_is_the_same_in_every_format(llmmigrate: Run, baseline: str) -> None:
    dearer = log("dearer.jsonl", seed=3, longer=1.5)
    codes = {name: llmmigrate("check", dearer, "--format", name).code for name in
             ("table", "json", "markdown", "csv", "github", "junit")}  # fmt: skip
    assert set(codes.values()) == {1}
    assert llmmigrate("check", dearer, "--exit-zero").code == 0


def test_json_adds_up_and_names_the_baseline(llmmigrate: Run, baseline: str) -> None:
    from decimal import Decimal

    found = document(llmmigrate("check", log("dearer.jsonl", seed=3, longer=1.5), "--format", "json"))
    difference = found["difference"]
    assert Decimal(difference["difference"]) == sum(Decimal(cause["amount"]) for cause in difference["causes"])
    assert found["baseline"]["created"] == "2026-11-22T12:00:00Z"
    assert (found["verdict"], found["baseline"]["tags"], found["calls"]["priced"]) == ("fail", ["route"], 600)
    spent = document(llmmigrate("analyze", "dearer.jsonl", "--format", "json"))["total"]["cost"]
    assert difference["cost"] == spent


@pytest.mark.parametrize(("words", "name"), [(["same.jsonl"], "check"), (["--prices-only"], "price-check")])
def test_json_is_what_its_schema_says(llmmigrate: Run, baseline: str, words: list[str], name: str) -> None:
    log("same.jsonl", seed=2)
    schema = json.loads((ROOT / "docs" / "schemas" / f"llmmigrate.{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(document(llmmigrate("check", *words, "--format", "json")), schema)


def test_a_rise_that_chance_makes_is_no_failure_and_undecided_when_strict(llmmigrate: Run) -> None:
    log("base.jsonl", seed=1, calls=40, spread=1.2)
    llmmigrate("check", "base.jsonl", "--update-baseline")
    few = log("few.jsonl", seed=8, calls=40, longer=1.4, spread=1.2)
    relaxed, strict = llmmigrate("check", few, "--format", "json"), llmmigrate("check", few, "--strict")
    rules = {rule["measure"]: rule for rule in document(relaxed)["rules"]}
    output = rules["output_tokens_per_call"]
    assert output["change"] > 0.05 > output["low"]
    assert output["result"] == "unclear"
    assert (relaxed.code, strict.code) == (0, 3)
    assert "smallest detectable rise: " in strict.out


def contract(rate: str) -> None:
    """A price table of one's own, and settings that name it."""
    Path("contract.yaml").write_text(CONTRACT.format(rate=rate))
    Path("llmmigrate.yaml").write_text("prices: [./contract.yaml]\n")


def test_what_a_change_of_price_tables_does_to_the_baseline(llmmigrate: Run) -> None:
    contract("2")
    llmmigrate("check", log("base.jsonl", seed=1, provider="acme", model="acme-1"), "--update-baseline")
    assert llmmigrate("check", "--prices-only").code == 0
    contract("4")
    outcome = llmmigrate("check", "--prices-only", "--format", "json")
    found = document(outcome)
    assert (outcome.code, found["verdict"], found["tables_changed"]) == (1, "fail", ["acme"])
    (model,) = found["models"]
    assert float(model["cost_now"]) > 1.2 * float(model["cost_then"])
    Path("contract.yaml").write_text(CONTRACT.format(rate="2").replace("acme-1", "acme-2"))
    lost = llmmigrate("check", "--prices-only")
    assert (lost.code, "unknown" in lost.out) == (3, True)
