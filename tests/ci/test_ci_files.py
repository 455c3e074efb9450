"""The jobs that `init --ci` writes: their own commands, run in a clean clone. pip is the one that is not run."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import Outcome
from tests.endpoints.fault_server import FaultServer

Run = Callable[..., Outcome]
PLACES = {"github": ".github/workflows/llmmigrate.yml", "gitlab": ".gitlab/llmmigrate.yml"}
EVAL = """\
import json, os, urllib.request

def test_it_answers():
    body = json.dumps({"model": "gpt-4.1", "messages": [{"role": "user", "content": "hi"}]}).encode()
    asked = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body)
    assert json.load(urllib.request.urlopen(asked))["choices"]
"""


def calls(tokens: int) -> str:
    records = [
        {"timestamp": f"2026-11-20T10:00:{i % 60:02d}Z", "request_id": f"{tokens}-{i}", "model": "gpt-4.1",
         "input_tokens": 500 + i % 7, "output_tokens": tokens + i % 11} for i in range(200)
    ]  # fmt: skip
    return "".join(json.dumps(record) + "\n" for record in records)


def commands(system: str) -> dict[str, str]:
    """What the job runs, by its subcommand of llmmigrate; what fetches and installs is left out but for git."""
    job: Any = yaml.safe_load(Path(PLACES[system]).read_text())
    if system == "github":
        lines = [step["run"] for step in job["jobs"]["cost"]["steps"] if "run" in step]
    else:
        lines = job["llmmigrate"]["script"]
    assert lines[0] == "pip install llmmigrate"
    return {line.split()[1]: line for line in lines[1:]}


def sh(line: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """A line as a runner runs it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    held = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", line],
        env={**held, "PATH": path, "BRANCH": "main", "GITHUB_STEP_SUMMARY": "summary.md", **more},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def clone(llmmigrate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone of a repository whose main branch has a baseline; it is the working directory."""
    origin, who = tmp_path / "origin", "-c user.name=a -c user.email=a@example.org -c init.defaultBranch=main"
    origin.mkdir()
    monkeypatch.chdir(origin)
    Path("base.jsonl").write_text(calls(100))
    assert llmmigrate("check", "base.jsonl", "--update-baseline").code == 0
    made = sh(f"git {who} init -q; git add -f .llmmigrate; git {who} commit -qm a; git clone -q . ../clone")
    assert made.returncode == 0, made.stderr
    monkeypatch.chdir(tmp_path / "clone")


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize("system", ["github", "gitlab"])
def test_the_job_is_green_and_red_as_the_check_is(llmmigrate: Run, system: str) -> None:
    written = llmmigrate("init", "--ci", system)
    assert (written.code, written.err.splitlines()[0]) == (0, f"wrote {PLACES[system]}")
    run = commands(system)
    if system == "gitlab":
        fetched = sh(run["fetch"])
        assert fetched.returncode == 0, fetched.stderr
    for tokens, code, verdict in ((100, 0, "PASS"), (160, 1, "FAIL")):
        Path("run.jsonl").write_text(calls(tokens))
        done = sh(run["check"])
        assert (done.returncode, verdict in done.stdout) == (code, True), done.stderr
        assert json.loads(Path("llmmigrate-check.json").read_text())["verdict"] == verdict.lower()
    assert Path("summary.md" if system == "github" else "llmmigrate-check.xml").is_file()


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize("system", ["github", "gitlab"])
def test_the_job_records_what_the_tests_call(llmmigrate: Run, system: str) -> None:
    llmmigrate("init", "--ci", system)
    Path("evals").mkdir()
    Path("evals/test_answers.py").write_text(EVAL)
    with FaultServer() as vendor:
        done = sh(commands(system)["record"], OPENAI_BASE_URL=vendor.base_url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(Path("run.jsonl").read_text().splitlines()) == 1


def test_no_expression_stands_in_a_command(llmmigrate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch may be called anything: its name is data, never a part of a script."""
    monkeypatch.chdir(tmp_path)
    for system in PLACES:
        llmmigrate("init", "--ci", system)
        assert [line for line in commands(system).values() if "${{" in line] == []


def test_what_is_there_stays_and_what_is_unknown_is_told(
    llmmigrate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = Path(PLACES["github"])
    place.parent.mkdir(parents=True)
    place.write_text("mine")
    told = [llmmigrate("init", "--ci", "github"), llmmigrate("init", "--ci", "githab"),
            llmmigrate("init", "--ci", "github", "--rollout")]  # fmt: skip
    assert [(outcome.code, outcome.err.splitlines()[0]) for outcome in told] == [
        (2, f"error: {place} already exists"), (2, "error: unknown CI system 'githab'"),
        (2, "error: --ci writes a job alone"),
    ]  # fmt: skip
    assert (place.read_text(), Path("llmmigrate.yaml").exists()) == ("mine", False)
    assert llmmigrate("init", "--ci", "github", "--force").code == 0
    assert place.read_text() != "mine"
