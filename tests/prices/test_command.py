"""`llmmigrate prices` as people use it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

Run = Callable[..., Any]
SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory without settings."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def document(run: Run, *arguments: str) -> Any:
    return json.loads(run("prices", *arguments, "--format", "json").out)


def test_the_list_has_every_table(llmmigrate: Run) -> None:
    done = llmmigrate("prices", "list")
    assert done.code == 0
    assert all(name in done.out for name in ("openai", "holysheep", "zhipuai", "openrouter", "CNY", "imported"))


def test_the_list_of_a_provider_has_its_models(llmmigrate: Run) -> None:
    models = {item["model"]: item for item in document(llmmigrate, "list", "zai")["models"]}
    assert (models["glm-5"]["input"], models["glm-5"]["output"]) == ("1", "3.2")


def test_a_model_at_a_time(llmmigrate: Run) -> None:
    first = llmmigrate("prices", "show", "openai/o3", "--at", "2025-05-01").out.splitlines()[0]
    assert first == "openai/o3 at 2025-05-01T00:00:00Z: 10.00 input, 40.00 output USD per 1M tokens."


def test_the_relay_at_a_time(llmmigrate: Run) -> None:
    first = llmmigrate("prices", "show", "holysheep/o3", "--at", "2026-11-01").out.splitlines()[0]
    assert first == "holysheep/o3 at 2026-11-01T00:00:00Z: 2.10 input, 8.40 output USD per 1M tokens."


@pytest.mark.parametrize(
    ("at", "in_force"), [("2026-11-18T02:00Z", [True, False]), ("2026-11-18T20:00Z", [False, True])]
)
def test_the_clock_rule_that_holds_is_marked(at: str, in_force: list[bool], llmmigrate: Run) -> None:
    sheet = document(llmmigrate, "show", "deepseek/deepseek-v4-pro", "--at", at)
    assert [row["in_force"] for row in sheet["rows"]] == in_force


def test_what_depends_on_the_size_of_a_call_is_marked_so(llmmigrate: Run) -> None:
    sheet = document(llmmigrate, "show", "google/gemini-2.5-pro", "--at", "2026-11-18")
    assert {row["in_force"] for row in sheet["rows"]} == {None}


def test_an_explanation_names_source_period_and_hash(llmmigrate: Run) -> None:
    out = llmmigrate("prices", "show", "openai/o3", "--at", "2025-12-01", "--explain").out
    assert all(words in out for words in ("period openai/o3@2025-06-10", "langfuse git history", "sha256", "tier flex"))


def test_a_time_without_a_price_is_a_no(llmmigrate: Run) -> None:
    done = llmmigrate("prices", "show", "openai/o3", "--at", "2024-01-01")
    assert (done.code, done.out.splitlines()[0]) == (1, "openai/o3 has no price at 2024-01-01T00:00:00Z.")


def test_an_unknown_model_is_an_error_with_a_suggestion(llmmigrate: Run) -> None:
    done = llmmigrate("prices", "show", "openai/o33")
    assert (done.code, done.out) == (2, "")
    assert "did you mean 'openai/o3'?" in done.err


def test_an_unknown_provider_is_an_error_with_a_suggestion(llmmigrate: Run) -> None:
    done = llmmigrate("prices", "list", "opnai")
    assert done.code == 2
    assert "did you mean 'openai'?" in done.err


def test_the_bundled_tables_are_valid(llmmigrate: Run) -> None:
    assert llmmigrate("prices", "validate").code == 0


def test_an_invalid_table_is_a_no_with_its_place(llmmigrate: Run, elsewhere: Path) -> None:
    (elsewhere / "contract.yaml").write_text("schema: 1\nprovider: acme\ncurency: USD\nmodels: []\n")
    done = llmmigrate("prices", "validate", "contract.yaml")
    assert done.code == 1
    assert "contract.yaml:3:1: unknown key 'curency' (fix: did you mean 'currency'?)" in done.out


def test_a_folder_stands_for_the_tables_in_it(llmmigrate: Run, elsewhere: Path) -> None:
    own = (
        "schema: 1\nprovider: acme\ncurrency: USD\nmodels:\n"
        '  - {id: one, periods: [{from: 2026-01-01, per_mtok: {input: "1"}, source: "A: contract"}]}\n'
    )
    (elsewhere / "own").mkdir()
    done = llmmigrate("prices", "validate", "own")
    assert (done.code, "there is no price table in own" in done.err) == (2, True)
    (elsewhere / "own" / "acme.yaml").write_text(own)
    assert "1 price table, no errors" in llmmigrate("prices", "validate", "own").out
    (elsewhere / "llmmigrate.yaml").write_text("prices: [own]\n")
    assert document(llmmigrate, "show", "acme/one")["layer"] == "user"


def test_settings_bring_in_own_prices(llmmigrate: Run, elsewhere: Path) -> None:
    (elsewhere / "contract.yaml").write_text(
        "schema: 1\nprovider: acme\ncurrency: EUR\nmodels:\n"
        '  - {id: one, periods: [{from: 2026-01-01, per_mtok: {input: "1"}, source: "A: contract"}]}\n'
    )
    (elsewhere / "llmmigrate.yaml").write_text("prices: [./contract.yaml]\ndiscounts: {acme: 12%}\n")
    sheet = document(llmmigrate, "show", "acme/one")
    assert (sheet["currency"], sheet["layer"], sheet["multiplier"]) == ("EUR", "user", "0.88")


@pytest.mark.parametrize(
    ("arguments", "schema"),
    [
        (["list"], "prices"),
        (["list", "openai"], "prices"),
        (["show", "openai/gpt-5.4"], "price"),
        (["show", "openai/o3", "--at", "2020-01-01"], "price"),
        (["validate"], "prices-validation"),
    ],
)
def test_json_fits_its_schema(arguments: list[str], schema: str, llmmigrate: Run) -> None:
    contract = json.loads((SCHEMAS / f"llmmigrate.{schema}.schema.json").read_text())
    jsonschema.Draft202012Validator(contract).validate(document(llmmigrate, *arguments))


@pytest.mark.parametrize("name", ["csv", "markdown"])
def test_other_formats_have_the_rates(name: str, llmmigrate: Run) -> None:
    assert "40" in llmmigrate("prices", "show", "openai/o3", "--at", "2025-05-01", "--format", name).out
