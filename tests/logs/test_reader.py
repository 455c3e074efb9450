"""From bytes to calls: containers, encodings, compression, broken ends, places, and what is counted as what."""

import bz2
import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.logs.generated import EPOCH, clean_records, line, records
from tests.logs.profiles import content, counts, read_bytes

from llmmigrate.errors import InputError, LlmmigrateError
from llmmigrate.logs import documents, source
from llmmigrate.logs.reader import ReadOptions, read
from llmmigrate.usage import store
from llmmigrate.usage.call import Call
from llmmigrate.usage.profile import Profile

OPTIONS = ReadOptions(now_ns=(EPOCH + 40 * 86_400) * 10**9)
CALLS = [
    {"timestamp": f"2026-01-15T10:00:{n:02d}Z", "model": "o3", "input_tokens": n, "output_tokens": 1, "user": f"é{n}"}
    for n in range(1, 6)
]
LINES = b"".join(json.dumps(call, ensure_ascii=False).encode() + b"\n" for call in CALLS)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reader")


def profile(folder: Path, data: bytes, options: ReadOptions = OPTIONS) -> Profile:
    return read_bytes(folder, data, options)


def utf16(data: bytes, mark: str) -> bytes:
    return ("\ufeff" + data.decode()).encode(mark)


SAME_TEXT: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip, two members": lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:]),
    "gzip, many members of one byte": lambda data: b"".join(gzip.compress(data[i : i + 1]) for i in range(len(data))),
    "gzip padded with zeros": lambda data: gzip.compress(data) + b"\0" * 512,
    "zstd": lambda data: zstandard.compress(data),
    "zstd, two frames": lambda data: zstandard.compress(data[:77]) + zstandard.compress(data[77:]),
    "bz2": bz2.compress,
    "bz2, two streams": lambda data: bz2.compress(data[:50]) + bz2.compress(data[50:]),
    "UTF-8 mark": lambda data: b"\xef\xbb\xbf" + data,
    "UTF-16 LE": lambda data: utf16(data, "utf-16-le"),
    "UTF-16 BE": lambda data: utf16(data, "utf-16-be"),
    "UTF-16 LE in gzip": lambda data: gzip.compress(utf16(data, "utf-16-le")),
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "no last newline": lambda data: data.removesuffix(b"\n"),
}


@pytest.mark.parametrize("form", SAME_TEXT)
def test_compression_and_encoding_change_nothing(folder: Path, form: str) -> None:
    found = profile(folder, SAME_TEXT[form](LINES))
    expected = profile(folder, LINES)
    assert (content(expected), counts(expected)) == (content(found), counts(found))


@pytest.mark.parametrize("form", SAME_TEXT)
@pytest.mark.parametrize("block", [1, 7, 64])
def test_block_ends_change_nothing(folder: Path, form: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = profile(folder, LINES)
    monkeypatch.setattr(source, "BLOCK", block)
    found = profile(folder, SAME_TEXT[form](LINES))
    assert (content(expected), counts(expected)) == (content(found), counts(found))


def pretty(values: list[Any]) -> bytes:
    return "\n".join(json.dumps(value, indent=2) for value in values).encode()


CONTAINERS: dict[str, Callable[[list[Any]], bytes]] = {
    "pretty array": lambda values: json.dumps(values, indent=2).encode(),
    "array of one line": lambda values: json.dumps(values).encode(),
    "array, an element a line": lambda values: b"[\n" + b",\n".join(map(line, values)) + b"\n]\n",
    "array, comma first": lambda values: b"[\n" + b"\n,".join(map(line, values)) + b"]",
    "several arrays": lambda values: json.dumps(values[:2]).encode() + b"\n" + json.dumps(values[2:]).encode(),
    "concatenated": pretty,
    "wrapped page": lambda values: json.dumps({"object": "list", "data": values, "has_more": False}).encode(),
    "pretty wrapped page": lambda values: json.dumps({"results": values}, indent=1).encode(),
    "pages, one a line": lambda values: line({"items": values[:3]}) + b"\n" + line({"items": values[3:]}),
}


@pytest.mark.parametrize("form", CONTAINERS)
def test_containers_hold_the_same_calls(folder: Path, form: str) -> None:
    found = profile(folder, CONTAINERS[form](CALLS))
    expected = profile(folder, LINES)
    assert (content(expected), counts(expected)) == (content(found), counts(found))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.lists(records(), min_size=1, max_size=4), form=st.sampled_from(list(CONTAINERS)))
def test_containers_of_any_records_hold_the_same_calls(folder: Path, values: list[Any], form: str) -> None:
    calls = [CALLS[0], CALLS[1], CALLS[2], *values]
    found = profile(folder, CONTAINERS[form](calls))
    expected = profile(folder, b"".join(line(call) + b"\n" for call in calls))
    for profile_read in (found, expected):
        profile_read.accounting.warnings.pop("invalid_utf8", None)  # said once a line, however many elements it has
    assert (content(expected), counts(expected)) == (content(found), counts(found))


def test_one_long_line_that_is_an_array_is_decoded_element_by_element(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = profile(folder, LINES)
    monkeypatch.setattr(documents, "LONG_LINE", 10)
    monkeypatch.setattr(source, "BLOCK", 16)
    found = profile(folder, json.dumps(CALLS).encode())
    assert (content(expected), counts(expected)) == (content(found), counts(found))


ODD_ENDS = {
    "an array without objects is one reject": (b"[1, 2, 3]\n", {"rejected": 1}),
    "a pretty array without objects is one reject": (b"[\n1,\n2\n]\n", {"rejected": 1}),
    "an empty array is a container": (b"[]\n", {"other": 1}),
    "a pretty empty array is a container": (b"[\n\n]\n", {"other": 1}),
    "an empty page is a container": (b'{"data": []}\n', {"other": 1}),
    "what is no object in a list of objects is a reject": (b'[7, {"a": 1}]\n', {"rejected": 2}),
    "the same in a pretty list": (b'[\n7,\n{"a": 1}\n]\n', {"rejected": 2}),
    "a nested list is a reject": (b'[[{"a": 1}], {"a": 1}]\n', {"rejected": 2}),
    "the same nested in a pretty list": (b'[\n[{"a": 1}],\n{"a": 1}\n]\n', {"rejected": 2}),
    "a list that never ends": (b"[\n", {"rejected": 1}),
    "a brace that never ends": (b"{\n", {"rejected": 1}),
    "a bare word": (b"hello\n", {"rejected": 1}),
}


@pytest.mark.parametrize("case", ODD_ENDS)
def test_what_is_no_call_is_accounted_for(folder: Path, case: str) -> None:
    data, expected = ODD_ENDS[case]
    (folder / "odd.jsonl").write_bytes(data)
    (folder / "good.jsonl").write_bytes(LINES)
    lines = read([str(folder / "good.jsonl"), str(folder / "odd.jsonl")], OPTIONS).accounting.lines
    found = {"rejected": lines.rejected, "other": lines.other, "blank": lines.blank}
    assert {"rejected": 0, "other": 0, "blank": 0, **expected} == found


def test_a_list_that_is_cut_off_keeps_its_elements_and_says_so(folder: Path) -> None:
    data = b"[\n" + b",\n".join(map(line, CALLS)) + b",\n"
    found = profile(folder, data)
    assert (5, 1) == (found.accounting.lines.calls, found.accounting.warnings["truncated_last_line"].count)


@pytest.mark.parametrize("cut", [b"{", b'{"a": 1,', b'{"timestamp": "2026-01-15T10:00:00Z",', b'{"a": {'])
def test_a_cut_first_line_does_not_take_the_file_with_it(folder: Path, cut: bytes) -> None:
    lines = profile(folder, cut + b"\n" + LINES).accounting.lines
    assert (5, 1) == (lines.calls, lines.rejected)


def test_a_cut_first_line_before_broken_text_does_not_either(folder: Path) -> None:
    broken = b'{"model": "o3", "input_tokens": 1, "output_tokens": 1, "prompt": "\xff"}\n'
    lines = profile(folder, b"{\n" + broken + LINES).accounting.lines
    assert (6, 1) == (lines.calls, lines.rejected)


def test_a_cut_first_line_before_another_bad_one(folder: Path) -> None:
    lines = profile(folder, b"{\n\0\0\0\n" + LINES).accounting.lines
    assert (5, 2) == (lines.calls, lines.rejected)


def test_a_reject_says_where_and_why(folder: Path) -> None:
    seen: list[tuple[str, str, bytes]] = []
    (folder / "log.jsonl").write_bytes(b"\n" + LINES + b"oops\n\n" + LINES + b'{"cut')
    read([str(folder / "log.jsonl")], OPTIONS, on_reject=lambda *reject: seen.append(reject))
    path = str(folder / "log.jsonl")
    assert [(f"{path}:7", "invalid_json", b"oops"), (f"{path}:14", "truncated_line", b'{"cut')] == seen


def test_a_bad_byte_in_a_pretty_document_is_replaced_and_said(folder: Path) -> None:
    data = b'[\n{"model": "o3", "input_tokens": 1, "output_tokens": 2, "prompt": "caf\xe9"}\n]\n'
    found = profile(folder, data)
    assert (1, ["invalid_utf8", "timestamp_missing"]) == (found.total_calls(), sorted(found.accounting.warnings))


@pytest.mark.parametrize("half", [r"\ud800", r"\udc00", r"\ud83d \ude00"])
@pytest.mark.parametrize("wrap", [b"%s\n", b"[\n%s\n]\n"])
def test_half_a_surrogate_pair_is_replaced_and_said(folder: Path, half: str, wrap: bytes) -> None:
    record = b'{"model": "o3%s", "input_tokens": 1, "output_tokens": 2, "session_id": "%s", "user": "%s"}'
    found = profile(folder, wrap % record.replace(b"%s", half.encode()), ReadOptions(tags=("user",)))
    assert ["invalid_utf8", "timestamp_missing"] == sorted(found.accounting.warnings)
    assert content(found) == content(store.load(store.dump(found), "saved"))


@pytest.mark.parametrize("whole", [r"\ud83d\ude00", r"\\ud800", r"é"])
def test_whole_characters_stay_as_they_are(folder: Path, whole: str) -> None:
    found = profile(folder, f'{{"model": "{whole}", "input_tokens": 1, "output_tokens": 2}}\n'.encode())
    assert ([json.loads(f'"{whole}"')], ["timestamp_missing"]) == (
        [key.model for key in found.cells], sorted(found.accounting.warnings)
    )  # fmt: skip


@pytest.mark.parametrize("form", ["gzip", "zstd", "bz2"])
def test_a_cut_compressed_file_keeps_what_decompresses(folder: Path, form: str) -> None:
    text = b"".join(
        line({**CALLS[0], "request_id": f"{number * 7919 % 10_007:05d}{number}"}) + b"\n" for number in range(8_000)
    )
    packed = SAME_TEXT[form](text)
    found = profile(folder, packed[: len(packed) * 9 // 10])
    assert 1000 < found.total_calls() < 8_000
    assert f"truncated_{form}" in found.accounting.warnings


def test_a_zstd_file_may_hold_frames_that_are_skipped(folder: Path) -> None:
    skipped = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"index"
    packed = zstandard.compress(LINES[:60]) + skipped + zstandard.compress(LINES[60:])
    assert content(profile(folder, LINES)) == content(profile(folder, packed))


def test_damage_inside_a_gzip_keeps_what_came_before(folder: Path) -> None:
    packed = gzip.compress(LINES) + b"not a member at all"
    assert 5 == profile(folder, packed).total_calls()


def test_standard_input_is_read_like_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(gzip.compress(LINES)))
    monkeypatch.setattr(sys, "stdin", stream)
    assert content(profile(folder, LINES)) == content(read(["-"], OPTIONS))


def test_a_directory_is_read_at_any_depth_without_hidden_files(tmp_path: Path) -> None:
    for name in ("a.jsonl", "deep/er/b.ndjson.gz", ".hidden/c.jsonl", "notes.txt", "d.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(gzip.compress(LINES) if name.endswith("gz") else LINES)
    found = read([str(tmp_path)], OPTIONS)
    names = [Path(entry.path).relative_to(tmp_path).as_posix() for entry in found.accounting.sources]
    assert (["a.jsonl", "d.log", "deep/er/b.ndjson.gz"], 15) == (names, found.total_calls())


def test_a_file_named_twice_is_read_once(folder: Path) -> None:
    (folder / "log.jsonl").write_bytes(LINES)
    path = str(folder / "log.jsonl")
    assert 5 == read([path, path, str(folder / "lo*.jsonl")], OPTIONS).total_calls()


def test_a_source_has_the_size_and_hash_of_its_raw_bytes(folder: Path) -> None:
    import hashlib

    packed = gzip.compress(LINES)
    (found,) = profile(folder, packed).accounting.sources
    assert (len(packed), hashlib.sha256(packed).hexdigest()) == (found.bytes, found.sha256)


def test_repeats_by_id_are_left_out_and_retries_counted_once(folder: Path) -> None:
    call = {**CALLS[0], "request_id": "r"}
    failed = {**call, "timestamp": "2026-01-15T09:59:00Z", "status": 429, "input_tokens": 0, "output_tokens": 0}
    found = profile(folder, b"".join(line(each) + b"\n" for each in (failed, call, call, failed)))
    (hits, logical) = (found.total_calls(), sum(cell.logical for cell in found.cells.values()))
    assert (2, 1, 2) == (hits, logical, found.accounting.lines.duplicates)


def test_an_id_with_other_content_is_another_call(folder: Path) -> None:
    call = {**CALLS[0], "request_id": "r"}
    found = profile(folder, line(call) + b"\n" + line({**call, "output_tokens": 9}) + b"\n")
    assert (2, 1) == (found.total_calls(), found.accounting.warnings["id_reused"].count)


@pytest.mark.parametrize(
    ("where", "expected"),
    [({"model": "o3"}, 5), ({"user": "é2"}, 1), ({"tag.user": "é2"}, 1), ({"user": "none"}, 0), ({"provider": "x"}, 0)],
)
def test_where_keeps_the_calls_that_fit(folder: Path, where: dict[str, str], expected: int) -> None:
    found = profile(folder, LINES, ReadOptions(where=where))
    lines = found.accounting.lines
    assert (expected, 5, 5 - expected) == (found.total_calls(), lines.calls, lines.filtered)


def test_since_and_until_cut_at_any_instant(folder: Path) -> None:
    start = 1_768_471_200 * 10**9
    options = ReadOptions(since_ns=start + 2 * 10**9, until_ns=start + 4 * 10**9)
    assert 2 == profile(folder, LINES, options).total_calls()


def test_an_unknown_format_is_refused_with_a_suggestion(folder: Path) -> None:
    with pytest.raises(LlmmigrateError) as caught:
        profile(folder, LINES, ReadOptions(log_format="openai_chatt"))
    assert "did you mean 'openai_chat'?" == caught.value.fix


def test_a_forced_format_refuses_other_records(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        profile(folder, LINES, ReadOptions(log_format="langfuse"))
    assert "no_records" == caught.value.code


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n \n", "only blank lines"),
        (bytes(range(256)) * 4, "binary"),
        (b"<html><body>502</body></html>", "HTML"),
        (b"date,amount\n2026-01-01,3\n", "CSV with the headers date, amount"),
    ],
)
def test_a_file_without_calls_says_what_it_is(folder: Path, data: bytes, words: str) -> None:
    with pytest.raises(InputError) as caught:
        profile(folder, data)
    assert words in (caught.value.why or "")


def test_one_bad_file_among_good_ones_is_a_warning(folder: Path) -> None:
    (folder / "good.jsonl").write_bytes(LINES)
    (folder / "page.jsonl").write_bytes(b"<html></html>\n")
    found = read([str(folder / "good.jsonl"), str(folder / "page.jsonl")], OPTIONS)
    (seen,) = found.accounting.warnings["file_without_calls"].first
    assert seen.endswith("page.jsonl is an HTML or XML page")


def test_a_call_in_the_future_is_kept_out_of_the_span(folder: Path) -> None:
    future = {**CALLS[0], "timestamp": "2031-01-01T00:00:00Z"}
    found = profile(folder, LINES + line(future) + b"\n")
    assert (6, 1_768_471_205 * 10**9, 1) == (
        found.total_calls(), found.last_ns, found.accounting.warnings["future_timestamp"].count
    )  # fmt: skip


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.lists(clean_records(), min_size=1, max_size=5))
def test_every_call_is_handed_out_with_its_place(folder: Path, values: list[Any]) -> None:
    seen: list[tuple[Call, str]] = []
    path = folder / "placed.jsonl"
    path.write_bytes(b"".join(line(value) + b"\n" for value in values))
    found = read([str(path)], OPTIONS, on_call=lambda call, place: seen.append((call, place)))
    assert [f"{path}:{number}" for number in range(1, len(values) + 1)] == [place for _, place in seen]
    assert sum(call.input_tokens for call, _ in seen) == sum(sum(cell.tokens[:5]) for cell in found.cells.values())


def test_a_stream_of_chunks_without_usage_is_one_call_without_usage(tmp_path: Path) -> None:
    """Only when all chunks were read is it known that none of them has usage."""
    chunk = {"object": "chat.completion.chunk", "created": 1772439300, "model": "gpt-4.1-mini", "choices": []}
    rows = [
        {**chunk, "id": "c1", "usage": None},
        {**chunk, "id": "c1", "usage": None},
        {**chunk, "id": "c2", "usage": None},
        {**chunk, "id": "c2", "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}},
    ]
    path = tmp_path / "chunks.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    profile = read([str(path)], ReadOptions())
    states = sorted((key.usage, cell.calls) for key, cell in profile.cells.items())
    assert ([("known", 1), ("missing", 1)], 1) == (states, profile.accounting.warnings["usage_missing"].count)
