"""Hostile lines, one by one: each gives the right call and says what was odd."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmmigrate.logs import formats
from llmmigrate.usage.call import Call

FILES = [
    "10_nan_infinity", "11_tokens_as_strings", "13_null_usage", "14_negative_tokens", "15_absurd_tokens",
    "17_timestamps_all_kinds", "18_timestamps_bad", "20_model_names", "23_openai_vs_anthropic_cached",
    "25_failed_and_retried", "36_nested_usage", "37_total_only", "39_duplicate_keys", "43_large_ids",
    "44_csv_formula_injection", "45_terminal_and_markup_injection", "46_secrets_in_prompt", "47_cost_outlier_real",
    "55_zero_span",
]  # fmt: skip
FROM_OTHERS = {"failed_calls", "unpriced_model", "logged_cost_outlier", "cannot_project", "identical_lines_without_id"}


def calls(data: Path, file: str) -> list[Call]:
    read: list[Call] = []
    for line in (data / "hostile" / f"{file}.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        found = formats.detect(record)
        assert found is not None
        read += [slot for slot in found.read(record, keep_text=False) if isinstance(slot, Call)]
    return read


@pytest.mark.parametrize("file", FILES)
def test_a_hostile_file_has_its_counts_and_warnings(data: Path, file: str) -> None:
    every: dict[str, Any] = json.loads((data / "hostile" / "expected.json").read_text(encoding="utf-8"))
    expected = every[f"{file}.jsonl"]["expected"]
    read = calls(data, file)
    found = {
        "records": len(read),
        "input_tokens": sum(call.input_tokens for call in read),
        "output_tokens": sum(call.output_tokens for call in read),
        "cached_input_tokens": sum(call.cached_input_tokens for call in read),
        "cache_write_tokens": sum(call.cache_write_5m_tokens for call in read),
        "usage_missing": sum(call.usage == "missing" and call.billing != "failed" for call in read),
        "timestamp_missing": sum(call.start_ns is None for call in read),
        "errors": sum(call.error is not None for call in read),
    }
    assert {key: expected[key] for key in found if key in expected} == {
        key: found[key] for key in found if key in expected
    }
    assert set(expected["warnings"]) - FROM_OTHERS <= {code for call in read for code in call.warnings}


def test_failures_with_and_without_usage(data: Path) -> None:
    billing = [(call.request_id, call.billing, call.attempt) for call in calls(data, "25_failed_and_retried")]
    assert billing == [
        ("req_1", "failed", None),
        ("req_1", "billed", 2),
        ("req_2", "failed", None),
        ("req_3", "failed_billed", None),
        ("req_4", "billed", None),
    ]


def test_failures_without_usage_are_not_missing_usage(data: Path) -> None:
    codes = [call.warnings for call in calls(data, "25_failed_and_retried")]
    assert codes == [(), (), (), ("possible_billed_failure",), ()]


def test_model_names_are_kept_untouched(data: Path) -> None:
    lines = (data / "hostile" / "20_model_names.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["model"] for line in lines] == [call.model for call in calls(data, "20_model_names")]


def test_ids_beyond_two_to_the_53_stay_three(data: Path) -> None:
    ids = [call.request_id for call in calls(data, "43_large_ids")]
    assert ids == ["1344800117571260417", "1344900117571260918", "1344800117571260418"]


def test_the_logged_cost_of_the_outlier_is_exact(data: Path) -> None:
    costs = [call.logged_cost for call in calls(data, "47_cost_outlier_real")]
    assert costs == [9_990_012_528_750_000, 872_420_000_000]
