"""What `check` writes beside its answer: annotations, JUnit, summary and comment, and never over what it reads."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.cli.check.project import Run, log


@pytest.mark.parametrize("option", ["-o", "--summary", "--comment"])
@pytest.mark.parametrize("words", [["same.jsonl"], ["--prices-only"]])
@pytest.mark.parametrize("name", ["base.json", "policy.yaml", "llmmigrate.yaml"])
def test_no_result_is_written_over_what_is_read(llmmigrate: Run, option: str, words: list[str], name: str) -> None:
    Path("llmmigrate.yaml").write_text("check: {}\n")
    Path("policy.yaml").write_text("check: {}\n")
    llmmigrate("check", log("same.jsonl", seed=2, calls=20), "--baseline", "base.json", "--update-baseline")
    held = Path(name).read_bytes()
    suffix = ["--format", "json"] if option == "-o" else []
    Path("link.json").symlink_to(name)
    for target in (name, "link.json") if option != "-o" or name.endswith("json") else ("link.json",):
        settings = ["--baseline", "base.json", "--policy", "policy.yaml"]
        outcome = llmmigrate("check", *words, *settings, *suffix, option, target)
        assert (outcome.code, outcome.err.splitlines()[0]) == (2, f"error: {target} is also an input")
    assert Path(name).read_bytes() == held


@pytest.mark.parametrize("logs", [["gl/n*.jsonl"], ["gl"], []])
@pytest.mark.parametrize("option", ["-o", "--summary", "--comment", "--update-baseline"])
def test_no_result_is_written_over_a_log(llmmigrate: Run, logs: list[str], option: str) -> None:
    Path("gl").mkdir()
    Path("llmmigrate.yaml").write_text("logs: [gl]\n")
    log("gl/now.jsonl", seed=2, calls=20)
    assert llmmigrate("check", "gl", "--baseline", "base.json", "--update-baseline").code == 0
    held = Path("gl/now.jsonl").read_bytes()
    Path("gl.json").symlink_to("gl/now.jsonl")
    words = [option, "--baseline", "gl.json"] if option == "--update-baseline" else [option, "gl.json"]
    outcome = llmmigrate("check", *logs, "--baseline", "base.json", *words)
    assert (outcome.code, outcome.err.splitlines()[0]) == (2, "error: gl.json is also an input")
    assert Path("gl/now.jsonl").read_bytes() == held


@pytest.mark.parametrize("extra", [["--summary", "-"], ["--comment", "-"], ["-o", "a.md", "--summary", "a.md"]])
def test_summary_and_comment_are_files_of_their_own(llmmigrate: Run, baseline: str, extra: list[str]) -> None:
    outcome = llmmigrate("check", log("same.jsonl", seed=2), *extra)
    assert (outcome.code, Path("-").exists(), Path("a.md").exists()) == (2, False, False)


def test_github_gets_annotations_and_no_command_from_a_log(llmmigrate: Run, baseline: str) -> None:
    hostile = "::error file=/etc/passwd::x\n::set-env name=A::b"
    llmmigrate("check", log("base.jsonl", seed=1, model=hostile), "--update-baseline")
    Path("llmmigrate.yaml").write_text('check:\n  output_tokens_per_call: "<= +5%"\n')
    out = llmmigrate("check", log("dearer.jsonl", seed=3, longer=1.5, model=hostile), "--format", "github").out
    first, *rest = out.splitlines()
    assert re.match(r"::error file=[^:,]*llmmigrate\.yaml,line=2,title=Output tokens per call::Output tokens", first)
    stop = next(line for line in rest if line.startswith("::stop-commands::"))
    inside = rest[rest.index(stop) + 1 :]
    assert [line for line in inside[:-1] if line.startswith("::")] == []
    assert inside[-1] == f"::{stop.rpartition('::')[2]}::"


def test_annotations_are_at_most_ten(llmmigrate: Run) -> None:
    names = [f"/r{i:02d}" for i in range(14)]
    for path, tokens in (("base.jsonl", 100), ("dearer.jsonl", 200)):
        with Path(path).open("w", encoding="utf-8") as stream:
            for i in range(280):
                record = {
                    "model": "gpt-4.1",
                    "route": names[i % 14],
                    "input_tokens": 10,
                    "output_tokens": tokens + i % 5,
                }
                stream.write(json.dumps(record) + "\n")
    Path("llmmigrate.yaml").write_text("check: {by: [tag.route]}\n")
    llmmigrate("check", "base.jsonl", "--update-baseline")
    lines = llmmigrate("check", "dearer.jsonl", "--format", "github").out.splitlines()
    shown = [line for line in lines if line.startswith(("::error", "::warning"))]
    assert (len(shown), shown[-1]) == (10, "::error::and 21 more, in the summary")


def test_junit_has_a_case_for_every_rule(llmmigrate: Run, baseline: str) -> None:
    outcome = llmmigrate("check", log("dearer.jsonl", seed=3, longer=1.5), "-o", "check.xml")
    suite = ElementTree.parse("check.xml").getroot()
    assert (outcome.code, suite.attrib["tests"], suite.attrib["failures"]) == (1, "2", "2")
    assert [case.find("failure") is not None for case in suite] == [True, True]


def test_a_result_without_checks_has_no_test_cases(llmmigrate: Run, baseline: str) -> None:
    outcome = llmmigrate("analyze", "base.jsonl", "--format", "junit")
    assert (outcome.code, 'tests="0"' in outcome.out) == (0, True)


def test_the_summary_is_added_to_and_the_comment_is_written_anew(llmmigrate: Run, baseline: str) -> None:
    Path("summary.md").write_text("# Before\n")
    same = log("same.jsonl", seed=2)
    for _ in range(2):
        llmmigrate("check", same, "--summary", "summary.md", "--comment", "comment.md")
    summary, comment = Path("summary.md").read_text(), Path("comment.md").read_text()
    assert summary.startswith("# Before\n")
    assert (summary.count("PASS"), comment.count("PASS")) == (2, 1)
    assert comment.startswith("<!-- llmmigrate check -->\n### ")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--prices-only", "--update-baseline"], "--update-baseline and --prices-only do not go together"),
        (["--policy-only", "--update-baseline"], "--update-baseline and --policy-only do not go together"),
        (["same.jsonl", "--update-baseline", "-o", "x.json"], "--update-baseline has no use for -o"),
        (["--policy-only", "--summary", "s.md"], "--policy-only has no use for --summary"),
        (["--prices-only", "--where", "model=gpt-4.1"], "--prices-only has no use for --where"),
        (["--prices-only", "--since", "2026-11-01"], "--prices-only has no use for --since"),
    ],
)
def test_what_a_mode_has_no_use_for_is_refused(llmmigrate: Run, baseline: str, words: list[str], what: str) -> None:
    log("same.jsonl", seed=2, calls=20)
    held = Path(baseline).read_bytes()
    outcome = llmmigrate("check", *words)
    assert (outcome.code, outcome.err.splitlines()[0]) == (2, f"error: {what}")
    assert Path(baseline).read_bytes() == held
