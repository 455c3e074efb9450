"""The recorded files of the data folder: their sums are those that were worked out independently of this project."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmmigrate.logs import formats
from llmmigrate.logs.formats import NotACall
from llmmigrate.usage.call import Call

FILES = {
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
MISSING_BY_MODEL_DIFFERS = {
    # The totals of these two files count missing usage by the rules, their rows by model do not.
    "http_capture_request_response.jsonl",
    "langfuse_observations_api.jsonl",
}


def slots(path: Path, name: str) -> Iterator[Call | NotACall]:
    with path.open("rb") as lines:
        for line in lines:
            record = json.loads(line)
            found = formats.detect(record)
            assert found is not None and found.NAME == name
            yield from found.read(record, keep_text=False)


def counted(call: Call) -> Counter[str]:
    return Counter(
        records=1,
        usage_missing=int(call.usage == "missing" and call.billing != "failed"),
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        cached_input_tokens=call.cached_input_tokens,
        cache_write_tokens=call.cache_write_5m_tokens + call.cache_write_1h_tokens,
        reasoning_tokens=call.reasoning_tokens,
        errors=int(call.error is not None),
    )


@pytest.mark.parametrize(("file", "name"), FILES.items())
def test_a_recorded_file_has_its_sums(data: Path, file: str, name: str) -> None:
    expected = json.loads((data / "formats" / "expected.json").read_text(encoding="utf-8"))[file]
    total: Counter[str] = Counter()
    by_model: dict[str, Counter[str]] = {}
    for slot in slots(data / "formats" / file, name):
        if isinstance(slot, Call):
            total += counted(slot)
            by_model[str(slot.model)] = by_model.get(str(slot.model), Counter()) + counted(slot)
    assert expected["total"] == {key: total[key] for key in expected["total"]}
    for model, sums in expected["by_model"].items():
        wanted = without_missing(sums) if file in MISSING_BY_MODEL_DIFFERS else sums
        assert wanted == {key: by_model[model][key] for key in wanted}, model


def without_missing(sums: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sums.items() if key != "usage_missing"}


def test_the_costs_that_aider_logged_are_summed_without_drift(data: Path) -> None:
    read = slots(data / "formats" / "aider_analytics.jsonl", "aider")
    assert 3_083_417_180_000 == sum(slot.logged_cost or 0 for slot in read if isinstance(slot, Call))


@pytest.mark.parametrize(
    ("file", "name", "count"),
    [("aider_analytics.jsonl", "aider", 849), ("langfuse_observations_api.jsonl", "langfuse", 63)],
)
def test_records_that_are_no_calls_are_counted_as_such(data: Path, file: str, name: str, count: int) -> None:
    others = [slot for slot in slots(data / "formats" / file, name) if isinstance(slot, NotACall)]
    assert (count, {"other"}) == (len(others), {slot.kind for slot in others})
