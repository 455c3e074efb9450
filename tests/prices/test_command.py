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


OWN = """\
schema: 1
provider: acme
currency: {currency}
{head}
models:
  - id: {model}
    periods:
      - from: 2026-01-01
        per_mtok: {{input: "{rate}"}}
        source: "A: our contract"
"""


def held_against_the_others(llmmigrate: Run, **fields: str) -> tuple[int, str]:
    """What `prices validate` says of one file that is given by name: exit code and output in one line."""
    whole = {"currency": "USD", "head": "note: ours", "model": "gpt-4o", "rate": "2.50", **fields}
    Path("contract.yaml").write_text(OWN.format(**whole))
    done = llmmigrate("prices", "validate", "contract.yaml")
    return done.code, " ".join(done.out.split())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"head": "prefixes: [OpenAI]"}, "contract.yaml:4:"),
        ({"head": "prefixes: [OpenAI]"}, "the prefix 'OpenAI' of acme is already one of openai"),
        ({"rate": "0.0025"}, "input: 0.0025 is a change by 200 times or more from what other tables ask"),
        ({"rate": "2500", "model": "openai/gpt-4o"}, "input: 2500 is a change by 200 times or more from what other"),
    ],
)
def test_a_named_file_is_held_against_the_bundled_tables(llmmigrate: Run, fields: dict[str, str], words: str) -> None:
    code, out = held_against_the_others(llmmigrate, **fields)
    assert (code, words in out) == (1, True), out


@pytest.mark.parametrize(
    "fields", [{}, {"rate": "0.05"}, {"rate": "0"}, {"model": "acme-1", "rate": "0.0025"}, {"head": "prefixes: [acm]"}]
)
def test_a_contract_beside_the_bundled_tables_has_no_fault(llmmigrate: Run, fields: dict[str, str]) -> None:
    code, out = held_against_the_others(llmmigrate, **fields)
    assert (code, "no errors, 0 notes" in out) == (0, True), out


def test_a_bare_name_of_a_named_file_is_searched_for_in_order(llmmigrate: Run) -> None:
    code, out = held_against_the_others(llmmigrate, head="bare_names: true")
    assert (code, "'gpt-4o' without a provider means openai, not acme" in out) == (0, True), out


def test_a_named_file_is_held_against_those_of_the_settings(llmmigrate: Run) -> None:
    Path("llmmigrate.yaml").write_text("prices: [other.yaml, broken.yaml]\n")
    Path("broken.yaml").write_text("schema: [")
    other = OWN.replace("acme", "umbrella").format(currency="USD", head="prefixes: [acm]", model="u-1", rate="1")
    Path("other.yaml").write_text(other)
    code, out = held_against_the_others(llmmigrate, head="prefixes: [acm]")
    assert (code, "the prefix 'acm' of acme is already one of umbrella" in out) == (1, True), out


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
