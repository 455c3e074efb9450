"""`llmmigrate.yaml`: what it may say, where it is found, what overrides it, and what is refused."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate import config
from llmmigrate.config import Check, Config, Flag, HardwarePrice, Provider, ReportSettings, Shadow, Side
from llmmigrate.errors import ConfigError
from llmmigrate.quantities import Amount, Limit

EXAMPLE = """\
version: 1
logs: [logs/*.jsonl]
from: {provider: openai, model: o3}
to: {provider: zai, model: glm-5}
providers:
  openai: {base_url: https://api.openai.com/v1, api_key_env: OPENAI_API_KEY, dialect: openai-chat, rpm: 600, tpm: 2M}
  local: {base_url: http://127.0.0.1:8000/v1, api_key_env: LLMMIGRATE_LOCAL_KEY, dialect: openai-chat, price: zero}
  own: {price: {gpu_hour_usd: 2.60, gpus: 8}, concurrency: 16}
map: {o3: glm-5, gpt-4.1-mini: keep}
aliases: {my-deployment: openai/gpt-4o-2024-08-06}
prices: [./contract.yaml]
discounts: {openai: 12%}
shadow:
  {canary: 10%, max_cost: 25 USD, seed: 7, gates: {errors: "<= +1pt", latency_p95: "<= 1.2x", agreement: ">= -5pt"}}
check: {cost_per_1000_calls: "<= +5%", output_tokens_per_call: "<= +5%", unpriced_calls: 0}
report: {one_off_cost: 8000 USD, horizon: 24 months, discount: 8%}
"""
SCHEMA_FILE = Path(__file__).parent.parent / "docs" / "schemas" / "llmmigrate.config.schema.json"
RISE_OF_5 = Limit("<=", Decimal(5), "%", change=True)


def load(text: str, directory: Path, **more: Any) -> config.Settings:
    path = directory / "llmmigrate.yaml"
    path.write_text(text)
    return config.load(directory=directory, **more)


def test_the_example_in_full(tmp_path: Path) -> None:
    assert load(EXAMPLE, tmp_path).config == Config(
        logs=("logs/*.jsonl",),
        from_=Side(provider="openai", model="o3"),
        to=Side(provider="zai", model="glm-5"),
        providers={
            "openai": Provider(
                base_url="https://api.openai.com/v1",
                api_key_env="OPENAI_API_KEY",
                dialect="openai-chat",
                rpm=600,
                tpm=2_000_000,
            ),
            "local": Provider(
                base_url="http://127.0.0.1:8000/v1",
                api_key_env="LLMMIGRATE_LOCAL_KEY",
                dialect="openai-chat",
                price="zero",
            ),
            "own": Provider(price=HardwarePrice(gpu_hour_usd=Decimal("2.60"), gpus=8), concurrency=16),
        },
        map={"o3": "glm-5", "gpt-4.1-mini": "keep"},
        aliases={"my-deployment": "openai/gpt-4o-2024-08-06"},
        prices=("./contract.yaml",),
        discounts={"openai": Decimal("0.12")},
        shadow=Shadow(
            canary=Decimal("0.1"),
            max_cost=Amount(Decimal(25), "USD"),
            seed=7,
            gates={
                "errors": Limit("<=", Decimal(1), "pt", change=True),
                "latency_p95": Limit("<=", Decimal("1.2"), "x", change=True),
                "agreement": Limit(">=", Decimal(-5), "pt", change=True),
            },
        ),
        check=Check(
            cost_per_1000_calls=RISE_OF_5,
            output_tokens_per_call=RISE_OF_5,
            unpriced_calls=Limit("<=", Decimal(0), "", change=False),
        ),
        report=ReportSettings(one_off_cost=Amount(Decimal(8000), "USD"), horizon=24, discount=Decimal("0.08")),
    )


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    found = config.load(directory=tmp_path)
    assert (found.config, found.origins, found.path) == (Config(), {}, None)


@pytest.mark.parametrize("text", ["", "# nothing\n", "logs:\nshadow:\n  canary: ~\n"])
def test_what_is_empty_is_as_good_as_absent(tmp_path: Path, text: str) -> None:
    assert load(text, tmp_path).config == Config()


def test_the_nearest_file_upwards_is_used(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "llmmigrate.yaml").write_text("logs: [far]\n")
    (tmp_path / "a" / "llmmigrate.yaml").write_text("logs: [near]\n")
    found = config.load(directory=deep)
    assert found.config.logs == ("near",)
    assert found.resolve("near") == tmp_path / "a" / "near"


def test_the_environment_wins_over_the_file_and_a_flag_over_both(tmp_path: Path) -> None:
    environment = {"LLMMIGRATE_SHADOW_CANARY": "20%", "LLMMIGRATE_SHADOW_SEED": "8", "LLMMIGRATE_LOGS": "[a, b]"}
    found = load(EXAMPLE, tmp_path, environment=environment, flags={"shadow.seed": Flag(9, "--seed")})
    assert (found.config.shadow.canary, found.config.shadow.seed, found.config.logs) == (Decimal("0.2"), 9, ("a", "b"))
    assert found.config.shadow.max_cost == Amount(Decimal(25), "USD")
    origins = [found.origins[key] for key in ("shadow.canary", "shadow.seed", "shadow.max_cost", "report.discount")]
    assert origins == ["LLMMIGRATE_SHADOW_CANARY", "--seed", "llmmigrate.yaml:14", "llmmigrate.yaml:16"]


def test_variables_that_are_no_settings_are_left_alone(tmp_path: Path) -> None:
    assert load("", tmp_path, environment={"LLMMIGRATE_LOCAL_KEY": "sk-" + "a" * 30}).config == Config()


@pytest.mark.parametrize(
    ("text", "place", "what", "fix"),
    [
        ("\nlgos: [x]", "2:1", "unknown key 'lgos'", "did you mean 'logs'?"),
        ("providers: {a: {base_ulr: x}}", "1:17", "unknown key 'base_ulr'", "did you mean 'base_url'?"),
        ("providers: {a: {dialect: openai}}", "1:26", "'openai' is not known here", "did you mean 'openai-chat'?"),
        ("providers: {a: {price: {gpus: 8}}}", "1:24", "key 'gpu_hour_usd' is missing", None),
        ("providers: {a: {rpm: -5}}", "1:22", "'-5' is no whole number: write it like 600 or 2M", None),
        ("shadow:\n  canary: 10", "2:11", "'10' is ambiguous: write 10% or a fraction below 1", None),
        (
            "providers: {a: {price: {gpu_hour_usd: 1, gpus: x}}}",
            "1:48",
            "'x' is not a whole number",
            "write a whole number",
        ),
        ("shadow: {seed: x}", "1:16", "'x' is no whole number: write it like 600 or 2M", None),
        ("shadow: {seed: -3}", "1:16", "'-3' is no whole number: write it like 600 or 2M", None),
        ("discounts: {openai: 120%}", "1:21", "'120%' is not between 0% and 100%", None),
        ("logs: x", "1:7", "a list is expected here", "write [a, b]"),
        ("from: openai/o3", "1:7", "keys and values are expected here", "write key: value"),
        ("map: {a: {b: c}}", "1:10", "a single value is expected here", None),
        ("logs: [a]\nlogs: [b]", "2:1", "key 'logs' is given twice", "keep one of them"),
        ("version: 2", "1:10", "version 2 is not known", "version: 1"),
        ("a: [", "2:1", "this is not YAML", None),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, text: str, place: str, what: str, fix: str | None
) -> None:
    with pytest.raises(ConfigError) as error:
        load(text, tmp_path)
    found = error.value
    assert (found.what, str(found.where), found.fix) == (what, f"{tmp_path / 'llmmigrate.yaml'}:{place}", fix)


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        config.load(directory=tmp_path, environment={"LLMMIGRATE_REPORT_HORIZON": "soon"})
    assert str(error.value.where) == "LLMMIGRATE_REPORT_HORIZON:1:1"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop1234",
        "sk-ant-api03-abcdefghijklmnop",
        "AIzaSyA-1234567890abcdefghijklmnopqrstu",
        "0123456789abcdef0123456789abcdef.AbCdEfGhIjKlMnOp",
        "gsk_abcdefghijklmnop1234",
    ],
)
@pytest.mark.parametrize(
    "line",
    [
        "to: {api_key_env: SECRET}",
        "to: {api_key: SECRET}",
        "aliases: {SECRET: x}",
        "logs: ['https://x/?key=SECRET']",
        "a: [SECRET",
    ],
)
def test_a_key_is_refused_and_never_shown(tmp_path: Path, line: str, secret: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(line.replace("SECRET", secret), tmp_path)
    found = error.value
    told = [found.what, found.why, found.fix, str(found.where), found.where and found.where.text]
    assert [text for text in told if text and secret[:12] in text] == []


@pytest.mark.parametrize(
    "name", ["sk-small", "ft:gpt-4o-2024-08-06:my-org::abc123", "fw-production-deployment-one", "deepseek-v4-flash"]
)
def test_a_model_name_is_no_key(tmp_path: Path, name: str) -> None:
    assert load(f"to: {{provider: x, model: '{name}'}}", tmp_path).config.to == Side(provider="x", model=name)


def test_names_are_texts_whatever_yaml_thinks(tmp_path: Path) -> None:
    found = load("map: {no: yes, 3.5: 2026-01-01, on: 010}", tmp_path).config.map
    assert found == {"no": "yes", "3.5": "2026-01-01", "on": "010"}


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        config.load(directory=tmp_path, path=tmp_path / "other.yaml")


def test_every_setting_is_listed_once_with_its_origin(tmp_path: Path) -> None:
    rows = config.listing(load(EXAMPLE, tmp_path))
    assert len({key for key, _, _ in rows}) == len(rows)
    assert ("shadow.max_cost", "25 USD", "llmmigrate.yaml:14") in rows
    assert ("to.base_url", "none", "default") in rows


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_settings_or_a_config_error(text: str) -> None:
    from llmmigrate.typed_yaml import Source, compose

    source = Source(text, "x")
    try:
        node = compose(source)
        if node is not None:
            config._collect(node, Config, "", source)
    except ConfigError as error:
        assert error.what


def test_the_schema_in_the_documents_is_current() -> None:
    assert json.loads(SCHEMA_FILE.read_text()) == config.schema()


def test_the_schema_accepts_the_example() -> None:
    jsonschema.Draft202012Validator.check_schema(config.schema())
    jsonschema.validate(yaml.safe_load(EXAMPLE), config.schema())


@pytest.mark.parametrize(
    "text", ["lgos: []", "to: {api_key: x}", "logs: x", "shadow: {canary: [x]}", "providers: {a: {price: 3}}"]
)
def test_the_schema_refuses_what_the_loader_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), config.schema())


def test_the_example_in_the_documents_loads(tmp_path: Path) -> None:
    document = (SCHEMA_FILE.parent.parent / "configuration.md").read_text()
    example = document.split("```yaml\n")[1].split("```")[0]
    assert load(example, tmp_path).config.to == Side(provider="zai", model="glm-5")
