"""Which policies make sense, and what is said of the others before anything is read."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Outcome

Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def policy_only(llmmigrate: Run, text: str) -> Outcome:
    """What `check` says of a policy alone."""
    Path("policy.yaml").write_text(text)
    return llmmigrate("check", "--policy-only", "--policy", "policy.yaml")


POLICIES = {
    "unknown key": ("check: {cost_per_call: 5}", "unknown key 'cost_per_call'"),
    "unknown measure": ("check: {warn: [cost]}", "unknown measure 'cost'"),
    "the wrong way": ('check: {cost_per_1000_calls: ">= +5%"}', "'>= +5%' is no limit of cost_per_1000_calls"),
    "another unit": ('check: {output_tokens_per_call: "<= +5pt"}', "'<= +5pt' is no limit of output_tokens_per_call"),
    "no sign": ('check: {cost_per_1000_calls: "<= 5%"}', "'<= 5%' is no limit of cost_per_1000_calls"),
    "never broken": ('check: {cost_per_1000_calls: "<= -5%"}', "'<= -5%' is no limit of cost_per_1000_calls"),
    "any share": ('check: {cache_hit_share: ">= 0%"}', "'>= 0%' is no limit of cache_hit_share"),
    "any fall": ('check: {cache_hit_share: ">= -100pt"}', "'>= -100pt' is no limit of cache_hit_share"),
    "one share": ('check: {cache_hit_share: "== 30%"}', "'== 30%' is no limit of cache_hit_share"),
    "no calls": ("check: {monthly_calls: 0}", "monthly_calls: 0 makes every change of a month 0"),
    "too much": ('check: {cache_hit_share: ">= -150pt"}', "'>= -150pt' is beyond 100 %"),
}


@pytest.mark.parametrize(("text", "what"), POLICIES.values(), ids=POLICIES)
def test_a_policy_that_cannot_be_meant_is_refused(llmmigrate: Run, text: str, what: str) -> None:
    outcome = policy_only(llmmigrate, text)
    assert (outcome.code, outcome.err.splitlines()[0].partition(": ")[2]) == (2, what)
    assert "policy.yaml:1" in outcome.err


@pytest.mark.parametrize(
    ("limit", "why", "fix"),
    [
        ('price_table_age: "<= -3"', "it is never negative", 'price_table_age: "<= 90"'),
        (
            'unpriced_calls: "<= +3"',
            "it holds the value itself, not a change: leave out the sign",
            'unpriced_calls: "0"',
        ),
        ('output_tokens_p95: "<= +5"', "it needs a unit", 'output_tokens_p95: "<= +10%"'),
        ('cache_hit_share: ">= 0%"', "no share is below 0 %", 'cache_hit_share: ">= -5pt"'),
        ('cache_hit_share: ">= -100pt"', "no share falls by more than 100 points", 'cache_hit_share: ">= -5pt"'),
        ("monthly_calls: 0", "monthly_delta could never be broken", "monthly_calls: 2M"),
        ('rules: [{measure: cache_hit_share, limit: ">= 0%"}]', "no share is below 0 %", 'cache_hit_share: ">= -5pt"'),
    ],
)
def test_a_refused_limit_says_why_and_what_to_write(llmmigrate: Run, limit: str, why: str, fix: str) -> None:
    outcome = policy_only(llmmigrate, f"check:\n  {limit}\n")
    assert (outcome.code, [words in outcome.err for words in ("policy.yaml:2", why, fix)]) == (2, [True] * 3)


@pytest.mark.parametrize("limit", [">= 1%", "> 0%", ">= -99pt", "> -100pt", ">= 100%"])
def test_a_limit_that_could_be_broken_is_none_too_much(llmmigrate: Run, limit: str) -> None:
    assert policy_only(llmmigrate, f'check: {{cache_hit_share: "{limit}", monthly_calls: 1}}').code == 0
