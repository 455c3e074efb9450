"""The file that records are added to: what is in it stays readable, and so do the records."""

import bz2
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard
from tests.conftest import Outcome
from tests.recording.scripted import CHAT, upstream, whole

from llmmigrate.errors import UsageError
from llmmigrate.recording import Recorder, Transport

OLD = b'{"model": "gpt-4o-mini", "input_tokens": 7, "output_tokens": 3}'
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "bz2": bz2.compress,
}


def called(path: Path, times: int) -> None:
    """Calls that are recorded in a file."""
    transport: Any = Transport(path)
    with upstream(whole) as url, httpx.Client(transport=transport) as client:
        for _ in range(times):
            client.post(f"{url}/chat/completions", content=CHAT)


@pytest.mark.parametrize("before", [b"", OLD + b"\n", OLD, OLD + b"\n" + OLD], ids=["empty", "ended", "one", "two"])
def test_records_begin_on_a_line_of_their_own(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(before)
    called(path, 2)
    called(path, 1)
    found = [json.loads(line)["input_tokens"] for line in path.read_bytes().splitlines()]
    assert found == [7] * before.count(b"model") + [5] * 3


def test_nothing_is_written_where_nothing_is_called(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(OLD)
    called(path, 0)
    assert path.read_bytes() == OLD


def test_what_is_no_regular_file_is_written_to_unseen() -> None:
    called(Path(os.devnull), 1)


@pytest.mark.parametrize("kind", PACKED)
def test_a_packed_file_is_refused_before_anything_starts(
    llmmigrate: Callable[..., Outcome], tmp_path: Path, kind: str
) -> None:
    path, started = tmp_path / "run.jsonl", tmp_path / "started"
    path.write_bytes(packed := PACKED[kind](OLD))
    outcome = llmmigrate("record", "-o", str(path), "--", "touch", str(started))
    assert (outcome.code, started.exists(), path.read_bytes() == packed) == (2, False, True)
    assert outcome.err.splitlines()[0] == f"error: {path} is compressed ({kind}), and records are added as plain lines"
    with pytest.raises(UsageError, match="is compressed"):
        Transport(path)


@pytest.mark.parametrize("name", ["run.jsonl.gz", "run.jsonl.zst", "run.jsonl.bz2", "RUN.GZ"])
def test_a_name_of_a_packed_file_is_refused_before_anything_starts(
    llmmigrate: Callable[..., Outcome], tmp_path: Path, name: str
) -> None:
    outcome = llmmigrate("record", "-o", str(tmp_path / name), "--", "touch", str(tmp_path / "started"))
    assert (outcome.code, list(tmp_path.iterdir())) == (2, [])
    assert "is the name of a compressed file" in outcome.err.splitlines()[0]
    with pytest.raises(UsageError, match="is the name of a compressed file"):
        Recorder(tmp_path / name)


def test_stdout_is_refused_since_the_command_has_it(
    llmmigrate: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = llmmigrate("record", "-o", "-", "--", "touch", "started")
    assert (outcome.code, outcome.out, list(tmp_path.iterdir())) == (2, "", [])
    assert outcome.err.splitlines()[0] == "error: records are written to a file, not to stdout"
    assert "calls.jsonl" in outcome.err
