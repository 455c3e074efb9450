"""Our tables, genai-prices and litellm: what a library contradicts is explained, and nothing else is."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from tests.prices.conftest import NOW
from tests.prices.libraries import genai_json, litellm_wheel, model
from tools.price_disagreements import Findings, compare, table

from llmmigrate.errors import ConfigError
from llmmigrate.prices import load_catalog
from llmmigrate.prices.disagreements import Held, held_against, idle
from llmmigrate.prices.explained import Explanations, read_explanations
from llmmigrate.prices.packages import read_package, snapshot_of
from llmmigrate.prices.updates import Snapshot, source_named

OURS = """\
schema: 1
provider: zai
currency: USD
models:
  - {id: glm-9, periods: [{from: 2026-01-01, per_mtok: {input: "1", output: "4"}, source: "A: a test"}]}
"""
EXPLAINED = """\
schema: 1
explained:
  - model: zai/glm-9
    says: {genai-prices: {output: "5"}, litellm: {output: "6"}}
    reason: "both copied an old page"
    source: "A: the page"
    read: 2026-11-22
"""


@pytest.fixture(scope="module")
def found(price_sources: dict[str, Path]) -> Findings:
    return compare(price_sources, date(2026, 11, 22))


def test_nothing_in_our_tables_is_contradicted_without_a_reason(found: Findings) -> None:
    assert [table(Findings([each], []), everything=True) for each in found.unexplained] == []


def test_no_reason_has_outlived_its_contradiction(found: Findings) -> None:
    assert found.idle == []


def test_most_rates_are_held_against_both_libraries(found: Findings) -> None:
    both = [each for each in found.held if all(rate is not None for rate in each.said.values())]
    assert len(both) > 600
    assert any(each.rate == "peak input" and each.model == "deepseek/deepseek-v4-pro" for each in both)


def held(tmp_path: Path, explained: str = "") -> tuple[Held, list[tuple[str, str, str]]]:
    """The output rate of a model that both libraries contradict, and the reasons that explain nothing."""
    (tmp_path / "zai.yaml").write_text(OURS)
    if explained:
        (tmp_path / "explained.yaml").write_text(explained)
    said = {"litellm_provider": "zai", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 6e-06}
    paths = {
        "genai-prices": genai_json(tmp_path / "x.json", zai=[model("glm-9", 1, 5)]),
        "litellm": litellm_wheel(tmp_path, "1.0", {"zai/glm-9": said}),
    }
    snapshots = {name: _snapshot(name, path) for name, path in paths.items()}
    explanations = read_explanations(tmp_path)
    both = held_against(load_catalog(directory=tmp_path), snapshots, NOW, explanations)
    (output,) = (each for each in both if each.rate == "output")
    return output, sorted(idle(both, explanations))


def _snapshot(name: str, path: Path) -> Snapshot:
    source = source_named(name)
    return snapshot_of(source, path, read_package(source, path), date(2026, 11, 22))


def test_a_new_contradiction_is_found(tmp_path: Path) -> None:
    output, _ = held(tmp_path)
    assert (output.ours, output.said) == (Decimal(4), {"genai-prices": Decimal(5), "litellm": Decimal(6)})
    assert (output.by_all, output.unexplained) == (True, True)


def test_a_reason_holds_for_the_figures_that_it_names(tmp_path: Path) -> None:
    assert held(tmp_path, EXPLAINED)[0].unexplained is False
    output, unused = held(tmp_path, EXPLAINED.replace('litellm: {output: "6"}', 'litellm: {output: "7"}'))
    assert (output.unexplained, unused) == (True, [("litellm", "zai/glm-9", "output")])


def test_a_broken_file_of_reasons_is_an_error_with_a_place(tmp_path: Path) -> None:
    (tmp_path / "explained.yaml").write_text(EXPLAINED.replace("reason:", "because:"))
    with pytest.raises(ConfigError) as caught:
        read_explanations(tmp_path)
    assert str(caught.value.where).startswith(str(tmp_path / "explained.yaml"))


def test_no_file_explains_nothing(tmp_path: Path) -> None:
    assert read_explanations(tmp_path) == Explanations(schema=1, explained=())
