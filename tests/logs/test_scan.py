"""What compiled code vouches for is what it seems, and it reads no byte beyond its block."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmmigrate.logs import native, scan
from llmmigrate.logs.lane import Codes, Fields
from llmmigrate.logs.rows import shape_of
from llmmigrate.usage.columns import ColumnWriter
from llmmigrate.usage.cuts import CutMarks, Cuts
from llmmigrate.usage.profile import Profile

RECORD: dict[str, Any] = {
    "timestamp": "2026-01-15T10:00:00.25Z",
    "request_id": "r1",
    "provider": "openai",
    "model": "o3",
    "input_tokens": 10,
    "output_tokens": 5,
    "cached_input_tokens": 4,
    "latency_ms": 12.5,
    "status": 429,
    "session_id": "s",
    "cost_usd": 0.25,
    "note": "x",
    "team": "search",
}
ASAN = "-fsanitize=address,undefined"

pytestmark = pytest.mark.skipif(scan.library() is None, reason="no C compiler when this was installed")


def read(block: bytes, record: dict[str, Any] = RECORD) -> Fields | None:
    """The fields of a block, by a scanner for records like this one."""
    shape = shape_of(record)
    assert shape is not None
    scanner = scan.Scanner.of(shape, ("team",))
    assert scanner is not None
    writer = ColumnWriter(Profile(CutMarks(), ("team",)), Cuts(CutMarks()))
    return scanner.read(block, Codes(writer, None))


def line(**changes: Any) -> bytes:
    """A record with changes, as a line."""
    return json.dumps(RECORD | changes, ensure_ascii=False).encode() + b"\n"


def odd(block: bytes) -> list[bool]:
    """Which lines behind many regular ones are odd."""
    fields = read(line() * 2000 + block)
    assert fields is not None
    assert not fields.odd[:2000].any()
    found: list[bool] = fields.odd[2000:].tolist()
    return found


def test_a_regular_line_is_read() -> None:
    fields = read(
        line() + b'{"output_tokens":1 , "input_tokens": 2,\t"timestamp":"2024-02-29T23:59:59Z","model":null}\r\n'
    )
    assert fields is not None
    assert not fields.odd.any()
    assert fields.start_ns.tolist() == [1_768_471_200_250_000_000, 1_709_251_199_000_000_000]
    assert {name: column.tolist() for name, column in fields.counts.items() if column.any()} == {
        "input_tokens": [10, 2],
        "output_tokens": [5, 1],
        "cached_input_tokens": [4, 0],
    }
    assert fields.latency_ms.tolist()[0] == 12.5
    assert fields.cost_usd.tolist()[0] == 0.25
    assert str(fields.latency_ms.tolist()[1]) == "nan"
    assert (fields.ids, fields.sessions, fields.errors) == (["r1", ""], ["s", ""], {0: "429"})
    assert fields.series.tolist() == [0, 1]


@pytest.mark.parametrize(
    "text",
    [
        b"", b"  ", b"{}", b"[]", b"null", b"{", b'{"timestamp": "2026-01-15T10:00:00Z", "input_tokens": 1}',
        line()[:-2], line()[:-1] + b"}", line()[:-1] + b" {}", line()[:-2] + b",}", line()[1:-1],
        line(timestamp="2026-02-29T10:00:00Z")[:-1], line(timestamp="2026-01-15T10:00:00+00:00")[:-1],
        line(timestamp="2026-01-15T10:00:00.1234567890Z")[:-1], line(timestamp=1)[:-1], line(timestamp=None)[:-1],
        line(input_tokens=-1)[:-1], line(input_tokens=1.0)[:-1], line(input_tokens=None)[:-1],
        line(input_tokens=10**9 + 1)[:-1], line(input_tokens=True)[:-1], line(input_tokens="1")[:-1],
        line(latency_ms=-1)[:-1], line(latency_ms=1e11)[:-1], line(latency_ms="1")[:-1], line(cost_usd=2e6)[:-1],
        line(model=1)[:-1], line(request_id=1)[:-1], line(request_id='a"b')[:-1], line(note=[1])[:-1],
        line(other=1)[:-1], line(note=10**30)[:-1], line()[:-2] + b', "model": "o3"}',
        line(model="a\tb")[:-1].replace(b"\\t", b"\t"),
    ],
)  # fmt: skip
def test_what_is_not_plainly_regular_is_odd(text: bytes) -> None:
    assert odd(text + b"\n" + line()) == [True, False]


def test_a_block_without_its_last_newline_or_with_odd_bytes_is_left_to_others() -> None:
    assert read(line()[:-1]) is None
    assert read(line(note="x").replace(b'"x"', b'"\xff"')) is None
    assert read(line(note="x").replace(b'"x"', b'"\\ud800"')) is None
    assert read(b"x\n" * 2000 + line() * 2000) is None


@given(st.lists(st.floats(0, 1e10) | st.floats(0, 1e-3) | st.integers(0, 10**10), min_size=1, max_size=50))
def test_numbers_are_the_nearest_ones(numbers: list[float]) -> None:
    fields = read(b"".join(line(latency_ms=number) for number in numbers))
    assert fields is not None
    assert not fields.odd.any()
    assert fields.latency_ms.tolist() == [float(number) for number in numbers]


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_counts_are_exact(cached: int, size: int) -> None:
    fields = read(line(input_tokens=size, cached_input_tokens=cached))
    assert fields is not None
    assert (fields.counts["input_tokens"].tolist(), fields.counts["cached_input_tokens"].tolist()) == ([size], [cached])


def test_more_combinations_than_there_is_room_for_are_left_to_others() -> None:
    room = scan.MOST_COMBINATIONS
    assert read(b"".join(line(model=f"m{number}") for number in range(room))) is not None
    assert read(b"".join(line(model=f"m{number}") for number in range(room + 1))) is None


def test_a_library_of_other_sources_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "scan.c"
    changed.write_bytes(native.SOURCES[0].read_bytes() + b"\n")
    monkeypatch.setattr(native, "SOURCES", (changed, native.SOURCES[1]))
    assert native.load() is None


def test_without_a_compiler_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "LIBRARY", tmp_path / "scan.so")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CC", "false")
    assert not native.build()
    assert native.load() is None
    assert list(tmp_path.iterdir()) == []


def test_no_byte_beyond_the_block_is_read(tmp_path: Path) -> None:
    """Mutated blocks through a library with address and undefined-behaviour sanitizers; each has memory of its own."""
    library = tmp_path / "scan.so"
    runtime = subprocess.run(["cc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
    if not Path(runtime.stdout.strip()).is_absolute():
        pytest.skip("no address sanitizer of GCC")
    flags = ["-std=c11", "-O1", "-g", "-shared", "-fPIC", ASAN, "-fno-sanitize-recover=all"]
    command = ["cc", *flags, f'-DSOURCES="{native.sources_hash()}"', str(native.SOURCES[0]), "-o", str(library)]
    subprocess.run(command, check=True, capture_output=True)
    environment = os.environ | {
        "LD_PRELOAD": runtime.stdout.strip(),
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONMALLOC": "malloc",
        "SCANNER": str(library),
    }
    done = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "blocks read" in done.stdout


def _mutated(block: bytes, dice: random.Random) -> bytes:
    """Some bytes changed, cut out or doubled; it may end anywhere."""
    changed = bytearray(block)
    for _ in range(dice.randint(0, 4)):
        at = dice.randrange(len(changed))
        signs = bytes(dice.choice(b'"\\{}[],:\n\r\0 -+.eE0129nutrf\xff') for _ in range(dice.randint(1, 3)))
        changed[at : at + dice.randint(0, 3)] = signs
    end = dice.choice([len(changed), dice.randint(1, len(changed))])
    return bytes(changed[:end]) + dice.choice([b"", b"\n"])


def _fuzz() -> None:
    vars(native)["LIBRARY"] = Path(os.environ["SCANNER"])
    vars(scan)["ODD_SHARE"] = 0.01  # lines that are odd are no reason to stop
    assert scan.library() is not None
    dice = random.Random(1)
    values = [None, 0, 1.5, "x", "é\\", 10**18, True]
    vouched = 0
    for _ in range(4000):
        changes = {name: dice.choice(values) for name in dice.sample(list(RECORD), 2)}
        vouched += read(_mutated(line() * dice.randint(1, 3) + line(**changes), dice)) is not None
    print(f"{vouched} blocks read")
    assert vouched > 1000


if __name__ == "__main__":
    _fuzz()
