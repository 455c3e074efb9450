"""`estimate --mix`: the cheapest allowed target for each part, and never one that a result speaks against."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT, Outcome
from tests.costing.test_risks import audit, verdict

Run = Callable[..., Outcome]
CHEAP, NEXT = "zai/glm-4.5-air", "zai/glm-5"
BOTH = ("--to", CHEAP, "--to", NEXT)


@pytest.fixture
def mix(llmmigrate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The mix of a log of two routes: one with o3 and short prompts, one with gpt-4o-mini and long ones."""
    monkeypatch.chdir(tmp_path)
    routes = {
        "/plan": {"model": "o3", "input_tokens": 10_000, "output_tokens": 1_000},
        "/read": {"model": "gpt-4.1", "input_tokens": 150_000, "output_tokens": 100},
    }
    lines = [
        {"timestamp": f"2026-10-{day:02d}T12:00:00Z", "route": route, **call}
        for day in range(1, 21) for route, call in routes.items()
    ]  # fmt: skip
    Path("log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def ask(*options: str) -> dict[str, Any]:
        line = ["estimate", "log.jsonl", "--mix", "--by", "tag.route", "--as-of", "2026-11-22", "--format", "json"]
        outcome = llmmigrate(*line, *options)
        assert 0 == outcome.code, outcome.err
        (found,) = [row for row in json.loads(outcome.out)["targets"] if row["kind"] == "mix"]
        assert isinstance(found, dict)
        return found

    return ask


Mix = Callable[..., dict[str, Any]]


def goes(found: dict[str, Any]) -> dict[str, str]:
    return {group["key"]["tag.route"]: group["to"] for group in found["groups"]}


def refused(found: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {group["key"]["tag.route"]: group["refused"] for group in found["groups"]}


def keep(*results: dict[str, Any]) -> None:
    """Results as they lie in .llmmigrate/."""
    place = Path(".llmmigrate/runs/one")
    place.mkdir(parents=True)
    for number, result in enumerate(results):
        (place / f"{number}.json").write_text(json.dumps(result), encoding="utf-8")


def test_each_part_goes_to_the_cheapest_that_holds_its_prompts(mix: Mix) -> None:
    """glm-4.5-air holds 128,000 tokens: the long prompts go to the next one."""
    assert {"/plan": CHEAP, "/read": NEXT} == goes(mix(*BOTH))


def test_the_parts_add_up(mix: Mix) -> None:
    found = mix(*BOTH)
    for name in ("cost", "low", "high"):
        assert Decimal(found[name]) == sum(Decimal(group[name]) for group in found["groups"])
    now = sum(Decimal(group["current"]) for group in found["groups"])
    assert Decimal(found["saving"]) == now - Decimal(found["cost"])


def test_a_part_stays_where_nothing_is_cheaper(mix: Mix) -> None:
    found = mix("--to", "openai/gpt-5.5")
    assert {"/plan": "stays", "/read": "stays"} == goes(found)
    assert "0" == found["saving"]


def test_a_saved_audit_counts_where_the_log_has_no_requests(mix: Mix) -> None:
    bad = audit(refused={"calls": 1, "cost": "1", "spend_share": 0.1})
    bad["targets"][0]["to"] = CHEAP
    keep(bad)
    found = mix(*BOTH)
    assert {"/plan": NEXT, "/read": NEXT} == goes(found)
    assert {CHEAP: "an audit refuses 1 call (.llmmigrate/runs/one/0.json)"} == refused(found)["/plan"]
    assert {"/plan": 20, "/read": 20} == {g["key"]["tag.route"]: g["not_audited"] for g in found["groups"]}


def test_a_target_that_failed_its_shadow_run_is_never_taken(mix: Mix) -> None:
    keep(verdict("FAIL", target={"name": CHEAP}))
    assert {"/plan": NEXT, "/read": NEXT} == goes(mix(*BOTH))


@pytest.mark.parametrize("way", [("--to", "glm-4.5-air"), ("--map", f"o3={CHEAP}"), ("--map", "o3=glm-4.5-air")])
def test_a_failed_target_is_not_taken_under_another_name_either(mix: Mix, way: tuple[str, str]) -> None:
    assert "stays" != goes(mix(*way))["/plan"]
    keep(verdict("FAIL", target={"name": CHEAP}))
    assert {"/plan": "stays", "/read": "stays"} == goes(mix(*way))


def test_both_refused_leaves_everything_where_it_is(mix: Mix) -> None:
    keep(verdict("FAIL", target={"name": CHEAP}), verdict("FAIL", target={"name": NEXT}))
    assert {"/plan": "stays", "/read": "stays"} == goes(mix(*BOTH))


def test_a_later_run_that_passed_allows_it_again(mix: Mix) -> None:
    keep(
        verdict("FAIL", target={"name": CHEAP}, ended="2026-11-01T00:00:00Z"),
        verdict("PASS", target={"name": CHEAP}, ended="2026-11-02T00:00:00Z"),
    )
    assert {"/plan": CHEAP, "/read": NEXT} == goes(mix(*BOTH))


def test_a_named_result_counts_like_a_found_one(mix: Mix) -> None:
    Path("verdict.json").write_text(json.dumps(verdict("FAIL", target={"name": CHEAP})), encoding="utf-8")
    assert CHEAP not in goes(mix(*BOTH, "--evidence", "verdict.json")).values()


def test_evidence_without_a_mix_is_refused(mix: Mix, llmmigrate: Run) -> None:
    outcome = llmmigrate("estimate", "log.jsonl", "--evidence", "verdict.json")
    assert 2 == outcome.code
    assert "--evidence is for --mix" in outcome.err


def test_the_page_says_where_each_part_goes_and_what_it_saves(mix: Mix, llmmigrate: Run) -> None:
    keep(verdict("FAIL", target={"name": CHEAP}))
    page = llmmigrate("estimate", "log.jsonl", "--mix", "--by", "tag.route", *BOTH).out
    assert "Goes to" in page
    assert f"/plan: not {CHEAP}, the shadow run against openai/o3 ended FAIL" in page
    assert "40 calls move without an audit: the log does not hold their whole requests" in page


CAPTURES = str(ROOT / "samples/captures.jsonl")
FITTING = ("--to", "zai/glm-4.5-air", "--to", "zai/glm-5", "--to", "openai/gpt-4.1-mini")


def test_real_requests_every_part_is_audited_for_itself(llmmigrate: Run, tmp_path: Path) -> None:
    """What the mix says of each route is what `audit` says of that route alone."""
    line = ["estimate", CAPTURES, "--mix", "--by", "tag.route", "--as-of", "2026-11-22", "--format", "json"]
    outcome = llmmigrate(*line, *FITTING)
    assert 0 == outcome.code, outcome.err
    found = next(row for row in json.loads(outcome.out)["targets"] if row["kind"] == "mix")
    verdicts = {(route, to): refused_calls(llmmigrate, route, to) for route in goes(found) for to in FITTING[1::2]}
    assert {0 < calls for calls in verdicts.values()} == {True, False}
    for route, to in goes(found).items():
        assert to == "stays" or verdicts[route, to] == 0
        for other, why in refused(found)[route].items():
            assert verdicts[route, other] > 0
            assert why.startswith(f"the audit refuses {CAPTURES}:")
    assert len(set(goes(found).values())) > 1
    assert {group["not_audited"] for group in found["groups"]} == {0}


def refused_calls(llmmigrate: Run, route: str, to: str) -> int:
    outcome = llmmigrate("audit", CAPTURES, "--to", to, "--where", f"route={route}", "--format", "json")
    (target,) = json.loads(outcome.out)["targets"]
    calls: int = target["verdicts"]["refused"]["calls"]
    assert outcome.code == (1 if calls else 0)
    return calls


def test_a_saved_audit_of_the_whole_log_does_not_speak_for_a_part_that_was_audited(
    llmmigrate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = ["estimate", CAPTURES, "--mix", "--by", "tag.route", *FITTING, "--as-of", "2026-11-22", "--format", "json"]
    before = json.loads(llmmigrate(*line).out)["targets"]
    assert 1 == llmmigrate("audit", CAPTURES, *FITTING, "-o", "audit.json").code
    after = json.loads(llmmigrate(*line, "--evidence", "audit.json").out)["targets"]
    assert before == after


def test_logged_traffic_of_many_models_never_goes_where_its_audit_refuses_it(llmmigrate: Run, data: Path) -> None:
    log = str(data / "formats" / "http_capture_request_response.jsonl")
    line = ["estimate", log, "--mix", "--as-of", "2026-11-22", "--format", "json"]
    found = next(
        row for row in json.loads(llmmigrate(*line, "--to", "zai/glm-5").out)["targets"] if row["kind"] == "mix"
    )
    groups = {group["key"]["model"]: group for group in found["groups"]}
    why = {model: group["refused"]["zai/glm-5"] for model, group in groups.items() if group["refused"]}
    assert why["claude-3-opus-20240229"].endswith("jsonl:17: the target reads no pictures")
    assert why["gpt-4o-2024-08-06"].endswith("the target cannot hold an answer to a schema")
    assert {"stays"} == {groups[model]["to"] for model in why}
    assert "zai/glm-5" == groups["gpt-4-0613"]["to"]
