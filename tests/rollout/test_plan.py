"""What a migration.yaml may say, and what is said about one that may not."""

import json
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
import yaml
from tests.rollout.conftest import PLAN

from llmmigrate.errors import ConfigError, UnknownNameError
from llmmigrate.rollout.plan import BACK, Plan, load, parse, schema

TWO = 'providers: {current: {base_url: "https://a.test/v1"}, target: {base_url: "https://b.test/v1"}}\n'


def test_what_a_plan_means(plan: Plan) -> None:
    assert plan.chain("target") == ("target", "current", "emergency")
    assert plan.chain("current") == ("current", "emergency")
    assert [(stage.name, stage.part) for stage in plan.stages] == [
        ("shadow", Decimal(0)),
        ("canary", Decimal("0.1")),
        ("half", Decimal("0.5")),
        ("full", Decimal(1)),
    ]
    target = plan.providers.target
    assert (target.endpoint.host, target.endpoint.port, target.endpoint.path) == ("api.z.ai", 443, "/api/paas/v4")
    assert plan.rollback.latency_p95 == Decimal("0.2")


def test_the_way_back_is_a_stage_of_every_plan(plan: Plan) -> None:
    assert plan.stage(BACK).part == 0


def test_a_plan_without_emergency() -> None:
    plan = parse(TWO, "p")
    assert plan.chain("target") == ("target", "current")


def test_weights_are_shares() -> None:
    plan = parse(TWO + "stages: [{name: canary, weights: {current: 95, target: 5}}]", "p")
    assert plan.stage("canary").part == Decimal("0.05")


def test_the_schema_accepts_a_plan_and_refuses_an_unknown_key() -> None:
    document = yaml.safe_load(PLAN)
    jsonschema.validate(document, dict(schema()))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "providrs": {}}, dict(schema()))
    assert json.dumps(schema())


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("provider: {}\n" + TWO, "unknown key 'provider'", "did you mean 'providers'?"),
        ("version: 2\n" + TWO, "version 2 is not known", "version: 1"),
        ("name: x\n", "key 'providers' is missing", None),
        (TWO + "stages: []", "there is no stage", "write stages: [{name: canary, share: 10%}]"),
        (
            TWO + "stages: [{name: a, weights: {current: 80, target: 10}}]",
            "the weights of stage 'a' do not add up",
            "write weights: {current: 90, target: 10}, 100 in all",
        ),
        (
            TWO + "stages: [{name: a}]",
            "stage 'a' needs a share or weights",
            "write share: 10%, or weights: {current: 90, target: 10}",
        ),
        (
            TWO + "stages: [{name: a, share: 50%}, {name: b, share: 10%}]",
            "a later stage gives the target less than an earlier one",
            "order the stages by share; going back is what llmmigrate rollback does",
        ),
        (TWO + "stages: [{name: back, share: 0%}]", "'back' is the name of the way back", None),
        (TWO + "stages: [{name: a, share: 0%}, {name: a, share: 5%}]", "two stages have the same name", None),
        (TWO + "failover: {eject_after: 0}", "failover.eject_after is 0", "write 1 or more"),
        (TWO + "monitoring: {every: 99999999999999d}", "is no time span: write it like 30s, 5m or 24h", None),
        (TWO + "rollback: {latency_p95: 200}", "'200' is no time span: write it like 30s, 5m or 24h", None),
        (TWO + "gateway: {listen: here}", "'here' is no address: write it like 127.0.0.1:8080", None),
        *(
            (TWO + f"gateway: {{{where}: 127.0.0.1:{port}}}", "with a port of 1 to 65535", None)
            for where, port in (("listen", 99999), ("admin", 65536), ("listen", 0))
        ),
        (TWO + "gateway: {kind: envy}", "gateway.kind 'envy' is not known", "did you mean 'envoy'?"),
        (TWO.replace("https://a", "ftp://a"), "'ftp://a.test/v1' is no base URL", None),
        (TWO.replace("a.test", "u:p@a.test"), "'https://u:p@a.test/v1' is no base URL", None),
        (TWO.replace("a.test/v1", "a.test/v1;x"), "'https://a.test/v1;x' is no base URL", None),
        ("", "p is empty", "llmmigrate init --rollout writes one"),
    ],
)
def test_what_is_wrong_is_said(text: str, what: str, fix: str | None) -> None:
    with pytest.raises(ConfigError) as failure:
        parse(text, "p")
    assert what in failure.value.what
    assert fix is None or failure.value.fix == fix


def test_a_key_is_refused_and_not_shown() -> None:
    secret = "sk-" + "a1" * 20
    for value in (secret, f"env:{secret}"):
        with pytest.raises(ConfigError) as failure:
            parse(TWO.replace('"https://a.test/v1"', f'"https://a.test/v1", key: "{value}"'), "p")
        said = f"{failure.value.what}{failure.value.why}{failure.value.fix}{failure.value.where}"
        assert failure.value.fix is not None
        assert failure.value.fix.endswith("write that variable's name: key: env:NAME")
        assert secret not in said


def test_a_key_needs_env() -> None:
    with pytest.raises(ConfigError, match="write env: and the name"):
        parse(TWO.replace('"https://a.test/v1"', '"https://a.test/v1", key: OPENAI_API_KEY'), "p")


@pytest.mark.parametrize("name", ['o3"]=1;os.execute("x")--', "a\\b", "a\nb", "{x}"])
def test_a_model_name_cannot_become_a_program(name: str) -> None:
    text = TWO.replace('"https://b.test/v1"', f'"https://b.test/v1", models: {{{json.dumps(name)}: glm}}')
    with pytest.raises(ConfigError, match="is no plain name"):
        parse(text, "p")


def test_an_unknown_stage_has_a_suggestion(plan: Plan) -> None:
    with pytest.raises(UnknownNameError) as failure:
        plan.stage("canari")
    assert failure.value.fix == "did you mean 'canary'?"


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as failure:
        load(tmp_path / "migration.yaml")
    assert failure.value.fix == "llmmigrate init --rollout writes one"
