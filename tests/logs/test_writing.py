"""Written records read back as the same calls; written rejects say where, why and what."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from tests.conftest import ROOT
from tests.logs.generated import EPOCH, logs
from tests.logs.profiles import PARTS, content

from llmmigrate.errors import LlmmigrateError
from llmmigrate.logs.reader import ReadOptions, read
from llmmigrate.logs.writing import RecordFile, RejectFile, flat_record, timestamp
from llmmigrate.usage.call import Call
from llmmigrate.usage.cuts import CutMarks
from llmmigrate.usage.profile import Profile

CASES = sorted((ROOT / "tests" / "logs" / "cases").glob("*/in.jsonl"))
OPTIONS = ReadOptions(
    marks=CutMarks(prompt=(1000, 200_000)), tags=("user", "team", "route"), now_ns=(EPOCH + 10**7) * 10**9
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("writing")


def written_and_read_again(folder: Path, source: Path) -> tuple[Profile, Profile]:
    """A log's profile, and that of the records that were written of it."""
    stream = io.BytesIO()
    first = read([str(source)], OPTIONS, on_call=RecordFile(stream).add)
    again = folder / "calls.jsonl"
    again.write_bytes(stream.getvalue())
    return first, read([str(again)], OPTIONS)


def test_every_format_has_a_case() -> None:
    assert len(CASES) >= 14


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_records_of_every_format_read_back_the_same(folder: Path, case: Path) -> None:
    first, again = written_and_read_again(folder, case)
    assert content(first) == content(again)


def test_recorded_files_read_back_the_same(folder: Path, data: Path) -> None:
    from tests.logs.test_formats_data import FORMATS

    different: dict[str, list[str]] = {}
    for file in FORMATS:
        first, again = written_and_read_again(folder, data / "formats" / file)
        saved, loaded = content(first), content(again)
        if saved != loaded:
            different[file] = [part for part in PARTS if saved[part] != loaded[part]]
    assert {} == different


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(log=logs())
def test_dirty_flat_records_read_back_the_same(folder: Path, log: bytes) -> None:
    source = folder / "dirty.jsonl"
    source.write_bytes(log)
    try:
        read([str(source)], OPTIONS)
    except LlmmigrateError:
        return  # no call in it: nothing is written
    first, again = written_and_read_again(folder, source)
    assert content(first) == content(again)


def test_written_records_are_read_without_a_reject_or_repair(folder: Path) -> None:
    _, again = written_and_read_again(folder, ROOT / "samples" / "logs.jsonl")
    facts = {"failed_calls", "possible_billed_failure", "timestamp_missing", "usage_missing", "future_timestamp"}
    lines = again.accounting.lines
    assert (0, 0, set()) == (lines.rejected, lines.other, set(again.accounting.warnings) - facts)


def test_rejects_are_written_with_place_reason_and_text() -> None:
    stream = io.BytesIO()
    RejectFile(stream).add("log.jsonl:3", "invalid_json", b"\xff{")
    assert {"place": "log.jsonl:3", "reason": "invalid_json", "raw": "\ufffd{"} == json.loads(stream.getvalue())


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_768_471_200_500_000_000, "2026-01-15T10:00:00.5Z"),
        (1_768_471_200_000_000_001, "2026-01-15T10:00:00.000000001Z"),
    ],
)
def test_an_instant_is_written_with_all_its_digits(ns: int, text: str) -> None:
    assert text == timestamp(ns)


@pytest.mark.parametrize(("pico", "text"), [(1, "0.000000000001"), (-1_500_000_000_000, "-1.5"), (0, "0")])
def test_a_logged_cost_is_written_exactly(pico: int, text: str) -> None:
    assert text == flat_record(Call(model="o3", logged_cost=pico))["estimated_cost_usd"]


def test_what_is_not_known_is_left_out() -> None:
    expected: dict[str, Any] = {"model": None, "input_tokens": None, "output_tokens": None}
    assert expected == flat_record(Call(usage="missing"))
