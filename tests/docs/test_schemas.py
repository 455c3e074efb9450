"""That the JSON outputs are what their published schemas say, on good logs and on broken ones."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tools.make_docs import schema_files
from tools.screens import INPUTS, ROOT, show, workplace

GZIP = b"\x1f\x8b"
SAMPLES = ["samples/logs.jsonl", "samples/openai_chat.jsonl", "samples/litellm.jsonl", "samples/otlp.jsonl"]
DIRTY = sorted(path.name for path in INPUTS.glob("*.jsonl"))


@cache
def validator(name: str) -> Draft202012Validator:
    """A strict reading of a published schema: also refuses keys that it does not name."""
    schema = json.loads((ROOT / "docs" / "schemas" / f"llmmigrate.{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    for record in schema["$defs"].values():
        if "properties" in record:
            record["additionalProperties"] = False
    return Draft202012Validator(schema)


def faults(name: str, document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in validator(name).iter_errors(document)]


@pytest.mark.parametrize(("path", "text"), list(schema_files()), ids=lambda value: getattr(value, "name", ""))
def test_a_published_schema_is_that_of_the_code(path: Path, text: str) -> None:
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("line", ["analyze --by day,model", "estimate --by model", "report"])
@pytest.mark.parametrize("log", [*SAMPLES, *DIRTY])
def test_a_result_is_what_its_schema_says(line: str, log: str) -> None:
    with workplace():
        screen = show(f"llmmigrate {line} {log} --format json")
    name = {"analyze": "analysis", "estimate": "estimate", "report": "roi"}[line.split()[0]]
    assert screen.code == 2 or faults(name, json.loads(screen.out)) == []


def test_a_preview_is_what_its_schema_says() -> None:
    with workplace():
        screen = show("llmmigrate shadow samples/captures.jsonl --to zai/glm-5 --canary 10% --dry-run --format json")
    assert faults("preview", json.loads(screen.out)) == []


def test_results_on_hostile_logs_are_what_their_schemas_say(data: Path) -> None:
    found = {}
    for path in sorted((data / "hostile").glob("[0-9]*")):
        for name, command in (
            ("analysis", "analyze"), ("estimate", "estimate --to zai/glm-5"), ("roi", "report --to zai/glm-5"),
        ):  # fmt: skip
            screen = show(f"llmmigrate {command} '{path}' --format json")
            if screen.code != 2:
                found[path.name, name] = faults(name, json.loads(screen.out))
    assert {key: wrong for key, wrong in found.items() if wrong} == {}
    assert len(found) >= 60


def test_a_result_without_any_price_has_no_cost() -> None:
    with workplace():
        analysis = json.loads(show("llmmigrate analyze unpriced.jsonl --format json").out)
        estimate = json.loads(show("llmmigrate estimate unpriced.jsonl --to zai/glm-5 --format json").out)
    assert "cost" not in analysis["total"]
    assert estimate["targets"][0]["saving"] is None


@pytest.mark.parametrize("log", SAMPLES)
def test_a_saved_profile_is_what_its_schema_says(log: str) -> None:
    with workplace() as here:
        assert show(f"llmmigrate ingest {log} -o usage.profile.json").code == 0
        saved = (here / "usage.profile.json").read_bytes()
    document = json.loads(gzip.decompress(saved) if saved.startswith(GZIP) else saved)
    assert faults("profile", document) == []


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("prices list", "prices"),
        ("prices list deepseek", "prices"),
        ("prices show deepseek/deepseek-v4-pro --explain", "price"),
        ("prices show openai/o3 --at 2020-01-01", "price"),
        ("prices compare openai/o3 zai/glm-5 local/glm-5 --bench speeds-of-november.json", "prices-compare"),
        ("prices validate", "prices-validation"),
        ("prices validate contract.yaml", "prices-validation"),
    ],
)
def test_what_prices_prints_is_what_its_schema_says(line: str, name: str) -> None:
    with workplace():
        assert faults(name, json.loads(show(f"llmmigrate {line} --format json").out)) == []


@pytest.mark.parametrize("log", [*SAMPLES, *DIRTY])
def test_an_audit_is_what_its_schema_says(log: str) -> None:
    with workplace():
        screen = show(f"llmmigrate audit {log} --to zai/glm-5 --to anthropic/claude-opus-5 --format json")
    assert screen.code == 2 or faults("audit", json.loads(screen.out)) == []


def test_a_saved_benchmark_is_what_its_schema_says() -> None:
    assert faults("bench", json.loads((INPUTS / "speeds-of-november.json").read_bytes())) == []


def test_a_cost_as_a_number_breaks_the_schema() -> None:
    with workplace():
        document = json.loads(show("llmmigrate analyze relay.jsonl --format json").out)
    document["total"]["cost"] = 8.0
    assert len(faults("analysis", document)) == 1
