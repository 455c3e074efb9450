"""Profiles add: reading two logs is reading both, in any order, also through saved files."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.logs.generated import EPOCH, NO_RECORDS, line, records
from tests.logs.profiles import content, counts, document, read_bytes

from llmmigrate.logs.reader import ReadOptions, read
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage import store
from llmmigrate.usage.cuts import CutMarks
from llmmigrate.usage.profile import Profile

MARKS = CutMarks(instants=(EPOCH + 100,), clocks=(("Asia/Shanghai", 540),), prompt=(8192, 200_000), output=(1000,))
NOW = (EPOCH + 40 * 86_400) * NANOSECONDS
OPTIONS = ReadOptions(marks=MARKS, now_ns=NOW, tags=("team",))
A_CALL = b'{"timestamp": "2026-01-15T10:00:00Z", "model": "o3", "input_tokens": 3, "output_tokens": 4}'
property_settings = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("additive")


def named(record: dict[str, Any], name: str) -> dict[str, Any]:
    """The record with an id of its own, so that logs share no identity."""
    return {**record, "request_id": name}


@st.composite
def logs_of(draw: st.DrawFn, name: str) -> bytes:
    """A log of identified calls and broken lines, with at least one call."""
    drawn = draw(st.lists(records(), max_size=6))
    lines = [line(named(record, f"{name}{number // 2}")) for number, record in enumerate(drawn)]
    lines += draw(st.lists(st.sampled_from(NO_RECORDS), max_size=2))
    own = A_CALL[:-1] + f', "request_id": "{name}"}}'.encode()
    return b"".join(part + b"\n" for part in [*draw(st.permutations(lines)), own])


def again(profile: Profile) -> Profile:
    """The profile after it was saved and loaded."""
    data = store.dump(profile)
    loaded = store.load(data, "saved")
    assert data == store.dump(loaded)
    return loaded


@property_settings
@given(a=logs_of("a"), b=logs_of("b"))
def test_two_logs_add_up_to_both(folder: Path, a: bytes, b: bytes) -> None:
    parts = read_bytes(folder, a, OPTIONS, "a.jsonl") + read_bytes(folder, b, OPTIONS, "b.jsonl")
    whole = read([str(folder / "a.jsonl"), str(folder / "b.jsonl")], OPTIONS)
    assert (content(whole), counts(whole)) == (content(parts), counts(parts))


@property_settings
@given(a=logs_of("a"), b=logs_of("b"))
def test_one_file_is_the_sum_of_its_parts(folder: Path, a: bytes, b: bytes) -> None:
    parts = read_bytes(folder, a, OPTIONS) + read_bytes(folder, b, OPTIONS)
    whole = read_bytes(folder, a + b, OPTIONS)
    assert (content(whole), counts(whole)) == (content(parts), counts(parts))


@property_settings
@given(a=logs_of("a"), b=logs_of("b"), c=logs_of("c"))
def test_the_order_of_adding_does_not_matter(folder: Path, a: bytes, b: bytes, c: bytes) -> None:
    one, two, three = (again(read_bytes(folder, log, OPTIONS)) for log in (a, b, c))
    left, right = (one + two) + three, three + (again(two + one))
    assert (content(left), counts(left)) == (content(right), counts(right))


@property_settings
@given(a=logs_of("a"), b=logs_of("b"))
def test_saved_profiles_are_read_like_the_logs_they_came_from(folder: Path, a: bytes, b: bytes) -> None:
    saved = folder / "a.profile.json"
    saved.write_bytes(store.dump(read_bytes(folder, a, OPTIONS, "a.jsonl")))
    (folder / "b.jsonl").write_bytes(b)
    from_saved = read([str(saved), str(folder / "b.jsonl")], OPTIONS)
    from_logs = read([str(folder / "a.jsonl"), str(folder / "b.jsonl")], OPTIONS)
    assert document(from_logs) == document(from_saved)


@property_settings
@given(a=logs_of("a"))
def test_a_saved_profile_answers_for_fewer_tags(folder: Path, a: bytes) -> None:
    saved = folder / "tagged.profile.json"
    untagged = ReadOptions(marks=MARKS, now_ns=NOW)
    saved.write_bytes(store.dump(read_bytes(folder, a, OPTIONS)))
    assert content(read_bytes(folder, a, untagged)) == content(read([str(saved)], untagged))


@property_settings
@given(log=logs_of("a"), where=st.sampled_from(["s1", "é", "true", "2"]))
def test_a_saved_profile_is_filtered_like_its_log(folder: Path, log: bytes, where: str) -> None:
    filtered = ReadOptions(marks=MARKS, now_ns=NOW, tags=("team",), where={"team": where})
    saved = folder / "filtered.profile.json"
    saved.write_bytes(store.dump(read_bytes(folder, log, OPTIONS)))
    from_log, from_saved = read_bytes(folder, log, filtered), read([str(saved)], filtered)
    parts = ("cells", "sketches")
    assert {part: content(from_log)[part] for part in parts} == {part: content(from_saved)[part] for part in parts}
    assert from_log.accounting.lines == from_saved.accounting.lines


def test_profiles_of_different_tags_do_not_add() -> None:
    with pytest.raises(ValueError, match="different tags"):
        Profile(MARKS, ("team",)).merge(Profile(MARKS))


def test_added_profiles_keep_only_marks_that_both_were_cut_at() -> None:
    added = Profile(MARKS) + Profile(CutMarks(instants=(EPOCH + 100, EPOCH + 200), prompt=(8192,)))
    assert CutMarks(instants=(EPOCH + 100,), prompt=(8192,)) == added.marks


def test_a_profile_holds_no_text(folder: Path) -> None:
    record = {**json.loads(A_CALL), "prompt": "a secret text", "request_id": "an id", "session_id": "a session"}
    saved = store.dump(read_bytes(folder, line(record) + b"\n", OPTIONS))
    assert [] == [text for text in (b"secret", b"an id", b"a session") if text in saved]
