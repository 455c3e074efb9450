"""`analyze` as a user types it: exact sums, groups, what is unknown, and the same answer from a saved profile."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT, Outcome

Run = Callable[..., Outcome]


def call(**fields: Any) -> dict[str, Any]:
    """An o3 call of 10,000 tokens in and 1,000 out: 0.028 USD."""
    plain = {"timestamp": "2026-10-01T10:00:00Z", "model": "o3", "input_tokens": 10_000, "output_tokens": 1_000}
    return {**plain, **fields}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A part of the sample log, with its dirty lines."""
    lines = (ROOT / "samples" / "logs.jsonl").read_bytes().split(b"\n")
    path = tmp_path_factory.mktemp("sample") / "logs.jsonl"
    path.write_bytes(b"\n".join([*lines[440:560], *lines[900:920], *lines[-60:]]))
    return str(path)


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., str]:
    """Writes a log of records; returns its path."""

    def write(*records: dict[str, Any]) -> str:
        path = tmp_path / "log.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def document(llmmigrate: Run) -> Callable[..., dict[str, Any]]:
    """An analysis as JSON."""

    def ask(path: str, *options: str) -> dict[str, Any]:
        outcome = llmmigrate("analyze", path, "--format", "json", *options)
        assert 0 == outcome.code, outcome.err
        found: dict[str, Any] = json.loads(outcome.out)
        return found

    return ask


Log = Callable[..., str]
Document = Callable[..., dict[str, Any]]


def test_a_call_costs_its_list_price(document: Document, log: Log) -> None:
    total = document(log(call()))["total"]
    assert ("0.028", "USD", 1) == (total["cost"], total["currency"], total["priced_calls"])


def test_every_call_is_priced_at_its_own_date(document: Document, log: Log) -> None:
    path = log(call(timestamp="2025-06-01T00:00:00Z"), call(timestamp="2025-06-30T00:00:00Z"))
    groups = document(path, "--by", "day")["groups"]
    assert {"2025-06-01": "0.14", "2025-06-30": "0.028"} == {group["key"]["day"]: group["cost"] for group in groups}


def test_groups_add_up_to_the_total(document: Document, sample: str) -> None:
    found = document(sample, "--by", "model,tag.team")
    for name in ("calls", "input_tokens", "output_tokens", "errors", "logical_requests", "unpriced_calls"):
        assert found["total"][name] == sum(group[name] for group in found["groups"]), name
    costs = [Decimal(group["cost"]) for group in found["groups"] if "cost" in group]
    assert Decimal(found["total"]["cost"]) == sum(costs)


@pytest.mark.parametrize("by", ["day", "hour", "provider", "tag.route", "model,day", "service_tier"])
def test_any_grouping_has_the_same_total(document: Document, sample: str, by: str) -> None:
    plain, grouped = document(sample), document(sample, "--by", by)
    assert without_month(plain["total"]) == without_month(grouped["total"])


def without_month(total: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in total.items() if key != "month"}


def test_a_saved_profile_is_analysed_like_its_log(
    llmmigrate: Run, document: Document, sample: str, tmp_path: Path
) -> None:
    saved = str(tmp_path / "usage.profile.json")
    assert 0 == llmmigrate("ingest", sample, "-o", saved, "--by", "tag.team").code
    from_log, from_profile = document(sample, "--by", "tag.team"), document(saved, "--by", "tag.team")
    assert from_profile["reconciliation"] is None  # made call by call, while a log is read
    own = {"command": "", "reconciliation": None}
    assert {**from_log, **own} == {**from_profile, **own}


def test_the_same_input_gives_the_same_bytes(llmmigrate: Run, sample: str) -> None:
    assert (
        llmmigrate("analyze", sample, "--format", "json").out == llmmigrate("analyze", sample, "--format", "json").out
    )


def test_failures_that_were_billed_are_in_the_cost_and_named(document: Document, log: Log) -> None:
    path = log(call(), call(request_id="a", status=504, error="timeout"), call(request_id="b", status=429,
               input_tokens=0, output_tokens=0))  # fmt: skip
    total = document(path)["total"]
    assert ("0.056", "0.028", 2) == (total["cost"], total["failed_cost"], total["errors"])


def test_a_gateway_hit_costs_nothing(document: Document) -> None:
    sample = str(ROOT / "samples" / "litellm.jsonl")
    found = document(sample, "--by", "model")
    assert found["coverage"]["priced_calls"] + found["coverage"]["unpriced_calls"] <= found["total"]["calls"]


def test_missing_usage_is_in_no_sum(document: Document, log: Log) -> None:
    found = document(log(call(), call(input_tokens=None, output_tokens=None)))
    assert (10_000, "0.028", 1) == (
        found["total"]["input_tokens"], found["total"]["cost"], found["coverage"]["usage_missing"]
    )  # fmt: skip


def test_the_logged_cost_stands_beside_the_recomputed_one(document: Document, log: Log) -> None:
    total = document(log(call(estimated_cost_usd=0.03), call(timestamp="2026-10-02T00:00:00Z")))["total"]
    assert ("0.056", "0.03", 1) == (total["cost"], total["logged_cost"], total["logged_calls"])


def test_an_alias_prices_a_deployment(document: Document, log: Log) -> None:
    path = log(call(model="my-deployment"))
    assert "cost" not in document(path)["total"]
    assert "0.028" == document(path, "--alias", "my-deployment=openai/o3")["total"]["cost"]


def test_as_of_prices_what_has_no_rate_at_its_date(document: Document, log: Log) -> None:
    path = log(call(model="glm-5", timestamp="2025-01-01T00:00:00Z"))
    assert "cost" not in document(path)["total"]
    found = document(path, "--as-of", "2026-11-22")
    assert "cost" in found["total"]
    assert {"priced_as_of": 1} == found["prices"]["assumptions"]


def test_days_are_those_of_the_zone(document: Document, log: Log) -> None:
    path = log(call(timestamp="2026-10-01T22:30:00Z"))
    days = [document(path, "--by", "day", *zone)["groups"][0]["key"]["day"] for zone in ([], ["--tz", "Asia/Tokyo"])]
    assert ["2026-10-01", "2026-10-02"] == days


def test_since_until_and_where_leave_calls_out_and_say_so(document: Document, log: Log) -> None:
    path = log(call(team="a"), call(team="b"), call(team="a", timestamp="2026-10-05T00:00:00Z"))
    found = document(path, "--where", "team=a", "--since", "2026-10-01", "--until", "2026-10-02")
    assert (1, 3, 2) == (found["total"]["calls"], found["lines"]["calls"], found["lines"]["filtered"])


def test_outputs_are_written_beside_each_other(llmmigrate: Run, log: Log, tmp_path: Path) -> None:
    names = ["spend.json", "spend.md", "spend.csv", "spend.txt"]
    outputs = [word for name in names for word in ("-o", str(tmp_path / name))]
    outcome = llmmigrate("analyze", log(call()), *outputs)
    assert (0, "") == (outcome.code, outcome.out)
    assert [True] * 4 == ["0.028" in (tmp_path / name).read_text(encoding="utf-8") for name in names]


def test_percentiles_are_within_one_percent(document: Document, log: Log) -> None:
    path = log(*(call(latency_ms=n, ttft_ms=n / 10, request_id=str(n)) for n in range(1, 1001)))
    total = document(path)["total"]
    for name, exact in (("p50", 500), ("p90", 900), ("p95", 950), ("p99", 990)):
        assert pytest.approx(exact, rel=0.0101) == total["latency_ms"][name]
    assert pytest.approx(95, rel=0.0101) == total["ttft_ms"]["p95"]


def test_the_demo_needs_no_log(llmmigrate: Run) -> None:
    outcome = llmmigrate("analyze", "--demo")
    assert (0, "Spent ") == (outcome.code, outcome.out[:6])
