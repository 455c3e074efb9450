"""Whatever stands in a file: the accounting adds up, nothing is negative, and an error is one of ours."""

import bz2
import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import ROOT
from tests.logs.generated import NO_RECORDS, logs

from llmmigrate.errors import LlmmigrateError
from llmmigrate.logs.reader import ReadOptions, read
from llmmigrate.usage import store
from llmmigrate.usage.profile import Profile

CASES = sorted((ROOT / "tests" / "logs" / "cases").glob("*/in.jsonl"))
SAMPLES = sorted((ROOT / "samples").glob("*.jsonl"))
OPTIONS = ReadOptions(tags=("user", "team"), keep_text=True, now_ns=1_795_305_600 * 10**9)
TOKENS = [
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"\n", b"null", b"true", b"-1", b"1e999", b"NaN", b"\\u0000", b"\\ud800",
    b"\xff", b"\0", b"usage", b"input_tokens", b"9" * 40, b"{}", b"[]", b"\xef\xbb\xbf", b"\x1f\x8b", b"'",
]  # fmt: skip


def lines_of(paths: list[Path]) -> list[bytes]:
    return [line for path in paths for line in path.read_bytes().splitlines()[:40]]


VALID = lines_of([*CASES, *SAMPLES])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A few valid lines of any formats with some bytes removed, repeated or replaced."""
    text = bytearray(b"\n".join(draw(st.lists(st.sampled_from(VALID), min_size=1, max_size=4))) + b"\n")
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 3, 20, 200]))
        text[at : at + length] = draw(
            st.sampled_from([b"", *TOKENS]) | st.binary(max_size=4) | st.just(text[at - 30 : at])
        )
    return bytes(text)


def check(profile: Profile) -> None:
    lines = profile.accounting.lines
    assert lines.add_up()
    assert min(lines.total, lines.calls, lines.blank, lines.rejected, lines.duplicates, lines.other) >= 0
    for cell in profile.cells.values():
        assert min(cell.calls, cell.logical, *cell.tokens, *cell.moments.values(), cell.searches, cell.images) >= 0
        assert cell.logical <= cell.calls
    data = store.dump(profile)
    assert data == store.dump(store.load(data, "saved"))


def survive(folder: Path, data: bytes) -> None:
    path = folder / "fuzzed.jsonl"
    path.write_bytes(data)
    try:
        profile = read([str(path)], OPTIONS, on_call=lambda call, place: None)
    except LlmmigrateError as error:
        assert error.what
    else:
        check(profile)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def test_a_chunk_whose_id_has_a_broken_name(folder: Path) -> None:
    survive(
        folder,
        b'{"{id": "c1", "object": "chat.completion.chunk", "created": 1772439300, "model": "gpt-4.1-mini",'
        b' "choices": [{"index": 0, "delta": {"content": "Hi"}}], "usage": null}\n',
    )


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=mutated())
def test_mutated_records_of_any_format(folder: Path, data: bytes) -> None:
    survive(folder, data)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=logs())
def test_dirty_flat_logs(folder: Path, data: bytes) -> None:
    survive(folder, data)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=80) | st.lists(st.sampled_from([*TOKENS, *NO_RECORDS]), max_size=12).map(b"".join))
def test_bytes_of_any_kind(folder: Path, data: bytes) -> None:
    survive(folder, data)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(pack=st.sampled_from([gzip.compress, bz2.compress, zstandard.compress]), data=st.data())
def test_damaged_compressed_files(folder: Path, pack: Callable[[bytes], bytes], data: st.DataObject) -> None:
    packed = bytearray(pack(b"\n".join(VALID[:5]) + b"\n") + pack(VALID[5] + b"\n"))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(packed) - 1))
        packed[at : at + data.draw(st.sampled_from([1, 1, 40]))] = data.draw(st.binary(max_size=2))
    survive(folder, bytes(packed))


def test_many_seeded_mutations_of_single_bytes(folder: Path) -> None:
    """Cheaper than the properties above, so more of it: one file of hundreds of damaged lines."""
    chance = random.Random(11)
    damaged: list[bytes] = []
    for line in VALID * 2:
        text = bytearray(line)
        for _ in range(chance.randrange(1, 4)):
            text[chance.randrange(len(text))] = chance.randrange(256)
        damaged.append(bytes(text).replace(b"\n", b" "))
    path = folder / "damaged.jsonl"
    path.write_bytes(VALID[0] + b"\n" + b"\n".join(damaged))
    profile = read([str(path)], OPTIONS)
    check(profile)
    assert profile.accounting.lines.total >= len(damaged) + 1
