"""The GitHub action: its own steps, run as a runner runs them, on a clean clone, against a server of its comments.

What is not run here: GitHub's runner itself and `actions/upload-artifact`.
"""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
TOKEN = "a-token-of-the-runner"


def record(i: int, tokens: int) -> str:
    fields = {
        "timestamp": f"2026-11-20T10:00:{i % 60:02d}Z", "request_id": f"{tokens}-{i}", "model": "gpt-4.1",
        "input_tokens": 500 + i % 7, "output_tokens": tokens + i % 11,
    }  # fmt: skip
    return json.dumps(fields) + "\n"


class Comments(http.server.BaseHTTPRequestHandler):
    """GitHub's comments of one pull request, as far as the action speaks to them."""

    held: ClassVar[list[dict[str, Any]]] = []
    tokens: ClassVar[list[str | None]] = []
    refused: ClassVar[frozenset[str]] = frozenset()
    """Methods that the token of a run may not use: those that write, on pull requests of forks."""
    strange: ClassVar[bool] = False
    """Whether a list of comments is none, as from a proxy in between."""

    def parse_request(self) -> bool:
        """Whether to go on with a request; what is refused has been answered."""
        if not super().parse_request():
            return False
        if self.command in self.refused:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer({"message": "Resource not accessible by integration", "status": "403"}, 403)
            return False
        return True

    def do_GET(self) -> None:
        if self.strange:
            self._answer({"message": "Sign in"})
            return
        page = int(self.path.rpartition("page=")[2])
        self._answer(self.held[(page - 1) * 100 : page * 100])

    def do_POST(self) -> None:
        body = self._body()["body"]
        self.held.append({"id": 1000 + len(self.held), "user": {"type": "Bot"}, "body": body})
        self._answer(self.held[-1])

    def do_PATCH(self) -> None:
        (comment,) = [c for c in self.held if c["id"] == int(self.path.rpartition("/")[2])]
        comment["body"] = self._body()["body"]
        self._answer(comment)

    def _body(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return found

    def _answer(self, value: Any, status: int = 200) -> None:
        self.tokens.append(self.headers.get("Authorization"))
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[str]:
    Comments.held = [{"id": n, "user": {"type": "User"}, "body": f"<!-- llmmigrate check -->\n{n}"} for n in range(130)]
    Comments.tokens, Comments.refused, Comments.strange = [], frozenset(), False
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Comments)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Runner:
    """Runs the action's steps as a runner does, in a clean clone of a repository with a committed baseline."""

    def __init__(self, folder: Path, api: str) -> None:
        self.folder, self.work, self.temp = folder, folder / "clone", folder / "temp"
        self.temp.mkdir()
        self.inputs: dict[str, str] = {name: spec.get("default", "") for name, spec in ACTION["inputs"].items()}
        self.inputs["token"] = TOKEN
        self.outputs: dict[str, str] = {}
        self.ran: list[str] = []
        self.number = "7"
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "RUNNER_TEMP": str(self.temp), "GITHUB_API_URL": api,
            "GITHUB_ACTION_PATH": str(ROOT), "GITHUB_REPOSITORY": "a/b", "SOURCE_DATE_EPOCH": "1795348800",
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary.md"), "GITHUB_OUTPUT": str(self.temp / "output"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def step(self, name: str, **extra: str) -> "subprocess.CompletedProcess[str]":
        step = STEPS[name]
        given = {key: self._value(text) for key, text in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=self.work, env={**self.environment, **given, **extra}, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
        output = self.temp / "output"
        if output.is_file():
            self.outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return done

    def _value(self, text: str) -> str:
        """The value of an expression, as far as the action uses them."""
        match = re.fullmatch(r"\$\{\{ (inputs|steps\.check\.outputs)\.(\w+) \}\}", text)
        if match is None:
            assert text == "${{ github.event.pull_request.number }}"
            return self.number
        return (self.inputs if match[1] == "inputs" else self.outputs)[match[2]]

    def holds(self, name: str) -> bool:
        """Whether a step is run: its `if`, as far as the action uses expressions."""

        def value(match: re.Match[str]) -> str:
            return repr(self._value(f"${{{{ {match[0]} }}}}"))

        text = re.sub(r"(?:inputs|steps|github)(?:\.\w+)+", value, STEPS[name].get("if", "True"))
        return bool(eval(text.replace("&&", "and")))

    def kept(self) -> dict[str, str]:
        """What the step that is GitHub's own is asked for."""
        given = {key: str(text) for key, text in STEPS["Keep the result"]["with"].items()}
        return {key: self._value(text) if "${{" in text else text for key, text in given.items()}

    def run(self) -> int:
        """The steps that have a command and whose `if` holds, as after an installation; the exit code of the last."""
        self.ran = []
        for name, step in STEPS.items():
            if name == "Install" or not self.holds(name):
                continue
            self.ran.append(name)
            if "run" in step and name != "Verdict":
                done = self.step(name)
                assert done.returncode == 0, done.stderr
        return self.step("Verdict").returncode


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def runner(tmp_path: Path, api: str) -> Runner:
    origin = tmp_path / "origin"
    origin.mkdir()
    (origin / "base.jsonl").write_text("".join(record(i, 100) for i in range(200)))
    command = [sys.executable, "-m", "llmmigrate", "check", "base.jsonl", "--update-baseline"]
    subprocess.run(command, cwd=origin, check=True, capture_output=True)
    git(origin, "init", "-q")
    git(origin, "add", "-f", ".llmmigrate/baseline.profile.json")
    git(origin, "commit", "-qm", "baseline")
    made = Runner(tmp_path, api)
    git(tmp_path, "clone", "-q", str(origin), "clone")
    made.inputs["logs"] = "run.jsonl\n"
    (made.temp / "llmmigrate" / "bin").mkdir(parents=True)
    (made.temp / "llmmigrate" / "bin" / "llmmigrate").symlink_to(Path(sys.executable).with_name("llmmigrate"))
    return made


def test_it_is_green_then_red_and_keeps_one_comment(runner: Runner) -> None:
    (runner.work / "run.jsonl").write_text("".join(record(i, 100) for i in range(200)))
    assert runner.run() == 0
    (runner.work / "run.jsonl").write_text("".join(record(i, 160) for i in range(200)))
    assert runner.run() == 1
    own = [comment for comment in Comments.held if comment["user"]["type"] == "Bot"]
    assert len(own) == 1
    assert "FAIL: 2 of 2 rules are broken." in own[0]["body"]
    assert set(Comments.tokens) == {f"Bearer {TOKEN}"}
    assert (runner.temp / "summary.md").read_text().count("### Cost of the LLM calls") == 2
    assert json.loads(Path(runner.outputs["json"]).read_text())["verdict"] == "fail"


def test_the_steps_hang_together(runner: Runner) -> None:
    """The result is kept where there is one, under the name asked for; without a pull request nobody comments."""
    (runner.work / "run.jsonl").write_text("".join(record(i, 100) for i in range(200)))
    assert (runner.run(), runner.ran) == (0, ["Check", "Keep the result", "Comment", "Verdict"])
    runner.inputs["artifact"] = "cost-of-evals"
    assert runner.kept() == {"name": "cost-of-evals", "path": runner.outputs["json"], "overwrite": "True"}
    assert json.loads(Path(runner.kept()["path"]).read_text())["schema"] == "llmmigrate.check/1"
    runner.number = ""
    assert (runner.run(), runner.ran) == (0, ["Check", "Keep the result", "Verdict"])
    runner.number, runner.inputs["comment"] = "7", "false"
    assert (runner.run(), runner.ran) == (0, ["Check", "Keep the result", "Verdict"])
    runner.inputs["baseline"] = "git:origin/gone:x.json"
    assert (runner.run(), runner.ran) == (2, ["Check", "Verdict"])


def test_strict_and_a_policy_of_one_s_own_reach_the_check(runner: Runner) -> None:
    (runner.work / "run.jsonl").write_text("".join(record(i, 160) for i in range(200)))
    (runner.work / "loose.yaml").write_text(
        'check: {cost_per_1000_calls: "<= +900%", output_tokens_per_call: "<= +900%"}\n'
    )
    assert (runner.run(), runner.outputs["verdict"]) == (1, "fail")
    runner.inputs["policy"] = "loose.yaml"
    assert (runner.run(), runner.outputs["verdict"]) == (0, "pass")
    (runner.work / "run.jsonl").write_text(record(1, 100))
    assert (runner.run(), runner.outputs["verdict"]) == (0, "pass")
    runner.inputs["strict"] = "true"
    assert (runner.run(), runner.outputs["verdict"]) == (3, "undecided")


def test_logs_are_paths_and_globs_and_never_options(runner: Runner) -> None:
    for name in ("run-1.jsonl", "run-2.jsonl", "other run.jsonl"):
        (runner.work / name).write_text("".join(record(i, len(name) * 20) for i in range(50)))
    runner.inputs["logs"] = "run-*.jsonl\n\nother run.jsonl"
    runner.run()
    found = json.loads(Path(runner.outputs["json"]).read_text())
    assert [source["path"] for source in found["sources"]] == ["run-1.jsonl", "run-2.jsonl", "other run.jsonl"]
    assert found["verdict"] == "fail"
    runner.inputs["logs"] = "other run.jsonl\n--exit-zero"
    assert runner.run() == 2


def test_a_comment_of_nobody_is_passed_over(runner: Runner) -> None:
    """Accounts are deleted, and a comment may be empty."""
    Comments.held = [{"id": 1, "user": None, "body": "x"}, {"id": 2, "user": {"type": "Bot"}, "body": None}]
    (runner.work / "run.jsonl").write_text("".join(record(i, 100) for i in range(200)))
    assert runner.run() == 0
    assert [comment["body"][:4] for comment in Comments.held[2:]] == ["<!--"]


def test_an_answer_that_is_no_list_leaves_the_verdict(runner: Runner) -> None:
    Comments.strange = True
    (runner.work / "run.jsonl").write_text("".join(record(i, 160) for i in range(200)))
    assert runner.run() == 1


def test_every_input_and_output_is_documented() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", page, re.MULTILINE))
    for name, given in ACTION["inputs"].items():
        default = given.get("default")
        assert rows[name] == ("required" if given.get("required") else f"`{default}`" if default else "none"), name
    assert [name for name in ACTION["outputs"] if rows.get(name) != "output"] == []


def test_every_input_is_used_and_every_step_s_command_has_a_test() -> None:
    text = json.dumps(ACTION["runs"])
    assert [name for name in ACTION["inputs"] if f"inputs.{name} " not in text] == []
    assert [name for name, step in STEPS.items() if "run" in step] == ["Install", "Check", "Comment", "Verdict"]
    assert all("shell" in step for step in STEPS.values() if "run" in step)


def test_what_could_not_be_checked_is_red_without_a_comment(runner: Runner) -> None:
    runner.inputs["baseline"] = "git:origin/gone:x.json"
    (runner.work / "run.jsonl").write_text(record(1, 100))
    assert runner.run() == 2
    assert runner.outputs["verdict"] == "error"
    assert Comments.tokens == []


@pytest.mark.parametrize("refused", [{"POST", "PATCH"}, {"GET", "POST", "PATCH"}])
@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize(("tokens", "code"), [(100, 0), (160, 1)])
def test_a_token_that_only_reads_leaves_the_verdict(
    runner: Runner, refused: set[str], earlier: bool, tokens: int, code: int
) -> None:
    if earlier:
        Comments.held.append({"id": 900, "user": {"type": "Bot"}, "body": "<!-- llmmigrate check -->\nof yesterday"})
    held = list(map(dict, Comments.held))
    Comments.refused = frozenset(refused)
    (runner.work / "run.jsonl").write_text("".join(record(i, tokens) for i in range(200)))
    assert runner.step("Check").returncode == 0
    commented = runner.step("Comment")
    assert (commented.returncode, commented.stdout.count("\n")) == (0, 1), commented.stderr
    assert commented.stdout.startswith("::warning title=llmmigrate::No comment was written")
    assert "403" in commented.stderr
    assert "Traceback" not in commented.stderr
    assert runner.step("Verdict").returncode == code
    assert held == Comments.held


def test_a_server_that_is_not_there_leaves_the_verdict(runner: Runner) -> None:
    runner.environment["GITHUB_API_URL"] = "http://127.0.0.1:9"
    (runner.work / "run.jsonl").write_text("".join(record(i, 160) for i in range(200)))
    assert runner.run() == 1


def test_inputs_are_data_and_never_commands(runner: Runner) -> None:
    runner.inputs["logs"] = "$(touch owned)\nrun.jsonl; touch owned\n`touch owned`"
    runner.inputs["policy"] = '"; touch owned; "'
    runner.step("Check")
    assert not (runner.work / "owned").exists()
    scripts = [step["run"] for step in STEPS.values() if "run" in step]
    assert [script for script in scripts if "${{" in script] == []


def test_only_the_step_that_comments_has_the_token() -> None:
    with_token = [name for name, step in STEPS.items() if "token" in json.dumps(step.get("env", {}))]
    assert with_token == ["Comment"]


def test_the_installing_step_installs_this_checkout(runner: Runner) -> None:
    shutil.rmtree(runner.temp / "llmmigrate")
    # Offline: what a runner's pip would fetch is lent from the environment of the tests.
    lent = {"PYTHONPATH": sysconfig.get_paths()["purelib"], "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1"}
    done = runner.step("Install", **lent, PIP_NO_BUILD_ISOLATION="0")
    assert done.returncode == 0, done.stderr
    program = [str(runner.temp / "llmmigrate" / "bin" / "llmmigrate"), "--version"]
    shown = subprocess.run(program, env={**runner.environment, **lent}, capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("llmmigrate ")


def test_the_hooks_name_commands_that_exist(runner: Runner) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    (runner.work / "contract.yaml").write_text(
        "schema: 1\nprovider: acme\ncurrency: USD\nmodels:\n  - id: a\n    periods:\n      - from: 2026-01-01\n"
        '        per_mtok: {input: "1", output: "2"}\n        source: "A: ours"\n'
    )
    (runner.work / "llmmigrate.yaml").write_text('check: {cost_per_1000_calls: "<= +5%"}\n')
    for hook in hooks:
        words = [*hook["entry"].split()[1:], *(["contract.yaml"] if hook.get("pass_filenames", True) else [])]
        command = [sys.executable, "-m", "llmmigrate", *words]
        assert subprocess.run(command, cwd=runner.work, capture_output=True, check=False).returncode == 0
        assert re.search(hook["files"], "contract.yaml" if hook.get("pass_filenames", True) else "llmmigrate.yaml")
    (runner.work / "llmmigrate.yaml").write_text('check: {cost_per_1000_calls: "<= -5%"}\n')
    broken = subprocess.run(
        [sys.executable, "-m", "llmmigrate", "check", "--policy-only"],
        cwd=runner.work,
        capture_output=True,
        check=False,
    )
    assert broken.returncode == 2


@pytest.mark.parametrize("name", ["sub/llmmigrate.yaml", "llmmigrate.yml", "my-llmmigrate.yaml", "llmmigrate.yaml.j2"])
def test_the_policy_hook_fires_for_the_file_that_it_reads_alone(name: str, tmp_path: Path) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    (hook,) = [hook for hook in hooks if hook["id"] == "llmmigrate-policy"]
    assert re.search(hook["files"], "llmmigrate.yaml")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('check: {cost_per_1000_calls: "<= -5%"}\n')
    command = [sys.executable, "-m", "llmmigrate", *hook["entry"].split()[1:]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, re.search(hook["files"], name)) == (0, None), done.stderr
