"""The recorded files of every format, whole, through the reader: sums in total and by model, in the profile."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llmmigrate.logs.reader import ReadOptions, read
from llmmigrate.usage.profile import Cell, CellKey, Profile, input_total, output_total

FORMATS = {
    "simple_seed.jsonl": "flat",
    "aider_analytics.jsonl": "aider",
    "openai_chat_completion.jsonl": "openai_chat",
    "mistral_chat_completion.jsonl": "openai_chat",
    "groq_chat_completion.jsonl": "openai_chat",
    "vllm_chat_completion.jsonl": "openai_chat",
    "azure_openai_chat_completion.jsonl": "openai_chat",
    "openai_completion_legacy.jsonl": "openai_completion",
    "openai_embeddings.jsonl": "openai_embeddings",
    "openai_responses.jsonl": "openai_responses",
    "openai_batch_output.jsonl": "openai_batch",
    "anthropic_messages.jsonl": "anthropic_messages",
    "bedrock_invoke_anthropic_body.jsonl": "anthropic_messages",
    "http_capture_request_response.jsonl": "http_capture",
    "frugon_request_response.jsonl": "http_capture",
    "litellm_standard_logging_payload.jsonl": "litellm_standard",
    "litellm_spend_logs.jsonl": "litellm_spend",
    "langfuse_observations_api.jsonl": "langfuse",
    "otlp_genai_v2.jsonl": "otlp",
    "otlp_genai_openllmetry.jsonl": "otlp",
    "otlp_genai_openllmetry_old.jsonl": "otlp",
    "otlp_genai_openinference.jsonl": "otlp",
    "gemini_generate_content.jsonl": "gemini",
}
WITHOUT_SUMS_BY_MODEL = {
    "simple_seed.jsonl", "openai_batch_output.jsonl", "frugon_request_response.jsonl", "litellm_spend_logs.jsonl",
    "litellm_standard_logging_payload.jsonl",
}  # fmt: skip
MISSING_BY_MODEL_DIFFERS = {
    # The totals of these two files count missing usage by the rules, their rows by model do not.
    "http_capture_request_response.jsonl",
    "langfuse_observations_api.jsonl",
}

_profiles: dict[str, Profile] = {}


def profile_of(data: Path, file: str) -> Profile:
    if file not in _profiles:
        _profiles[file] = read([str(data / "formats" / file)], ReadOptions())
    return _profiles[file]


def expected_of(data: Path, file: str) -> dict[str, Any]:
    every = json.loads((data / "formats" / "expected.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = every[file]
    return found


def counted(key: CellKey, cell: Cell) -> Counter[str]:
    _, _, cached, write_5m, write_1h, _, _, reasoning = cell.tokens
    return Counter(
        records=cell.calls,
        usage_missing=cell.calls if key.usage == "missing" and key.billing != "failed" else 0,
        input_tokens=input_total(cell.tokens),
        output_tokens=output_total(cell.tokens),
        cached_input_tokens=cached,
        cache_write_tokens=write_5m + write_1h,
        reasoning_tokens=reasoning,
        errors=sum((cell.errors or {}).values()),
    )


@pytest.mark.parametrize("file", FORMATS)
def test_a_file_has_its_sums(data: Path, file: str) -> None:
    found: Counter[str] = Counter()
    for key, cell in profile_of(data, file).cells.items():
        found += counted(key, cell)
    expected = expected_of(data, file)["total"]
    assert expected == {name: found[name] for name in expected}


@pytest.mark.parametrize("file", [file for file in FORMATS if file not in WITHOUT_SUMS_BY_MODEL])
def test_every_model_of_a_file_has_its_sums(data: Path, file: str) -> None:
    found: dict[str, Counter[str]] = {}
    for key, cell in profile_of(data, file).cells.items():
        sums = found.setdefault(str(key.model), Counter())
        found[str(key.model)] = sums + counted(key, cell)
    expected = expected_of(data, file)["by_model"]
    names = {name for sums in expected.values() for name in sums}
    if file in MISSING_BY_MODEL_DIFFERS:
        names -= {"usage_missing"}
    wanted = {model: {name: sums.get(name, 0) for name in names} for model, sums in expected.items()}
    assert wanted == {model: {name: sums[name] for name in names} for model, sums in found.items()}


@pytest.mark.parametrize(("file", "name"), FORMATS.items())
def test_every_record_of_a_file_is_seen_as_its_format(data: Path, file: str, name: str) -> None:
    (source,) = profile_of(data, file).accounting.sources
    assert [name] == list(source.formats)


@pytest.mark.parametrize("file", FORMATS)
def test_no_line_of_a_file_is_lost_or_refused(data: Path, file: str) -> None:
    lines = profile_of(data, file).accounting.lines
    assert (True, 0) == (lines.add_up(), lines.rejected)


@pytest.mark.parametrize(("file", "count"), [("aider_analytics.jsonl", 849), ("langfuse_observations_api.jsonl", 63)])
def test_records_that_are_no_calls_are_counted_as_such(data: Path, file: str, count: int) -> None:
    assert profile_of(data, file).accounting.lines.other == count


def test_a_mixed_file_is_the_sum_of_its_parts(data: Path, tmp_path: Path) -> None:
    """Detected per record: all formats in one file, one record of each after the other."""
    columns = [(data / "formats" / file).read_bytes().splitlines(keepends=True) for file in FORMATS]
    longest = max(map(len, columns))
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_bytes(b"".join(column[i] for i in range(longest) for column in columns if i < len(column)))
    total = read([str(data / "formats" / file) for file in FORMATS], ReadOptions())
    found = read([str(mixed)], ReadOptions())
    assert sums_of(total) == sums_of(found)


def sums_of(profile: Profile) -> dict[CellKey, tuple[int, list[int], int]]:
    return {key: (cell.calls, cell.tokens, cell.logged_cost) for key, cell in profile.cells.items()}


def test_the_logged_cost_of_the_aider_records_is_exact(data: Path) -> None:
    cells = profile_of(data, "aider_analytics.jsonl").cells.values()
    assert 3_083_417_180_000 == sum(cell.logged_cost for cell in cells)
