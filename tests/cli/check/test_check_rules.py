"""The rules of a policy: measures, routes, filters, and what cannot be decided."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.cli.check.project import Run, document, log, many_routes, rules

from llmmigrate.checks import measures
from llmmigrate.costing.sides import Group


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


def test_no_route_is_left_out_however_many_there_are(llmmigrate: Run) -> None:
    assert 0 == llmmigrate("check", many_routes("base.jsonl", 60), "--update-baseline", "--by", "tag.route").code
    code, found = rules(llmmigrate, "check: {by: [tag.route]}", many_routes("dearer.jsonl", 60, longer=3))
    failed = {name.split()[-1] for name, rule in found.items() if rule["result"] == "fail" and rule["where"]}
    assert (1, {f"/r{number}" for number in range(50, 60)}, 2 + 2 * 60) == (code, failed, len(found))


def test_four_times_the_routes_are_four_times_the_work(llmmigrate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule looks at its own route's calls, not at those of all routes."""
    looked: list[str] = []
    value_of = measures.value_of

    def counted(group: Group, name: str, tags: Sequence[str]) -> str | None:
        looked.append(name)
        return value_of(group, name, tags)

    monkeypatch.setattr(measures, "value_of", counted)

    def work(routes: int) -> int:
        made = llmmigrate("check", many_routes("base.jsonl", routes), "--update-baseline", "--by", "tag.route")
        assert made.code == 0, made.err
        looked.clear()
        rules(llmmigrate, "check: {by: [tag.route], output_tokens_p95: '<= +10%'}", "base.jsonl")
        return len(looked)

    assert 0 < work(40) <= 5 * work(10)


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


def test_a_call_of_several_new_groups_counts_once(llmmigrate: Run) -> None:
    """100 calls of a new route, 60 of them of a new provider and model, 10 of these without a price."""
    assert 0 == llmmigrate("check", log("base.jsonl", seed=1), "--update-baseline", "--by", "tag.route").code
    old = Path(log("old.jsonl", seed=2, calls=40, route="/new")).read_text()
    new = Path(log("new.jsonl", seed=3, calls=50, route="/new", provider="zai", model="glm-5")).read_text()
    bare = Path(log("bare.jsonl", seed=4, calls=10, route="/new", provider="zai", model="unheard-of")).read_text()
    same = Path(log("same.jsonl", seed=5, calls=200)).read_text()
    Path("run.jsonl").write_text(same + old + new + bare)
    Path("llmmigrate.yaml").write_text("check: {by: [model, provider, tag.route]}\n")
    found = document(llmmigrate("check", "run.jsonl", "--format", "json"))
    (notice,) = [entry for entry in found["warnings"] if entry["code"] == "groups_not_in_baseline"]
    assert notice["count"] == 100
    assert notice["first"] == ["model glm-5", "model unheard-of", "provider zai", "route /new"]
    assert found["calls"]["unpriced"] == 10


@pytest.mark.parametrize(("calls", "code"), [(1, 3), (3, 0), (60, 0)])
def test_a_percentile_of_too_few_calls_passes_no_strict_check(
    llmmigrate: Run, baseline: str, calls: int, code: int
) -> None:
    """That 3 of 3 calls are above the percentile of 603 is more than chance makes; that 1 of 1 is, is not."""
    others = "cost_per_1000_calls: '<= 10000 USD', output_tokens_per_call: '<= 100000'"
    Path("llmmigrate.yaml").write_text(f"check: {{output_tokens_p95: '<= +10%', {others}}}\n")
    path = log("few.jsonl", seed=2, calls=calls)
    found = llmmigrate("check", path, "--strict", "--format", "json")
    small = "sample_too_small" in [entry["code"] for entry in document(found)["warnings"]]
    assert (code, code == 3) == (found.code, small)
    worst = llmmigrate("check", log("worst.jsonl", seed=2, calls=min(calls, 3), output_tokens=90_000), "--strict")
    assert worst.code == (3 if small else 1)


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


def test_a_run_of_which_most_is_in_no_figure_is_undecided(llmmigrate: Run, baseline: str) -> None:
    priced = Path(log("few.jsonl", seed=2, calls=40)).read_text()
    for name, rest in {
        "unpriced": Path(log("other.jsonl", seed=3, calls=41, model="foo-9")).read_text(),
        "missing": Path(log("other.jsonl", seed=3, calls=41, input_tokens=None, output_tokens=None)).read_text(),
        "rejected": '{"broken\n' * 41,
    }.items():
        Path(f"{name}.jsonl").write_text(priced + rest)
        outcome = llmmigrate("check", f"{name}.jsonl")
        assert (outcome.code, outcome.out.splitlines()[0]) == (
            3,
            "UNDECIDED: the larger part of this run is in no figure.",
        )
        github = llmmigrate("check", f"{name}.jsonl", "--format", "github").out
        assert "::warning" in github
        assert "41 calls or records are in no figure" in github
    Path("fewer.jsonl").write_text(priced + Path(log("other.jsonl", seed=3, calls=39, model="foo-9")).read_text())
    outcome = llmmigrate("check", "fewer.jsonl", "--format", "github")
    assert outcome.code == 0
    assert "39 calls without a price, in no figure" in outcome.out


def test_a_rule_that_only_warns_decides_nothing_where_it_is_not_measured(llmmigrate: Run, baseline: str) -> None:
    rule = '{measure: cost_per_1000_calls, limit: "<= +20%", where: {tag.route: /typo}, level: LEVEL}'
    log("same.jsonl", seed=2)
    for level, code in {"warn": 0, "fail": 3}.items():
        policy = f"check: {{rules: [{rule.replace('LEVEL', level)}]}}"
        found = rules(llmmigrate, policy, "same.jsonl")
        assert (found[0], found[1]["cost_per_1000_calls /typo"]["result"]) == (code, "unknown")
    Path("policy.yaml").write_text(f"check: {{rules: [{rule.replace('LEVEL', 'warn')}]}}")
    headline = llmmigrate("check", "same.jsonl", "--policy", "policy.yaml").out.splitlines()[0]
    assert headline == "PASS: no rule failed, 1 not measured."
