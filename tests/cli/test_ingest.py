"""`ingest` as a user types it: profiles, records and rejects; every command reads them like the log."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT, Outcome

Run = Callable[..., Outcome]
FILES = ("logs.jsonl", "openai_chat.jsonl", "litellm.jsonl", "otlp.jsonl")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Parts of the sample logs, with the dirty lines of the first."""
    folder = tmp_path_factory.mktemp("samples")
    for name in FILES:
        lines = (ROOT / "samples" / name).read_bytes().split(b"\n")
        some = [*lines[440:500], *lines[900:910], *lines[-40:]] if name == "logs.jsonl" else [*lines[:40], b""]
        (folder / name).write_bytes(b"\n".join(some))
    return [str(folder / name) for name in FILES]


def total(run: Run, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("analyze", *arguments, "--format", "json").out)["total"]
    return found


@pytest.mark.parametrize("name", ["usage.profile.json", "calls.jsonl"])
def test_what_is_written_is_analysed_like_the_logs(
    llmmigrate: Run, samples: list[str], tmp_path: Path, name: str
) -> None:
    output = str(tmp_path / name)
    assert 0 == llmmigrate("ingest", *samples, "-o", output).code
    assert total(llmmigrate, *samples) == total(llmmigrate, output)


def test_every_line_is_accounted_for_on_stderr(llmmigrate: Run, samples: list[str], tmp_path: Path) -> None:
    outcome = llmmigrate("ingest", samples[0], "-o", str(tmp_path / "calls.jsonl"))
    lines = json.loads(llmmigrate("analyze", samples[0], "--format", "json").out)["lines"]
    said = [int(number) for number in re.findall(r"\d+", outcome.err.splitlines()[0])]
    parts = [lines[name] for name in ("calls", "blank", "rejected", "duplicates", "other") if lines[name]]
    assert ("", [lines["total"], *parts]) == (outcome.out, said)


def test_rejects_are_written_with_place_and_reason(llmmigrate: Run, samples: list[str], tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.jsonl"
    llmmigrate("ingest", samples[0], "-o", str(tmp_path / "calls.jsonl"), "--rejects", str(rejects))
    written = [json.loads(line) for line in rejects.read_text(encoding="utf-8").splitlines()]
    lines = Path(samples[0]).read_text(encoding="utf-8").split("\n")
    assert len(written) == 2
    for reject in written:
        number = int(reject["place"].rpartition(":")[2])
        assert lines[number - 1] == reject["raw"]


def test_strict_with_rejected_lines_is_2(llmmigrate: Run, samples: list[str], tmp_path: Path) -> None:
    assert 2 == llmmigrate("ingest", samples[0], "-o", str(tmp_path / "calls.jsonl"), "--strict").code


def test_a_profile_is_the_same_bytes_each_time(llmmigrate: Run, samples: list[str], tmp_path: Path) -> None:
    paths = [tmp_path / "a.profile.json", tmp_path / "b.profile.json"]
    for path in paths:
        llmmigrate("ingest", *samples[1:], "-o", str(path))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_profiles_and_logs_mix(llmmigrate: Run, samples: list[str], tmp_path: Path) -> None:
    saved = str(tmp_path / "usage.profile.json")
    llmmigrate("ingest", samples[1], "-o", saved)
    assert total(llmmigrate, samples[1], samples[2]) == total(llmmigrate, saved, samples[2])


def test_text_is_kept_only_on_request(llmmigrate: Run, samples: list[str], tmp_path: Path) -> None:
    with_text, without = tmp_path / "text.jsonl", tmp_path / "plain.jsonl"
    llmmigrate("ingest", samples[1], "-o", str(with_text), "--keep-text")
    llmmigrate("ingest", samples[1], "-o", str(without))
    assert (True, False) == ('"response"' in with_text.read_text(), '"response"' in without.read_text())


def test_a_suffix_that_tells_nothing_is_an_error(llmmigrate: Run, samples: list[str], tmp_path: Path) -> None:
    outcome = llmmigrate("ingest", samples[1], "-o", str(tmp_path / "usage.txt"))
    assert (2, True) == (outcome.code, ".profile.json" in outcome.err)
