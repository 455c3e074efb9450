"""`check` as continuous integration uses it: exit codes, baselines in files and in git, policies, files beside it."""

import json
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from tests.conftest import ROOT, Outcome

Run = Callable[..., Outcome]
BASELINE = ".llmmigrate/baseline.profile.json"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795348800")  # 2026-11-22T12:00:00Z
    return tmp_path


def log(name: str, *, seed: int, calls: int = 600, longer: float = 1.0, spread: float = 0.3, **fields: Any) -> str:
    """Writes a log of lognormal answers on two routes; `longer` stretches those of /summarize."""
    draw = random.Random(seed)
    with Path(name).open("w", encoding="utf-8") as stream:
        for i in range(calls):
            route = ("/summarize", "/chat")[i % 2]
            record = {
                "timestamp": f"2026-11-20T10:{i // 60 % 60:02d}:{i % 60:02d}Z", "request_id": f"{name}-{i}",
                "provider": "openai", "model": "gpt-4.1", "route": route,
                "input_tokens": int(draw.lognormvariate(6.5, spread)),
                "output_tokens": int(draw.lognormvariate(5.5, spread) * (longer if route == "/summarize" else 1)),
            }  # fmt: skip
            stream.write(json.dumps({**record, **fields}) + "\n")
    return name


@pytest.fixture
def baseline(llmmigrate: Run) -> str:
    """A baseline at the usual place, made of 600 calls."""
    outcome = llmmigrate("check", log("base.jsonl", seed=1), "--update-baseline", "--by", "tag.route")
    assert outcome.code == 0, outcome.err
    return BASELINE


def document(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def test_like_traffic_passes_and_longer_answers_fail(llmmigrate: Run, baseline: str) -> None:
    same = llmmigrate("check", log("same.jsonl", seed=2))
    assert (same.code, same.out.splitlines()[0]) == (0, "PASS: 2 rules kept.")
    dearer = llmmigrate("check", log("dearer.jsonl", seed=3, longer=1.5))
    assert (dearer.code, dearer.out.splitlines()[0]) == (1, "FAIL: 2 of 2 rules are broken.")
    assert re.search(r"route /summarize, gpt-4\.1: \+1\d\d output tokens a call, [\d.]+ % of the change", dearer.out)


def test_the_answer_is_the_same_in_every_format(llmmigrate: Run, baseline: str) -> None:
    dearer = log("dearer.jsonl", seed=3, longer=1.5)
    codes = {name: llmmigrate("check", dearer, "--format", name).code for name in
             ("table", "json", "markdown", "csv", "github", "junit")}  # fmt: skip
    assert set(codes.values()) == {1}
    assert llmmigrate("check", dearer, "--exit-zero").code == 0


def test_json_adds_up_and_names_the_baseline(llmmigrate: Run, baseline: str) -> None:
    from decimal import Decimal

    found = document(llmmigrate("check", log("dearer.jsonl", seed=3, longer=1.5), "--format", "json"))
    difference = found["difference"]
    assert Decimal(difference["difference"]) == sum(Decimal(cause["amount"]) for cause in difference["causes"])
    assert found["baseline"]["created"] == "2026-11-22T12:00:00Z"
    assert (found["verdict"], found["baseline"]["tags"], found["calls"]["priced"]) == ("fail", ["route"], 600)
    spent = document(llmmigrate("analyze", "dearer.jsonl", "--format", "json"))["total"]["cost"]
    assert difference["cost"] == spent


@pytest.mark.parametrize(("words", "name"), [(["same.jsonl"], "check"), (["--prices-only"], "price-check")])
def test_json_is_what_its_schema_says(llmmigrate: Run, baseline: str, words: list[str], name: str) -> None:
    log("same.jsonl", seed=2)
    schema = json.loads((ROOT / "docs" / "schemas" / f"llmmigrate.{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(document(llmmigrate("check", *words, "--format", "json")), schema)


def test_a_rise_that_chance_makes_is_no_failure_and_undecided_when_strict(llmmigrate: Run) -> None:
    log("base.jsonl", seed=1, calls=40, spread=1.2)
    llmmigrate("check", "base.jsonl", "--update-baseline")
    few = log("few.jsonl", seed=8, calls=40, longer=1.4, spread=1.2)
    relaxed, strict = llmmigrate("check", few, "--format", "json"), llmmigrate("check", few, "--strict")
    rules = {rule["measure"]: rule for rule in document(relaxed)["rules"]}
    output = rules["output_tokens_per_call"]
    assert output["change"] > 0.05 > output["low"]
    assert output["result"] == "unclear"
    assert (relaxed.code, strict.code) == (0, 3)
    assert "smallest detectable rise: " in strict.out


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


def test_a_baseline_is_no_stdout_and_no_policy(llmmigrate: Run, here: Path) -> None:
    Path("policy.yaml").write_text("check: {}\n")
    same = log("same.jsonl", seed=2, calls=5)
    stdout = llmmigrate("check", same, "--update-baseline", "--baseline", "-")
    assert (stdout.code, "not on stdout" in stdout.err) == (2, True)
    settings = llmmigrate("check", same, "--policy", "policy.yaml", "--update-baseline", "--baseline", "policy.yaml")
    assert (settings.code, "policy.yaml is also an input" in settings.err) == (2, True)
    assert sorted(path.name for path in here.iterdir()) == ["policy.yaml", "same.jsonl"]


@pytest.mark.parametrize("extra", [["--summary", "-"], ["--comment", "-"], ["-o", "a.md", "--summary", "a.md"]])
def test_summary_and_comment_are_files_of_their_own(llmmigrate: Run, baseline: str, extra: list[str]) -> None:
    outcome = llmmigrate("check", log("same.jsonl", seed=2), *extra)
    assert (outcome.code, Path("-").exists(), Path("a.md").exists()) == (2, False, False)


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


def rules(llmmigrate: Run, policy: str, path: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code under a policy, and every rule's result by its measure and value."""
    Path("policy.yaml").write_text(policy)
    outcome = llmmigrate("check", path, "--policy", "policy.yaml", "--format", "json")
    assert outcome.code != 2, outcome.err
    found = document(outcome)["rules"]
    return outcome.code, {" ".join([rule["measure"], *rule["where"].values()]): rule for rule in found}


def test_a_rule_may_only_warn(llmmigrate: Run, baseline: str) -> None:
    path = log("dearer.jsonl", seed=3, longer=1.5)
    code, found = rules(llmmigrate, "check: {warn: [cost_per_1000_calls, output_tokens_per_call]}", path)
    assert (code, {rule["result"] for rule in found.values()}) == (0, {"warn"})


def test_rules_hold_for_single_routes(llmmigrate: Run, baseline: str) -> None:
    path = log("dearer.jsonl", seed=3, longer=1.5)
    _, found = rules(llmmigrate, "check: {by: [tag.route]}", path)
    results = {name: rule["result"] for name, rule in found.items()}
    assert (results["cost_per_1000_calls /summarize"], results["cost_per_1000_calls /chat"]) == ("fail", "pass")
    own = 'check: {rules: [{measure: output_tokens_per_call, limit: "<= +80%", where: {tag.route: /summarize}}]}'
    assert rules(llmmigrate, own, path)[1]["output_tokens_per_call /summarize"]["result"] == "pass"


def many_routes(name: str, routes: int, *, longer: int = 1, more: int = 0) -> str:
    """20 calls of each route; those of the last ten answer at length, and `more` routes are new."""
    with Path(name).open("w", encoding="utf-8") as stream:
        for route in range(routes + more):
            for i in range(20):
                record = {
                    "timestamp": f"2026-11-20T10:{i:02d}:{route:02d}Z", "request_id": f"{name}-{route}-{i}",
                    "provider": "openai", "model": "gpt-4.1", "route": f"/r{route:02d}", "input_tokens": 1_000 + i,
                    "output_tokens": (100 + i) * (longer if routes - 10 <= route < routes else 1),
                }  # fmt: skip
                stream.write(json.dumps(record) + "\n")
    return name


def test_no_route_is_left_out_however_many_there_are(llmmigrate: Run) -> None:
    assert 0 == llmmigrate("check", many_routes("base.jsonl", 60), "--update-baseline", "--by", "tag.route").code
    code, found = rules(llmmigrate, "check: {by: [tag.route]}", many_routes("dearer.jsonl", 60, longer=3))
    failed = {name.split()[-1] for name, rule in found.items() if rule["result"] == "fail" and rule["where"]}
    assert (1, {f"/r{number}" for number in range(50, 60)}, 2 + 2 * 60) == (code, failed, len(found))


def test_a_route_that_the_baseline_lacks_is_named(llmmigrate: Run) -> None:
    assert 0 == llmmigrate("check", many_routes("base.jsonl", 12), "--update-baseline", "--by", "tag.route").code
    Path("llmmigrate.yaml").write_text("check: {by: [tag.route]}\n")
    path = many_routes("more.jsonl", 12, more=1)
    found = document(llmmigrate("check", path, "--format", "json"))
    (notice,) = [entry for entry in found["warnings"] if entry["code"] == "groups_not_in_baseline"]
    assert (20, ["route /r12"], "pass") == (notice["count"], notice["first"], found["verdict"])
    assert "route /r12" in llmmigrate("check", path).out
    assert 3 == llmmigrate("check", path, "--strict").code


def test_a_single_call_passes_no_strict_check(llmmigrate: Run, baseline: str) -> None:
    path = log("one.jsonl", seed=2, calls=1, input_tokens=1, output_tokens=1)
    told = llmmigrate("check", path)
    assert (0, True) == (told.code, "too few calls to tell a change from chance" in told.out)
    found = llmmigrate("check", path, "--strict", "--format", "json")
    assert (3, True) == (found.code, "sample_too_small" in [entry["code"] for entry in document(found)["warnings"]])


def test_what_is_not_decided_is_not_called_kept(llmmigrate: Run, baseline: str) -> None:
    found = llmmigrate("check", log("one.jsonl", seed=2, calls=1, longer=500))
    assert (0, "PASS: no rule failed, 2 not decided.") == (found.code, found.out.splitlines()[0])


def test_prices_alone_are_held_against_a_fixed_limit(llmmigrate: Run, baseline: str) -> None:
    for policy, code, words in (
        ('check: {cost_per_1000_calls: "<= 0.01 USD"}', 1, "FAIL: "),
        ('check: {cost_per_1000_calls: "<= 0.01 USD", warn: [cost_per_1000_calls]}', 0, "is broken, which only warns"),
        ('check: {cost_per_1000_calls: "<= 100 USD"}', 0, "limit <= 100 USD)."),
    ):
        Path("llmmigrate.yaml").write_text(policy)
        found = llmmigrate("check", "--prices-only")
        assert (code, True) == (found.code, words in found.out.splitlines()[0])


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("unpriced_calls: 0", "pass"),
        ('output_tokens_p95: "<= +10%"', "fail"),
        ('output_tokens_p95: "<= 100"', "fail"),
        ('cost_per_1000_calls: "<= 100 USD"', "pass"),
        ('cache_hit_share: ">= -5pt"', "pass"),
        ('cache_hit_share: ">= 10%"', "fail"),
        ('monthly_delta: "<= 100 USD"', "unknown"),
        ("price_table_age: 400", "pass"),
    ],
)
def test_every_measure_has_its_rule(llmmigrate: Run, baseline: str, line: str, result: str) -> None:
    path = log("dearer.jsonl", seed=3, longer=1.5)
    _, found = rules(llmmigrate, f"check:\n  {line}\n", path)
    assert found[line.partition(":")[0]]["result"] == result


def test_a_filter_holds_for_both_sides(llmmigrate: Run, baseline: str) -> None:
    path = log("dearer.jsonl", seed=3, longer=1.5)
    assert llmmigrate("check", path, "--where", "route=/chat").code == 0
    assert llmmigrate("check", path, "--where", "route=/summarize").code == 1
    none = llmmigrate("check", path, "--where", "model=o3")
    assert (none.code, "leaves no call of the baseline" in none.err) == (2, True)


def test_a_monthly_limit_needs_a_month_or_its_calls(llmmigrate: Run, baseline: str) -> None:
    only = 'monthly_delta: "<= 100 USD"'
    text = f'check: {{{only}, monthly_calls: 2M, cost_per_1000_calls: "<= +90%", warn: [output_tokens_per_call]}}'
    code, found = rules(llmmigrate, text, log("dearer.jsonl", seed=3, longer=1.5))
    assert (code, found["monthly_delta"]["result"]) == (1, "fail")
    assert 900 < float(found["monthly_delta"]["now"]) < 1300
    assert rules(llmmigrate, f"check: {{{only}}}", log("same.jsonl", seed=2))[0] == 3


def test_a_lost_cache_breaks_its_rule(llmmigrate: Run) -> None:
    llmmigrate("check", log("base.jsonl", seed=1, input_tokens=2000, cached_input_tokens=1500), "--update-baseline")
    path = log("cold.jsonl", seed=1, input_tokens=2000, cached_input_tokens=0)
    code, found = rules(llmmigrate, 'check: {cache_hit_share: ">= -5pt"}', path)
    assert (code, found["cache_hit_share"]["result"], found["cache_hit_share"]["change"]) == (1, "fail", -0.75)
    largest = document(llmmigrate("check", path, "--format", "json"))["difference"]["largest"]
    assert [(cause["cause"], cause["before"], cause["after"]) for cause in largest] == [("cache", 0.75, 0.0)]


def test_only_unpriced_calls_are_undecided_never_a_pass(llmmigrate: Run, baseline: str) -> None:
    outcome = llmmigrate("check", log("odd.jsonl", seed=2, model="nobody-knows-this"))
    assert (outcome.code, outcome.out.partition(":")[0]) == (3, "UNDECIDED")
    assert "unknown model" in outcome.out


CONTRACT = """\
schema: 1
provider: acme
currency: USD
models:
  - id: acme-1
    periods:
      - from: 2026-01-01
        per_mtok: {{input: "{rate}", output: "8"}}
        source: "A: our contract"
"""


def contract(rate: str) -> None:
    """A price table of one's own, and settings that name it."""
    Path("contract.yaml").write_text(CONTRACT.format(rate=rate))
    Path("llmmigrate.yaml").write_text("prices: [./contract.yaml]\n")


def test_what_a_change_of_price_tables_does_to_the_baseline(llmmigrate: Run) -> None:
    contract("2")
    llmmigrate("check", log("base.jsonl", seed=1, provider="acme", model="acme-1"), "--update-baseline")
    assert llmmigrate("check", "--prices-only").code == 0
    contract("4")
    outcome = llmmigrate("check", "--prices-only", "--format", "json")
    found = document(outcome)
    assert (outcome.code, found["verdict"], found["tables_changed"]) == (1, "fail", ["acme"])
    (model,) = found["models"]
    assert float(model["cost_now"]) > 1.2 * float(model["cost_then"])
    Path("contract.yaml").write_text(CONTRACT.format(rate="2").replace("acme-1", "acme-2"))
    lost = llmmigrate("check", "--prices-only")
    assert (lost.code, "unknown" in lost.out) == (3, True)


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
