"""The user's own measures, as real functions and programs."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.shadow.asking import pair

from llmmigrate.errors import UnknownNameError, UsageError
from llmmigrate.shadow.own_measures import own_measure
from llmmigrate.shadow.scoring import Alike, Measure, scores


def score(measure: Measure, current: str = "a b", target: str = "a c") -> tuple[float | None, str | None]:
    found = scores(pair(current, target), [measure])[measure.name]
    assert isinstance(found, Alike)
    return found.target, found.why


def program(tmp_path: Path, body: str, seconds: float = 30) -> Measure:
    path = tmp_path / "judge.py"
    path.write_text(f"#!{sys.executable} -S\nimport json, sys\ntold = json.load(sys.stdin)\n{body}\n")
    path.chmod(0o755)
    return own_measure(str(path), seconds=seconds, store="full")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_rules_for_test.py").write_text(
        "def same_start(told):\n"
        "    assert told['request']['model'] == 'o3'\n"
        "    return float(told['one']['text'][0] == told['other']['text'][0])\n"
        "def broken(told):\n    return 1 / 0\n"
        "def silent(told):\n    return None\n"
        "def boasting(told):\n    return 1.2\n"
        "def wordy(told):\n    return 'good'\n"
        "number = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return "own_rules_for_test"


def test_a_function(module: str) -> None:
    assert score(own_measure(f"{module}:same_start")) == (1, None)
    assert score(own_measure(f"{module}:same_start"), "x", "y") == (0, None)
    assert score(own_measure(f"{module}:silent")) == (None, None)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("broken", "ZeroDivisionError: division by zero"),
        ("boasting", "the score is not between 0 and 1: 1.2"),
        ("wordy", "the score is no number: 'good'"),
    ],
)
def test_a_function_that_fails_is_not_measured(module: str, name: str, why: str) -> None:
    assert score(own_measure(f"{module}:{name}", store="full")) == (None, why)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("broken", "ZeroDivisionError"),
        ("boasting", "the score is not between 0 and 1"),
        ("wordy", "the score is no number"),
    ],
)
def test_what_a_function_says_is_kept_with_all_texts_only(module: str, name: str, why: str) -> None:
    assert score(own_measure(f"{module}:{name}")) == (None, why)
    assert score(own_measure(f"{module}:{name}", store="hashes")) == (None, why)


@pytest.mark.parametrize("name", ["absent", "number"])
def test_a_function_that_is_none_is_refused_before_the_run(module: str, name: str) -> None:
    with pytest.raises(UsageError):
        own_measure(f"{module}:{name}")


def test_a_module_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be loaded"):
        own_measure("no_such_module_anywhere:f")


def test_a_program(tmp_path: Path) -> None:
    judge = program(tmp_path, "print(0.25 if told['one']['text'] != told['other']['text'] else 1)")
    assert judge.name == "judge.py"
    assert score(judge) == (0.25, None)
    assert score(judge, "a", "a") == (1, None)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("sys.exit('out of\\nbeans')", "the program ended with 1: out of beans"),
        ("print('fine')", "the program wrote no JSON: fine"),
        ("print('')", "the program wrote no JSON: "),
        ("print('NaN')", "the score is not between 0 and 1: nan"),
        ("print('true')", "the score is no number: True"),
        ("print('null')", None),
    ],
)
def test_a_program_that_fails_is_not_measured(tmp_path: Path, body: str, why: str | None) -> None:
    assert score(program(tmp_path, body)) == (None, why)


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    path = tmp_path / "slow"
    path.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path}/child\nwait\n")
    path.chmod(0o755)
    assert score(own_measure(str(path), seconds=1)) == (None, "the program took longer than 1 s")
    child = int((tmp_path / "child").read_text())
    for _ in range(200):
        if not runs(child):
            break
        time.sleep(0.05)
    assert not runs(child)


def runs(process: int) -> bool:
    """Whether a process goes on; one that has ended and waits to be counted does not."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return found.stdout.strip() not in ("", "Z")


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("x")
    with pytest.raises(UsageError, match="no program that can be run"):
        own_measure(os.fspath(plain))
    with pytest.raises(UnknownNameError) as caught:
        own_measure("exact_mach")
    assert caught.value.fix == "did you mean 'exact_match'?"
