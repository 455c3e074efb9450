"""The quick lane equals the line-by-line reader, byte for byte, whatever the log holds."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.logs.generated import EPOCH, logs

from llmmigrate.errors import LlmmigrateError
from llmmigrate.logs import quick, reader, rows, scan, source
from llmmigrate.logs.reader import ReadOptions, read
from llmmigrate.units import NANOSECONDS
from llmmigrate.usage import store
from llmmigrate.usage.cuts import CutMarks

MARKS = CutMarks(
    instants=(EPOCH + 100, EPOCH + 90_000),
    clocks=(("Asia/Shanghai", 0), ("Asia/Shanghai", 540), ("America/Los_Angeles", 30)),
    prompt=(8192, 200_000, 272_000),
    output=(1000,),
)
OPTIONS = ReadOptions(marks=MARKS, now_ns=(EPOCH + 40 * 86_400) * NANOSECONDS)
VARIANTS = [
    OPTIONS,
    msgspec.structs.replace(OPTIONS, tags=("team", "route"), provider="azure"),
    msgspec.structs.replace(
        OPTIONS, timed_sketches=True, marks=msgspec.structs.replace(MARKS, zone="Europe/Berlin", unit="hour")
    ),
    msgspec.structs.replace(OPTIONS, since_ns=(EPOCH + 60) * NANOSECONDS, until_ns=(EPOCH + 90_000) * NANOSECONDS + 1),
]


def outcome(path: Path, options: ReadOptions) -> bytes:
    """The profile's bytes, or the error."""
    try:
        return store.dump(read([str(path)], options))
    except LlmmigrateError as error:
        return f"{error.code}: {error.what} {error.why}".encode()


@pytest.fixture
def quick_from_the_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever may be read by columns is, in blocks of a few lines."""
    monkeypatch.setattr(reader, "QUICK_AFTER", 2)  # the switch happens within the log
    monkeypatch.setattr(reader, "QUICK_FROM", 0)
    monkeypatch.setattr(quick, "ODD_SHARE", 0.001)  # as long as there is a regular row


@pytest.fixture(params=["compiled", "rows"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Blocks are read by compiled code as far as it vouches for them, or by rows alone."""
    if request.param == "rows":
        monkeypatch.setattr(scan, "library", lambda: None)
    elif scan.library() is None:
        pytest.skip("no C compiler when this was installed")
    return str(request.param)


@pytest.mark.usefixtures("quick_from_the_first_line", "reading")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(log=logs(), options=st.sampled_from(VARIANTS), block=st.sampled_from([700, 2000, 1 << 20]),
       words=st.sampled_from([(64, 16), (2, 2), (3, 0)]))  # fmt: skip
@example(log=b'{"timestamp": "2026-01-15T10:00:00Z", "model": "o3", "input_tokens": 1, "output_tokens": 2}\n',
         options=OPTIONS, block=2000, words=(64, 16))  # fmt: skip
def test_columns_equal_line_by_line(
    tmp_path_factory: pytest.TempPathFactory, log: bytes, options: ReadOptions, block: int, words: tuple[int, int]
) -> None:
    path = tmp_path_factory.getbasetemp() / "generated.jsonl"
    path.write_bytes(log)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "BLOCK", block)
        patch.setattr(rows, "MOST_WORDS", words[0])
        patch.setattr(rows, "MOST_LESSONS", words[1])
        by_columns = outcome(path, options)
        patch.setattr(reader.Reader, "_may_be_quick", lambda *_: False)
        assert outcome(path, options) == by_columns


@pytest.mark.usefixtures("quick_from_the_first_line", "reading")
def test_words_that_come_later_are_read_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields whose words are known by then: a new model, a number for a team, another escape, a missing one."""
    teams = ['"team": "search", ', '"team": "se\\u0061rch", ', '"team": 7, ', '"team": null, ', "", '"team": true, ']
    later = ["o3", "o3-mini", "模型"]
    monkeypatch.setattr(source, "BLOCK", 400)
    path = tmp_path / "log.jsonl"
    lines = [
        f'{{"timestamp": "2026-01-15T10:00:{number % 60:02d}Z", "model": "{later[min(number // 20, 2)]}", '
        f'{teams[max(number - 30, 0) % 6]}"input_tokens": {number + 1}, "output_tokens": 2}}'
        for number in range(100)
    ]
    path.write_text("\n".join(lines) + "\n")
    options = msgspec.structs.replace(OPTIONS, tags=("team",))
    by_columns = outcome(path, options)
    assert b"o3-mini" in by_columns
    assert "模型".encode() in by_columns
    monkeypatch.setattr(reader.Reader, "_may_be_quick", lambda *_: False)
    assert outcome(path, options) == by_columns


def both_ways(path: Path, options: ReadOptions, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bytes]:
    """What reading by blocks gives, and what reading line by line does."""
    by_columns = outcome(path, options)
    with monkeypatch.context() as patch:
        patch.setattr(reader.Reader, "_may_be_quick", lambda *_: False)
        return by_columns, outcome(path, options)


LINE = (
    '{{"timestamp": "2026-01-15T10:00:{second:02d}Z", "model": "o3", {field}, "input_tokens": 5, "output_tokens": 3}}'
)


@pytest.mark.usefixtures("quick_from_the_first_line", "reading")
@pytest.mark.parametrize(
    "fields",
    [
        ['"team": 1', '"team": true', '"team": 1.0', '"team": false', '"team": 0', '"team": "1"', '"team": 0.0'],
        ['"latency_ms": 20000000000', '"latency_ms": 10000000000', '"latency_ms": 12000000000.5', '"latency_ms": 1e10'],
        ['"latency_ms": 3304.1234567890123', '"latency_ms": 0.1', '"latency_ms": 1e-7', '"latency_ms": 123456789.125'],
        ['"cost_usd": 0.30000000000000004', '"cost_usd": 1e-05', '"cost_usd": -0.0', '"cost_usd": 4.35'],
        ['"prompt": "a"', '"prompt": "b"', '"api_key": "x"', '"api_key": "y"'],
        ['"status": 1', '"status": true', '"status": "200"', '"status": 200', '"status": 200.0', '"status": 429'],
        ['"request_id": "é"', '"request_id": "\\u00e9"', '"request_id": ""', '"request_id": null'],
        ['"x": 1, "x": 2', '"input_tokens": 7', '"x": 01', '"x": 1.', '"x": -', '"x": tru', '"x": "\\q"', '"x": 1e5'],
        ['"note": 1', '"a\\tb": 1', '"a\\"b": 1', '"a\\\\b": 1', '"\\ud800": 1', '"x": 1', '"x\\u0000": 2', '"": 1'],
        ['"attempt": 1', '"attempt": -1', '"attempt": 1.5', '"attempt": null', '"attempt": true'],
        ['"input_tokens_details": 1', '"reasoning_tokens": 2', '"reasoning_tokens": 4', '"cached_input_tokens": 6'],
    ],
)  # fmt: skip
def test_what_is_equal_to_python_is_told_apart(
    fields: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "BLOCK", 700)
    path = tmp_path / "log.jsonl"
    lines = [LINE.format(second=number, field=fields[number % len(fields)]) for number in range(60)]
    path.write_text("\n".join(lines) + "\n")
    options = msgspec.structs.replace(OPTIONS, tags=("team", "prompt", "api_key", "x"))
    by_columns, by_line = both_ways(path, options, monkeypatch)
    assert by_columns == by_line
