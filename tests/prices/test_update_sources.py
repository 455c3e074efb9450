"""What the price libraries say, in our form: the real wheels, and the corners of their formats."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.prices.libraries import genai_json, litellm_wheel, model

from llmmigrate.prices.packages import read_package, snapshot_of
from llmmigrate.prices.rates import rates_of_spec
from llmmigrate.prices.tables import ModelSpec
from llmmigrate.prices.updates import Snapshot, source_named, source_names

Run = Callable[..., Any]
ROOT = Path(__file__).parents[2]
DAY = date(2026, 11, 22)


def snapshot(name: str, path: Path, day: date = DAY) -> Snapshot:
    source = source_named(name)
    return snapshot_of(source, path, read_package(source, path), day)


def models(found: Snapshot, provider: str) -> dict[str, ModelSpec]:
    (table,) = (table for table in found.tables if table.provider == provider)
    return {each.id: each for each in table.models}


def litellm(tmp_path: Path, **said: Any) -> ModelSpec | None:
    """A model of OpenAI as litellm's wheel says it."""
    key = {"litellm_provider": "openai", "mode": "chat", **said}
    other = {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06}
    path = litellm_wheel(tmp_path, "1.0", {"m": key, "other": other})
    return models(snapshot("litellm", path), "openai").get("m")


def rates(found: ModelSpec | None) -> dict[str, str]:
    assert found is not None
    return {name: str(rate) for name, rate in rates_of_spec(found.periods[0]).items()}


def test_both_sources_are_found() -> None:
    assert source_names() == ["genai-prices", "litellm"]


def test_the_imported_layer_is_what_an_update_makes_of_its_snapshot(
    llmmigrate: Run, price_sources: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = {path.name: path.read_text() for path in (ROOT / "pricing" / "imported").glob("*.yaml")}
    (tmp_path / "pricing" / "imported").mkdir(parents=True)
    for path in (ROOT / "pricing").glob("*.yaml"):
        shutil.copy(path, tmp_path / "pricing")
    monkeypatch.chdir(tmp_path)
    only = [word for name in imported for word in ("--provider", name.removesuffix(".yaml"))]
    source = str(price_sources["genai-prices"])
    done = llmmigrate(
        "prices", "update", "--source", "genai-prices", "--from", source, "--observed", "2026-11-09", *only
    )
    assert done.code == 0, done.err
    made = {path.name: path.read_text() for path in (tmp_path / "pricing" / "imported").glob("*.yaml")}
    assert made == imported


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("genai-prices", "o3", {"input": "2", "cache_read": "0.5", "output": "8", "batch input": "1"}),
        ("litellm", "o3", {"input": "2", "cache_read": "0.5", "output": "8", "batch input": "1"}),
        (
            "litellm",
            "gpt-5.4",
            {"input": "2.5", "prompt > 272000, batch output": "11.25"},
        ),
    ],
)
def test_a_real_wheel_says(source: str, name: str, expected: dict[str, str], price_sources: dict[str, Path]) -> None:
    found = rates(models(snapshot(source, price_sources[source]), "openai")[name])
    assert {rate: found[rate] for rate in expected} == expected


def test_deepseek_has_two_prices_a_day_in_both_libraries(price_sources: dict[str, Path]) -> None:
    for source, path in price_sources.items():
        hours = snapshot(source, path).by_clock["deepseek/deepseek-v4-pro"]
        assert (hours.base["input"], hours.peak["input"]) == (Decimal("0.66"), Decimal("1.32"))
        assert (hours.base["output"], hours.peak["output"]) == (Decimal("1.98"), Decimal("3.96"))


def test_a_wheel_and_its_json_say_the_same(price_sources: dict[str, Path], tmp_path: Path) -> None:
    source = source_named("genai-prices")
    package = read_package(source, price_sources["genai-prices"])
    path = tmp_path / "data.json"
    path.write_text(json.dumps(package.data, default=float))
    again = snapshot("genai-prices", path)
    for provider in ("anthropic", "openai"):
        ours = {name: rates(each) for name, each in models(snapshot_of(source, path, package, DAY), provider).items()}
        assert {name: rates(each) for name, each in models(again, provider).items()} == ours


def test_size_tiers_start_dates_and_service_tiers_of_genai_prices(tmp_path: Path) -> None:
    tiered = {"base": 1, "tiers": [{"start": 200000, "price": 2}]}
    dated = [
        {"prices": {"input_mtok": 9, "output_mtok": 9}},
        {"constraint": {"start_date": "2026-11-01"}, "prices": {"input_mtok": tiered, "output_mtok": 4}},
        {"constraint": {"start_date": "2026-12-01"}, "prices": {"input_mtok": 0.5, "output_mtok": 4}},
    ]
    batch = [{"when": {"processing": "batch"}, "prices": {"input_mtok": 0.5}}]
    path = genai_json(tmp_path / "x.json", openai=[{**model("m"), "prices": dated, "price_variants": batch}])
    found = models(snapshot("genai-prices", path), "openai")["m"]
    assert [(each.from_, each.announced) for each in found.periods] == [("2026-11-22", False), ("2026-12-01", True)]
    assert rates(found) == {
        "input": "1",
        "output": "4",
        "batch input": "0.5",
        "batch output": "4",
        "prompt > 200000, input": "2",
        "prompt > 200000, output": "4",
        "prompt > 200000, batch input": "0.5",
        "prompt > 200000, batch output": "4",
    }


def test_a_price_by_the_clock_is_in_no_table(tmp_path: Path) -> None:
    hours = {"constraint": {"start_time": "01:00:00Z", "end_time": "04:00:00Z"}, "prices": {"input_mtok": 2}}
    clocked = {**model("m"), "prices": [{"prices": {"input_mtok": 1}}, hours]}
    found = snapshot("genai-prices", genai_json(tmp_path / "x.json", deepseek=[clocked, model("n")]))
    assert (list(models(found, "deepseek")), found.left_out["deepseek"]) == (["n"], ["m"])
    assert found.by_clock["deepseek/m"].peak == {"input": Decimal(2)}


def test_a_float_of_litellm_loses_its_noise(tmp_path: Path) -> None:
    found = litellm(tmp_path, input_cost_per_token=3.0000000000000004e-07, output_cost_per_token=2.4999999999999998e-06)
    assert rates(found) == {"input": "0.3", "output": "2.5"}


def test_a_zero_of_litellm_that_means_nothing_is_left_out(tmp_path: Path) -> None:
    found = litellm(
        tmp_path, input_cost_per_token=1e-06, output_cost_per_token=2e-06, cache_creation_input_token_cost=0
    )
    assert rates(found) == {"input": "1", "output": "2"}


def test_bands_that_litellm_lists_end_where_its_last_one_ends(tmp_path: Path) -> None:
    bands = [
        {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "range": [0, 32000.0]},
        {"input_cost_per_token": 3e-06, "output_cost_per_token": 4e-06, "range": [32000.0, 128000.0]},
    ]
    found = litellm(tmp_path, tiered_pricing=bands)
    assert rates(found) == {"input": "1", "output": "2", "prompt > 32000, input": "3", "prompt > 32000, output": "4"}
    assert found is not None
    assert found.periods[0].prompt_upto == 128000


@pytest.mark.parametrize(
    "said",
    [
        {"mode": "image_generation", "input_cost_per_token": 1e-06},
        {"input_cost_per_second": 1e-06},
        {"input_cost_per_token": 1e-06, "off_peak_pricing": {"input_cost_per_token": 5e-07}},
    ],
)
def test_what_litellm_does_not_sell_by_the_token_alone_is_left_out(said: dict[str, Any], tmp_path: Path) -> None:
    assert litellm(tmp_path, **said) is None
