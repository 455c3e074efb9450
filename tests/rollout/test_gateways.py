"""Every gateway that there is: what its files hold, and that the gateway itself accepts them."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from tests.rollout.conftest import PLAN

from llmmigrate import registry
from llmmigrate.errors import GatewayError, UnknownNameError
from llmmigrate.rollout import MODEL, ROOM, STATUSES
from llmmigrate.rollout.drill.faults import FAULTS
from llmmigrate.rollout.emission import config_hash, emit, gateway_of
from llmmigrate.rollout.plan import Plan, parse
from llmmigrate.rollout.process import check

GATEWAYS = registry.names(ROOM)
CHECKED = [name for name in GATEWAYS if (program := gateway_of(name).PROGRAM) is not None and program.validate]
PLANS = {
    "three": PLAN,
    "sticky": PLAN + "sticky: x-user-id\n",
    "two": 'providers: {current: {base_url: "http://127.0.0.1:9/v1"}, target: {base_url: "http://127.0.0.1:8/v1"}}\n',
}


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_change_of_stage_changes_one_file(name: str, plan: Plan) -> None:
    gateway = gateway_of(name)
    shares = [Decimal(0), Decimal("0.001"), Decimal("0.1"), Decimal("0.5"), Decimal(1)]
    emitted = [gateway.files(plan, share) for share in shares]
    assert len({files[gateway.STAGE_FILE] for files in emitted}) == len(shares)
    for files in emitted:
        assert {**files, gateway.STAGE_FILE: ""} == {**emitted[0], gateway.STAGE_FILE: ""}


@pytest.mark.parametrize("name", GATEWAYS)
def test_an_emission_has_every_stage_the_way_back_and_findings(name: str, plan: Plan) -> None:
    emission = emit(plan, name, "canary")
    stage_file = gateway_of(name).STAGE_FILE
    for stage in ("shadow", "canary", "half", "full", "back"):
        assert f"stages/{stage}/{stage_file}" in emission.files
    assert emission.files[stage_file] == emission.files[f"stages/canary/{stage_file}"]
    assert emission.files[f"stages/back/{stage_file}"] == emission.files[f"stages/shadow/{stage_file}"]
    assert len(emission.files["ROLLBACK.md"].splitlines()) == 5
    listed = json.loads(emission.files["findings.json"])["findings"]
    assert {item["status"] for item in listed} <= set(STATUSES)
    assert {fault for item in listed for fault in item["faults"]} <= {*FAULTS, MODEL}


def test_forward_by_hand_tells_a_running_haproxy_the_share_of_its_stage(plan: Plan) -> None:
    text = emit(plan, "haproxy", "canary", own=False).files["ROLLBACK.md"]
    assert re.findall(r"set map share\.map (share \d+)", text) == ["share 0", "share 1000"]


def test_commands_of_the_way_back_can_be_pasted(plan: Plan) -> None:
    text = emit(plan, "envoy", "canary", plan_name="mein plan.yaml").files["ROLLBACK.md"]
    assert "`llmmigrate rollback 'mein plan.yaml' --reason" in text
    assert "`llmmigrate rollout stage 'mein plan.yaml' canary --release`" in text


@pytest.mark.parametrize("name", GATEWAYS)
def test_no_value_of_a_key_is_written(name: str, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-openai")
    monkeypatch.setenv("ZAI_API_KEY", "secret-of-zai")
    text = "".join(emit(plan, name, "canary").files.values())
    assert "secret-of" not in text
    assert "ZAI_API_KEY" in text


def test_who_has_a_check_of_its_own() -> None:
    """LiteLLM has none: it is started with its files in other tests; nor have files that nothing here reads."""
    assert CHECKED == ["envoy", "haproxy", "nginx"]


@pytest.mark.parametrize("name", CHECKED)
@pytest.mark.parametrize("which", PLANS)
@pytest.mark.parametrize("stage", ["canary", "full", "back"])
def test_the_gateway_accepts_the_files(
    name: str, which: str, stage: str, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    program = gateway_of(name).PROGRAM
    assert program is not None
    needs(name)
    for file, text in emit(parse(PLANS[which], "p"), name, stage).files.items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    check(program, tmp_path)


def test_the_hash_is_of_what_a_drill_proves(plan: Plan) -> None:
    watched_otherwise = parse(PLAN.replace("every: 30s", "every: 20s"), "p")
    failing_over_otherwise = parse(PLAN + "failover: {eject_after: 4}\n", "p")
    for name in ("envoy", "nginx"):
        assert config_hash(plan, name) == config_hash(watched_otherwise, name)
        assert config_hash(plan, name) != config_hash(failing_over_otherwise, name)


def test_an_unknown_gateway_has_a_suggestion() -> None:
    with pytest.raises(UnknownNameError) as failure:
        gateway_of("envy")
    assert (failure.value.what, failure.value.fix) == ("unknown rollout gateway 'envy'", "did you mean 'envoy'?")


def test_envoys_times_are_said_to_be_of_whole_answers(plan: Plan) -> None:
    found = {each.requirement: each for each in gateway_of("envoy").findings(plan)}["metrics"]
    assert (found.status, "whole answers" in found.message) == ("approximate", True)


def test_litellm_refuses_a_plan_without_models_whose_fallbacks_would_ask_for_a_star() -> None:
    with pytest.raises(GatewayError) as failure:
        emit(parse(PLANS["two"], "p"), "litellm", "canary")
    assert failure.value.what == "LiteLLM needs the names of the models that callers use"
    assert "models: {o3: glm-5}" in (failure.value.fix or "")
    named = PLANS["two"].replace("target: {", "target: {models: {o3: o3}, ")
    assert "*" not in emit(parse(named, "p"), "litellm", "canary").files["config.yaml"]


@pytest.mark.parametrize("name", [name for name in GATEWAYS if name != "env"])
@pytest.mark.parametrize("said", ["0.005", "12.3456", "99.999"])
def test_a_share_that_no_gateway_can_draw_is_refused(name: str, said: str, plan: Plan) -> None:
    with pytest.raises(GatewayError) as failure:
        gateway_of(name).files(plan, Decimal(said) / 100)
    assert failure.value.what == f"a share of {said} % cannot be set"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("envoy", '"weight": 1\n'),
        ("nginx", " 0.01% chain_target;"),
        ("haproxy", "share 1\n"),
        ("litellm", '"parts": 1,'),
        ("httproute", "weight: 1\n"),
    ],
)
def test_the_smallest_share_is_written_as_it_is(name: str, text: str, plan: Plan) -> None:
    gateway = gateway_of(name)
    assert text in gateway.files(plan, Decimal("0.0001"))[gateway.STAGE_FILE]
