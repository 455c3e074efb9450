"""Broken and hostile files, whole, through the command line: what each comes out as."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome

Run = Callable[..., Outcome]

COUNTED = [
    "01_truncated_last_line.jsonl", "02_no_trailing_newline.jsonl", "03_blank_lines_crlf.jsonl", "04_utf8_bom.jsonl",
    "06_invalid_utf8_byte.jsonl", "07_nul_block_midfile.jsonl", "09_u2028_in_string.jsonl", "10_nan_infinity.jsonl",
    "11_tokens_as_strings.jsonl", "13_null_usage.jsonl", "14_negative_tokens.jsonl", "15_absurd_tokens.jsonl",
    "17_timestamps_all_kinds.jsonl", "18_timestamps_bad.jsonl", "20_model_names.jsonl", "25_failed_and_retried.jsonl",
    "27_long_line_base64.jsonl.gz", "28_good.jsonl.gz", "29_good.jsonl.zst", "31_gzip_named_jsonl.jsonl",
    "33_json_array.json", "34_concatenated_pretty.json", "36_nested_usage.jsonl", "37_total_only.jsonl",
    "39_duplicate_keys.jsonl", "40_not_objects.jsonl", "41_deep_nesting.jsonl", "43_large_ids.jsonl",
    "44_csv_formula_injection.jsonl", "45_terminal_and_markup_injection.jsonl", "46_secrets_in_prompt.jsonl",
    "47_cost_outlier_real.jsonl", "55_zero_span.jsonl", "57_windows_path名前 with space.jsonl",
]  # fmt: skip
WITHOUT_RECORD = ["50_empty.jsonl", "51_only_blank.jsonl", "52_binary.jsonl", "53_html_error_page.jsonl"]
TRUNCATED = "30_truncated.jsonl.gz"
LATER = [
    "21_claude_stream_duplicates.jsonl", "22_codex_reemitted_totals.jsonl", "23_openai_vs_anthropic_cached.jsonl",
    "49_cost_in_cents.jsonl",
]  # fmt: skip

STRICT = {
    "01_truncated_last_line.jsonl": 2,
    "07_nul_block_midfile.jsonl": 2,
    "10_nan_infinity.jsonl": 3,
    "13_null_usage.jsonl": 3,
    "14_negative_tokens.jsonl": 3,
    "15_absurd_tokens.jsonl": 3,
    "20_model_names.jsonl": 3,
    "30_truncated.jsonl.gz": 2,
    "37_total_only.jsonl": 3,
    "40_not_objects.jsonl": 2,
    "41_deep_nesting.jsonl": 2,
    "44_csv_formula_injection.jsonl": 3,
    "45_terminal_and_markup_injection.jsonl": 3,
    "47_cost_outlier_real.jsonl": 3,
}
"""Rejected lines and cut-off files are 2, missing or unpriced usage 3; every other file here 0."""

PRICED_NAMES = {
    "gpt-4o", "gpt-4o-2024-08-06", "openai/gpt-4o", "GPT-4O", " gpt-4o ", "gpt-4o:nitro", "models/gemini-2.5-flash",
    "gemini/gemini-2.5-pro", "claude-sonnet-4-20250514", "anthropic/claude-sonnet-4", "deepseek/deepseek-chat", "o3",
    "gpt-5-mini-2025-08-07",
}  # fmt: skip
UNPRICED_NAMES = {
    "": "unknown_model",
    None: "unknown_model",
    "None": "unknown_model",
    "<synthetic>": "unknown_model",
    "__proto__": "unknown_model",
    "constructor": "unknown_model",
    "my-prod-deployment": "unknown_model",
    "openrouter/REDACTED": "unknown_model",
    "arn:aws:bedrock:us-east-1:466959819186:application-inference-profile/xyz": "custom_model",
    "ft:gpt-4o-2024-08-06:acme::9ABCdef": "custom_model",
    "ft:gpt-4o-mini-2024-07-18:acme:support:9ABC": "custom_model",
    "vertex_ai/claude-sonnet-4@20250514": "no_table_for_provider",
    "projects/p-1/locations/europe-central2/publishers/google/models/gemini-2.5-flash": "no_table_for_provider",
    "us.anthropic.claude-sonnet-4-20250514-v1:0": "no_price_at_date",
    "openrouter/openai/gpt-4o": "no_price_at_date",
    "glm-5": "no_price_at_date",
    "zai-org/GLM-5": "no_price_at_date",
    "z-ai/glm-5:free": "free_route",
}
"""Reasons, for the names whose reason does not depend on how many models the tables list."""

_outcomes: dict[Path, Outcome] = {}


@pytest.fixture
def hostile(data: Path) -> Path:
    return data / "hostile"


def expected_of(folder: Path, file: str) -> dict[str, Any]:
    every = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = every[file]["expected"]
    return found


def strictly(run: Run, path: Path) -> Outcome:
    """One strict run a file, shared by the tests: --strict changes the exit code only."""
    if path not in _outcomes:
        _outcomes[path] = run("analyze", str(path), "--format", "json", "--strict")
    return _outcomes[path]


def analysis(run: Run, path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(strictly(run, path).out)
    return document


def figures(document: dict[str, Any]) -> dict[str, Any]:
    total, lines, coverage = document["total"], document["lines"], document["coverage"]
    return {
        "records": total["calls"],
        "input_tokens": total["input_tokens"],
        "output_tokens": total["output_tokens"],
        "bad_lines": lines["rejected"],
        "usage_missing": coverage["usage_missing"],
        "timestamp_missing": coverage["timestamp_missing"],
        "errors": total["errors"],
        "logical_requests": total["logical_requests"],
        "duplicates_removed": lines["duplicates"],
        "cached_input_tokens": total["cached_input_tokens"],
        "cache_write_tokens": total["cache_write_tokens"],
    }


def test_every_hostile_file_is_tested_or_of_a_later_format(hostile: Path) -> None:
    files = json.loads((hostile / "expected.json").read_text(encoding="utf-8"))
    assert sorted(files) == sorted([*COUNTED, *WITHOUT_RECORD, TRUNCATED, *LATER])


@pytest.mark.parametrize("file", COUNTED)
def test_a_hostile_file_comes_out_as_expected(llmmigrate: Run, hostile: Path, file: str) -> None:
    expected = expected_of(hostile, file)
    document = analysis(llmmigrate, hostile / file)
    found = figures(document)
    wanted = {key: value for key, value in expected.items() if key in found}
    assert wanted == {key: found[key] for key in wanted}
    assert set(expected["warnings"]) - {warning["code"] for warning in document["warnings"]} == set()


@pytest.mark.parametrize("file", [*COUNTED, TRUNCATED])
def test_the_lines_and_the_calls_add_up(llmmigrate: Run, hostile: Path, file: str) -> None:
    document = analysis(llmmigrate, hostile / file)
    lines, coverage = document["lines"], document["coverage"]
    parts = ("calls", "blank", "rejected", "duplicates", "other")
    assert lines["total"] == sum(lines[part] for part in parts)
    known = ("usage_known", "usage_missing", "failed_without_usage")
    assert document["total"]["calls"] == sum(coverage[part] for part in known)
    assert lines["rejected"] == sum(reject["count"] for reject in document["rejects"])


@pytest.mark.parametrize("file", WITHOUT_RECORD)
def test_a_file_without_a_record_is_an_error_with_a_code(llmmigrate: Run, hostile: Path, file: str) -> None:
    outcome = llmmigrate("analyze", str(hostile / file), "--format", "json")
    (code,) = expected_of(hostile, file)["warnings"]
    assert (2, "") == (outcome.code, outcome.out)
    assert outcome.err.startswith(f"error[{code}]: ")
    assert "Traceback" not in outcome.err


def test_a_truncated_gzip_keeps_what_decompresses(llmmigrate: Run, hostile: Path) -> None:
    document = analysis(llmmigrate, hostile / TRUNCATED)
    assert document["total"]["calls"] > 0
    assert "truncated_gzip" in {warning["code"] for warning in document["warnings"]}


@pytest.mark.parametrize("file", [*COUNTED, TRUNCATED])
def test_strict_exit_codes(llmmigrate: Run, hostile: Path, file: str) -> None:
    assert STRICT.get(file, 0) == strictly(llmmigrate, hostile / file).code


@pytest.mark.parametrize("file", sorted(STRICT)[:3])
def test_without_strict_a_partial_result_is_exit_0(llmmigrate: Run, hostile: Path, file: str) -> None:
    assert 0 == llmmigrate("analyze", str(hostile / file), "--format", "json").code


def test_all_spellings_of_one_instant_are_that_instant(llmmigrate: Run, hostile: Path) -> None:
    span = analysis(llmmigrate, hostile / "17_timestamps_all_kinds.jsonl")["span"]
    assert "2026-01-15T10:00:00Z" == span["first"]
    assert span["last"] <= "2026-01-15T10:00:00.500001Z"


@pytest.mark.parametrize("format_name", ["table", "markdown", "csv"])
@pytest.mark.parametrize("file", ["44_csv_formula_injection.jsonl", "45_terminal_and_markup_injection.jsonl"])
def test_hostile_names_are_escaped(llmmigrate: Run, hostile: Path, file: str, format_name: str) -> None:
    out = llmmigrate("analyze", str(hostile / file), "--format", format_name, "--by", "model,tag.user").out
    assert [] == [sign for sign in ("\x1b", "\x07", "\x9b") if sign in out]
    if format_name == "markdown":
        assert "<script" not in out
        assert "<img" not in out
    if format_name == "csv":
        cells = [cell.lstrip('"') for line in out.splitlines() for cell in line.split(",")]
        assert [] == [cell for cell in cells if cell.startswith(("=", "+", "@")) or cell[:2] in ("-c", "-1+")]


def test_json_keeps_hostile_names_as_they_are(llmmigrate: Run, hostile: Path) -> None:
    logged = json.loads((hostile / "44_csv_formula_injection.jsonl").read_text(encoding="utf-8"))["model"]
    document = analysis(llmmigrate, hostile / "44_csv_formula_injection.jsonl")
    assert [logged] == [group["key"]["model"] for group in document["groups"]]


@pytest.mark.parametrize("format_name", ["table", "markdown", "csv", "json"])
def test_no_output_shows_a_secret(llmmigrate: Run, hostile: Path, format_name: str) -> None:
    outcome = llmmigrate("analyze", str(hostile / "46_secrets_in_prompt.jsonl"), "--format", format_name)
    assert [] == [secret for secret in ("sk-", "Bearer", "Authorization") if secret in outcome.out + outcome.err]


def test_a_logged_cost_that_cannot_be_true_is_flagged(llmmigrate: Run, hostile: Path) -> None:
    document = analysis(llmmigrate, hostile / "47_cost_outlier_real.jsonl")
    (outlier,) = [warning for warning in document["warnings"] if warning["code"] == "logged_cost_outlier"]
    assert (1, "9990.88494875") == (outlier["count"], document["total"]["logged_cost"])
    assert outlier["first"] == ["gemini/gemini-2.5-pro-preview-03-25"]


def test_only_listed_names_are_priced(llmmigrate: Run, hostile: Path) -> None:
    groups = analysis(llmmigrate, hostile / "20_model_names.jsonl")["groups"]
    priced = {group["key"]["model"] for group in groups if "cost" in group}
    assert priced >= PRICED_NAMES
    assert set() == priced & set(UNPRICED_NAMES)


def test_every_unpriced_name_has_its_reason(llmmigrate: Run, hostile: Path) -> None:
    unpriced = analysis(llmmigrate, hostile / "20_model_names.jsonl")["unpriced"]
    reasons = {entry["model"]: entry["reason"] for entry in unpriced}
    assert UNPRICED_NAMES == {name: reasons.get(name) for name in UNPRICED_NAMES}


def test_a_free_route_is_priced_only_where_the_log_says_that_it_was_free(llmmigrate: Run, tmp_path: Path) -> None:
    call = {"timestamp": "2026-10-20T10:00:00Z", "model": "openrouter/z-ai/glm-5:free", "input_tokens": 5}
    path = tmp_path / "free.jsonl"
    path.write_text(json.dumps({**call, "output_tokens": 5, "estimated_cost_usd": 0}) + "\n", encoding="utf-8")
    assert "0" == analysis(llmmigrate, path)["total"]["cost"]


def test_ingest_keeps_text_but_no_header(llmmigrate: Run, hostile: Path, tmp_path: Path) -> None:
    records = tmp_path / "calls.jsonl"
    source = str(hostile / "46_secrets_in_prompt.jsonl")
    assert 0 == llmmigrate("ingest", source, "-o", str(records), "--keep-text").code
    written = records.read_text(encoding="utf-8")
    assert ("messages" in written, "Authorization" in written, "sk-EXAMPLE-not-a-real-key-0" in written) == (
        True, False, False,
    )  # fmt: skip


def test_ingest_without_keep_text_writes_no_text(llmmigrate: Run, hostile: Path, tmp_path: Path) -> None:
    records, profile = tmp_path / "calls.jsonl", tmp_path / "usage.profile.json"
    source = str(hostile / "46_secrets_in_prompt.jsonl")
    assert 0 == llmmigrate("ingest", source, "-o", str(records), "-o", str(profile)).code
    assert "sk-" not in records.read_text(encoding="utf-8") + profile.read_text(encoding="utf-8")


def test_a_reject_of_a_long_line_is_not_shown_whole(llmmigrate: Run, tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_text('{"model": "o3", "input_tokens": 1, "output_tokens": 1}\n' + "x" * 100_000 + "\n")
    outcome = llmmigrate("analyze", str(path))
    assert len(outcome.out + outcome.err) < 10_000
