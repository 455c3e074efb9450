"""`llmmigrate prices update`: what no price table can hold is left out by name, and the rest is taken."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.prices.libraries import genai_json, genai_wheel, litellm_wheel, model

from llmmigrate.errors import PriceTableError
from llmmigrate.prices.appending import Origin, contents
from llmmigrate.prices.tables import ModelSpec, PeriodSpec, TableSpec
from llmmigrate.prices.updating import Edit

Run = Callable[..., Any]
DAY = "2026-11-20"
SLIP = "input: 0.001 USD per 1M tokens looks like a price of one token, or of 1,000"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795348800")  # 2026-11-22


@pytest.fixture
def whole_set() -> None:
    """A set of tables with none in it, instead of the bundled ones and those of `pricing`."""
    Path("pricing/imported").mkdir(parents=True)


def told(run: Run, name: str, source: Path, *more: str, day: str = DAY) -> tuple[int, dict[str, Any]]:
    """The exit code and the result."""
    done = run(
        "prices", "update", "--source", name, "--from", str(source), "--observed", day, "--format", "json", *more
    )
    return done.code, json.loads(done.out)


def said(rate: float, provider: str = "fireworks_ai") -> dict[str, Any]:
    """A model of litellm at one rate."""
    rates = {"input_cost_per_token": rate, "output_cost_per_token": rate}
    return {"litellm_provider": provider, "mode": "chat", **rates}


def test_a_junk_row_is_left_out_by_name_and_all_others_are_added(llmmigrate: Run, tmp_path: Path) -> None:
    listed = {"fireworks_ai/junk": said(1e-9), "fireworks_ai/good": said(2e-6), "groq/llama-9": said(1e-6, "groq")}
    source = litellm_wheel(tmp_path, "1.0", listed)
    for dry in (["--dry-run"], []):
        code, found = told(llmmigrate, "litellm", source, *dry)
        assert (code, found["refused"]) == (0, [])
        assert sorted(each["model"] for each in found["added"]) == ["fireworks/good", "groq/llama-9"]
        assert found["left"] == [{"model": "fireworks/junk", "why": f"new, but no table can hold it: {SLIP}"}]
    assert "junk" not in Path("pricing/fireworks.yaml").read_text()
    assert "no errors" in llmmigrate("prices", "validate", "pricing/fireworks.yaml", "pricing/groq.yaml").out


@pytest.mark.usefixtures("whole_set")
def test_a_changed_model_is_refused_by_name_and_left_alone_where_it_is_accepted(
    llmmigrate: Run, tmp_path: Path
) -> None:
    """The jump is believed when it is accepted; a rate in a wrong unit cannot be written even then."""
    before = [model("grok-9", 0.004, 0.004), model("grok-8", 1)]
    assert told(llmmigrate, "genai-prices", genai_json(tmp_path / "a.json", x_ai=before), day="2026-11-01")[0] == 0
    source = genai_json(tmp_path / "b.json", x_ai=[model("grok-9", 0.001, 0.001), model("grok-8", 1.5)])
    code, found = told(llmmigrate, "genai-prices", source)
    assert (code, found["refused"]) == (2, [{"model": "x-ai/grok-9", "why": f"no table can hold it: {SLIP}"}])
    assert [each["model"] for each in found["changed"]] == ["x-ai/grok-8"]
    code, found = told(llmmigrate, "genai-prices", source, "--accept", "x-ai/grok-9")
    assert (code, found["refused"], [each["model"] for each in found["changed"]]) == (0, [], ["x-ai/grok-8"])
    assert found["left"] == [{"model": "x-ai/grok-9", "why": f"accepted, but no table can hold it: {SLIP}"}]
    assert '"0.001"' not in Path("pricing/imported/x-ai.yaml").read_text()


@pytest.mark.usefixtures("whole_set")
def test_an_accepted_jump_that_a_table_takes_for_a_slip_is_left_alone(llmmigrate: Run, tmp_path: Path) -> None:
    assert (
        told(llmmigrate, "genai-prices", genai_json(tmp_path / "a.json", x_ai=[model("g")]), day="2026-11-01")[0] == 0
    )
    source = genai_json(tmp_path / "b.json", x_ai=[model("g", 2000)])
    code, found = told(llmmigrate, "genai-prices", source, "--accept", "*")
    assert (code, found["changed"]) == (0, [])
    assert "input: 2000 after 2 is a change by 200 times or more" in found["left"][0]["why"]


@pytest.mark.usefixtures("whole_set")
def test_a_price_that_ends_on_a_later_day_is_refused_by_name(llmmigrate: Run, tmp_path: Path) -> None:
    Path("pricing/zai.yaml").write_text(
        "schema: 1\nprovider: zai\ncurrency: USD\nmodels:\n  - id: glm-9\n    periods:\n      - from: 2026-01-01\n"
        '        to: 2026-12-31\n        per_mtok: {input: "1", output: "4"}\n        source: "A: a contract"\n'
    )
    source = genai_json(tmp_path / "a.json", zai=[model("glm-9", 2, 4)])
    code, found = told(llmmigrate, "genai-prices", source)
    assert (code, [each["model"] for each in found["refused"]]) == (2, ["zai/glm-9"])
    assert "overlaps the period from 2026-01-01" in found["refused"][0]["why"]


@pytest.mark.usefixtures("whole_set")
def test_two_new_models_of_one_name_are_no_end_of_the_update(llmmigrate: Run, tmp_path: Path) -> None:
    source = genai_wheel(tmp_path, "1.0", x_ai=[model("grok-9"), model("GROK-9", 3), model("grok-8")])
    code, found = told(llmmigrate, "genai-prices", source)
    assert (code, [each["model"] for each in found["added"]]) == (0, ["x-ai/grok-9", "x-ai/grok-8"])
    assert found["left"][0]["model"] == "x-ai/GROK-9"
    assert "is already a name of grok-9" in found["left"][0]["why"]


@pytest.mark.parametrize("is_there", [True, False])
def test_an_error_of_the_finished_file_names_no_file_that_nobody_has(tmp_path: Path, *, is_there: bool) -> None:
    table = TableSpec(schema=1, provider="acme", currency="USD", models=[])
    path = tmp_path / "acme.yaml"
    if is_there:
        path.write_text("schema: 1\nprovider: acme\ncurrency: USD\nmodels:\n  - {id: one, periods: []}\n")
    period = PeriodSpec(from_=DAY, per_mtok={"input": Decimal(1)}, source="C")
    edit = Edit(table, {}, [ModelSpec(id="two", periods=[period])], [])
    with pytest.raises(PriceTableError) as caught:
        contents(tmp_path, {"acme": edit}, Origin("x", "1", "", "", date.fromisoformat(DAY)))
    assert "the table of acme would be unusable after the update: source: 'C' names no source" in caught.value.what
    where = caught.value.where
    assert (where.path if where else None) == (str(path) if is_there else None)
