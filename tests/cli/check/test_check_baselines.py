"""Baselines of `check`: how they are made, found in files and in git, and refused."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.check.project import Run, document, log


def test_a_baseline_is_text_that_can_be_read_line_by_line(llmmigrate: Run, baseline: str) -> None:
    text = Path(baseline).read_text(encoding="utf-8")
    assert text.startswith('{"schema":"llmmigrate.profile/1"')
    assert len(text.splitlines()) > 10
    assert max(map(len, text.splitlines())) < 8000
    again = llmmigrate("analyze", baseline, "--by", "tag.route", "--format", "json")
    spent = document(llmmigrate("analyze", "base.jsonl", "--by", "tag.route", "--format", "json"))
    assert [group["cost"] for group in document(again)["groups"]] == [group["cost"] for group in spent["groups"]]


def test_a_baseline_made_twice_is_the_same_file(llmmigrate: Run, baseline: str) -> None:
    first = Path(baseline).read_bytes()
    llmmigrate("check", "base.jsonl", "--update-baseline", "--by", "tag.route")
    assert Path(baseline).read_bytes() == first


def test_a_profile_that_ingest_made_is_a_baseline_too(llmmigrate: Run) -> None:
    llmmigrate("ingest", log("base.jsonl", seed=1), "-o", "base.profile.json")
    assert llmmigrate("check", log("same.jsonl", seed=2), "--baseline", "base.profile.json").code == 0
    priced = llmmigrate("check", "--prices-only", "--baseline", "base.profile.json")
    assert (priced.code, priced.err.splitlines()[0]) == (
        2, "error: base.profile.json does not say what it cost when it was made",
    )  # fmt: skip


def git(*arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_baseline_comes_from_another_revision(llmmigrate: Run, baseline: str) -> None:
    git("init", "-q")
    git("add", "-f", baseline)
    git("commit", "-qm", "baseline")
    commit = git("rev-parse", "HEAD")
    Path(baseline).unlink()
    same = log("same.jsonl", seed=2)
    assert llmmigrate("check", same, "--baseline", f"git:main:{baseline}").code == 0
    llmmigrate("check", same, "--update-baseline")
    assert json.loads(Path(baseline).read_text(encoding="utf-8"))["baseline"]["commit"] == commit


@pytest.mark.parametrize(
    ("name", "what", "fix"),
    [
        ("git:nowhere:b.json", "git knows no revision 'nowhere' here", "fetch-depth: 0"),
        ("git:main:b.json", "no baseline at b.json in main", "--baseline b.json --update-baseline"),
        ("git:--help:b.json", "'git:--help:b.json' is no git:REF:PATH", "write git:origin/main"),
        ("git:main", "'git:main' is no git:REF:PATH", "write git:origin/main"),
        ("missing.json", "no baseline at missing.json", "--baseline missing.json --update-baseline"),
    ],
)
def test_a_missing_baseline_says_how_to_make_one(llmmigrate: Run, name: str, what: str, fix: str) -> None:
    git("init", "-q")
    git("commit", "-qm", "empty", "--allow-empty")
    outcome = llmmigrate("check", log("same.jsonl", seed=2, calls=5), "--baseline", name)
    assert (outcome.code, outcome.err.splitlines()[0]) == (2, f"error: {what}")
    assert fix in outcome.err


def test_a_revision_outside_of_a_repository_is_said(llmmigrate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(Path.cwd() / "no-such-folder"))
    outcome = llmmigrate("check", log("same.jsonl", seed=2, calls=5), "--baseline", "git:main:b.json")
    assert (outcome.code, "this is no git repository" in outcome.err) == (2, True)


def test_what_cannot_be_compared_leaves_everything_as_it_was(llmmigrate: Run, baseline: str) -> None:
    held = Path(baseline).read_bytes()
    Path("empty.jsonl").write_text("")
    Path("broken.json").write_bytes(held[: len(held) // 2])
    Path("text.json").write_text("{}")
    other = held.replace(b'"currency":"USD"', b'"currency":"EUR"')
    Path("euro.json").write_bytes(other)
    same = log("same.jsonl", seed=2, calls=5)
    lines = [
        ("empty.jsonl", "--update-baseline"),
        ("empty.jsonl",),
        (same, "--baseline", "broken.json"),
        (same, "--baseline", "text.json"),
        (same, "--baseline", "euro.json"),
        (same, "--baseline", "git:main:x", "--update-baseline"),
        (same, "--prices-only"),
        (same, "--by", "tag.team"),
        (same, "--format", "yaml"),
    ]
    outcomes = [llmmigrate("check", *line) for line in lines]
    assert [outcome.code for outcome in outcomes] == [2] * len(lines)
    assert [line for line, outcome in zip(lines, outcomes, strict=True) if "unexpected" in outcome.err] == []
    assert Path(baseline).read_bytes() == held


UNKNOWN = '{"model": "nobody-knows", "provider": "openai", "route": "/chat", "input_tokens": 5, "output_tokens": 5}'


@pytest.mark.parametrize(
    ("line", "code", "why"),
    [
        ("{broken", 2, "rejected records: 1"),
        ('{"model": "gpt-4.1", "route": "/chat", "status": 200}', 3, "calls without usage: 1, without a price: 0"),
        (UNKNOWN, 3, "calls without usage: 0, without a price: 1"),
    ],
)
def test_what_strict_refuses_is_no_new_baseline(llmmigrate: Run, baseline: str, line: str, code: int, why: str) -> None:
    held = Path(baseline).read_bytes()
    bad = Path(log("bad.jsonl", seed=2))
    bad.write_text(bad.read_text() + line + "\n")
    strict = llmmigrate("check", "bad.jsonl", "--update-baseline", "--by", "tag.route", "--strict")
    assert (strict.code, Path(baseline).read_bytes() == held) == (code, True)
    assert f"--strict: {why}" in strict.err
    assert f"nothing was written to {baseline}" in strict.err
    assert llmmigrate("check", "bad.jsonl", "--strict").code == code
    assert llmmigrate("check", "bad.jsonl", "--update-baseline", "--by", "tag.route").code == 0
    assert Path(baseline).read_bytes() != held


@pytest.mark.parametrize("fields", [{"status": 500, "input_tokens": None, "output_tokens": None}, {"model": "nobody"}])
def test_calls_without_any_cost_are_no_new_baseline(llmmigrate: Run, baseline: str, fields: dict[str, Any]) -> None:
    held = Path(baseline).read_bytes()
    outcome = llmmigrate("check", log("bad.jsonl", seed=2, calls=4, **fields), "--update-baseline")
    what = "error: no baseline was written: none of 4 calls has usage and a price"
    assert (outcome.code, outcome.err.splitlines()[0]) == (2, what)
    assert Path(baseline).read_bytes() == held


def test_a_baseline_is_no_stdout_and_no_policy(llmmigrate: Run, here: Path) -> None:
    Path("policy.yaml").write_text("check: {}\n")
    same = log("same.jsonl", seed=2, calls=5)
    stdout = llmmigrate("check", same, "--update-baseline", "--baseline", "-")
    assert (stdout.code, "not on stdout" in stdout.err) == (2, True)
    settings = llmmigrate("check", same, "--policy", "policy.yaml", "--update-baseline", "--baseline", "policy.yaml")
    assert (settings.code, "policy.yaml is also an input" in settings.err) == (2, True)
    assert sorted(path.name for path in here.iterdir()) == ["policy.yaml", "same.jsonl"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda held: held[: len(held) // 2],
        lambda held: held.replace(b'"tags"', b'"tugs"'),
        lambda held: held.replace(b"profile/1", b"profile/2"),
        lambda held: held.replace(b'"created"', b'"crated"'),
    ],
)
def test_a_baseline_that_cannot_be_read_is_made_again_by_check(
    llmmigrate: Run, baseline: str, damage: Callable[[bytes], bytes]
) -> None:
    Path("broken.json").write_bytes(damage(Path(baseline).read_bytes()))
    outcome = llmmigrate("check", log("same.jsonl", seed=2, calls=5), "--baseline", "broken.json")
    assert (outcome.code, "ingest" in outcome.err) == (2, False)
    assert "llmmigrate check LOGS --baseline broken.json --update-baseline" in outcome.err


def test_a_tag_that_a_baseline_lacks_is_added_to_that_baseline(llmmigrate: Run, baseline: str) -> None:
    Path(baseline).rename("own.json")
    outcome = llmmigrate("check", "base.jsonl", "--baseline", "own.json", "--by", "tag.team")
    assert "llmmigrate check LOGS --baseline own.json --update-baseline --by tag.team" in outcome.err


def test_a_log_without_the_baseline_s_tag_is_refused(llmmigrate: Run, baseline: str) -> None:
    Path("plain.jsonl").write_text('{"model": "gpt-4.1", "input_tokens": 5, "output_tokens": 5}\n')
    outcome = llmmigrate("check", "plain.jsonl")
    assert (outcome.code, outcome.err.splitlines()[0]) == (2, "error: no call has the tag 'route'")


def test_a_baseline_says_what_it_lacks_and_is_no_run_that_lacks_more_than_it_has(
    llmmigrate: Run, baseline: str
) -> None:
    good = Path(baseline).read_bytes()
    lines = Path(log("half.jsonl", seed=2, calls=10)).read_text().splitlines()
    Path("broken.jsonl").write_text("\n".join([*lines, *['{"broken'] * 11]))
    refused = llmmigrate("check", "broken.jsonl", "--update-baseline")
    assert (refused.code, Path(baseline).read_bytes()) == (2, good)
    assert "error: no baseline was written: only 10 calls could be priced\n  why: rejected records: 11," in refused.err
    Path("broken.jsonl").write_text("\n".join([*lines, '{"broken']))
    told = llmmigrate("check", "broken.jsonl", "--update-baseline")
    assert (told.code, Path(baseline).read_bytes() == good) == (0, False)
    assert "warning: not in the baseline's costs: rejected records: 1, calls without usage: 0, without" in told.err


@pytest.mark.parametrize("text", ["provider: acme\n", "# Read me\n"])
def test_a_file_that_is_no_profile_becomes_no_baseline(llmmigrate: Run, text: str) -> None:
    Path("own.yaml").write_text(text)
    outcome = llmmigrate("check", log("base.jsonl", seed=1, calls=20), "--update-baseline", "--baseline", "own.yaml")
    assert (outcome.code, Path("own.yaml").read_text()) == (2, text)
    assert "error: own.yaml is no saved profile, and would be lost" in outcome.err
    Path("own.yaml").write_text("")
    assert llmmigrate("check", "base.jsonl", "--update-baseline", "--baseline", "own.yaml").code == 0


@pytest.mark.parametrize(
    ("old", "new"), [(r'"cost":"[0-9.]+"', '"cost":"-5"'), (r'"created":"[^"]+"', '"created":"soon"')]
)
def test_a_baseline_whose_costs_or_time_cannot_be_is_damaged(
    llmmigrate: Run, baseline: str, old: str, new: str
) -> None:
    text, count = re.subn(old, new, Path(baseline).read_text(), count=1)
    Path(baseline).write_text(text)
    outcome = llmmigrate("check", "--prices-only")
    assert (count, outcome.code) == (1, 2)
    assert f"the baseline {baseline} is damaged" in outcome.err
