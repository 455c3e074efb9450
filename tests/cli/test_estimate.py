"""`estimate` as a user types it: the facts that the migration playbooks miss, and what the log cannot tell."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome

from llmmigrate.cli.console import Console

Run = Callable[..., Outcome]
NOW = "2026-11-22"


def call(day: int = 1, **fields: Any) -> dict[str, Any]:
    """An o3 call of 10,000 tokens in and 1,000 out: 0.028 USD at list since 2025-06-10."""
    plain = {
        "timestamp": f"2026-10-{day:02d}T10:00:00Z", "model": "o3", "provider": "openai", "input_tokens": 10_000,
        "output_tokens": 1_000,
    }  # fmt: skip
    return {**plain, **fields}


def searching_call(day: int = 1) -> dict[str, Any]:
    """A sonnet call of 0.06 USD, and three searches of 0.01 USD."""
    return call(day, provider="anthropic", model="claude-sonnet-4-5", input_tokens=15_000, searches=3)


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., str]:
    """Writes a log of records; returns its path."""

    def write(*records: dict[str, Any], name: str = "log.jsonl") -> str:
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def document(llmmigrate: Run) -> Callable[..., dict[str, Any]]:
    """An estimate at a fixed date, as JSON."""

    def ask(path: str, *options: str, as_of: str = NOW) -> dict[str, Any]:
        outcome = llmmigrate("estimate", path, "--as-of", as_of, "--format", "json", *options)
        assert 0 == outcome.code, outcome.err
        found: dict[str, Any] = json.loads(outcome.out)
        return found

    return ask


@pytest.fixture
def target(document: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The one target of such an estimate."""

    def ask(path: str, *options: str, as_of: str = NOW) -> dict[str, Any]:
        (found,) = document(path, *options, as_of=as_of)["targets"]
        assert isinstance(found, dict)
        return found

    return ask


Target = Callable[..., dict[str, Any]]
Log = Callable[..., str]


def test_the_relay_is_dearer_than_the_list_price_of_today(target: Target, log: Log) -> None:
    found = target(log(call(), call(2)), "--to", "holysheep/o3")
    assert ("0.0588", "-0.0028", -0.05) == (found["cost"], found["saving"], found["saving_share"])


def test_the_relay_was_far_cheaper_at_the_launch_of_o3(target: Target, log: Log) -> None:
    found = target(log(call(), call(2)), "--to", "holysheep/o3", as_of="2025-05-01")
    assert ("0.0588", "0.2212") == (found["cost"], found["saving"])


def test_the_same_tokenizer_leaves_no_range(target: Target, log: Log) -> None:
    found = target(log(call()), "--to", "holysheep/o3")
    assert found["low"] == found["cost"] == found["high"]


def test_another_tokenizer_leaves_the_published_range(target: Target, log: Log) -> None:
    found = target(log(call()), "--to", "anthropic/claude-opus-4-5")
    (ratio,) = [assumption for assumption in found["assumptions"] if assumption["name"] == "token_ratio"]
    assert ("1", "1.53", "assumed") == (ratio["low"], ratio["high"], found["range_kind"])
    assert Decimal(found["high"]) == Decimal(found["cost"]) * Decimal("1.53")


def test_the_tolerance_is_how_many_times_the_tokens_may_grow(target: Target, log: Log) -> None:
    found = target(log(call()), "--to", "openai/gpt-4o-mini")
    assert round(Decimal("0.028") / Decimal(found["cost"]), 4) == Decimal(str(found["tolerance"]))


def test_fees_by_the_piece_do_not_grow_with_the_tokens(target: Target, log: Log) -> None:
    """A search costs 0.01 USD on both sides; only the tokens are left to grow, whose price is a third there."""
    path = log(searching_call())
    assert 3.0 == target(path, "--to", "anthropic/claude-haiku-4-5")["tolerance"]


def test_fees_that_undo_the_saving_leave_no_tolerance(llmmigrate: Run, target: Target, log: Log) -> None:
    path = log(call(provider="perplexity", model="sonar", input_tokens=10, output_tokens=1))
    assert 0.0 == target(path, "--to", "perplexity/sonar-pro")["tolerance"]


def test_a_month_holds_what_is_billed_by_the_piece(document: Callable[..., dict[str, Any]], log: Log) -> None:
    """28 days of one call and three searches a day, 0.09 USD: the searches were once left out of the month."""
    path = log(*(searching_call(day) for day in range(1, 29)))
    found = document(path, "--to", "anthropic/claude-haiku-4-5")
    assert abs(Decimal("0.09") * Decimal("30.4375") - Decimal(found["projection"]["month"]["cost"])) < Decimal("0.01")


def test_the_cost_is_linear_in_the_calls(target: Target, log: Log) -> None:
    one = target(log(call()), "--to", "zai/glm-5")
    ten = target(log(*(call(day) for day in range(1, 11))), "--to", "zai/glm-5")
    assert 10 * Decimal(one["cost"]) == Decimal(ten["cost"])
    assert (one["tolerance"], one["saving_share"]) == (ten["tolerance"], ten["saving_share"])


@pytest.mark.parametrize(("share", "cost"), [("100%", "0.0588"), ("50%", "0.0574"), ("25%", "0.0567")])
def test_a_share_of_the_traffic_moves(target: Target, log: Log, share: str, cost: str) -> None:
    assert cost == target(log(call(), call(2)), "--to", "holysheep/o3", "--share", share)["cost"]


def test_a_share_does_not_change_the_tolerance(target: Target, log: Log) -> None:
    path = log(call(), call(2))
    whole, half = (target(path, "--to", "openai/gpt-4o-mini", "--share", share) for share in ("100%", "50%"))
    assert whole["tolerance"] == half["tolerance"]


def test_a_map_moves_what_it_names_and_keeps_the_rest(target: Target, log: Log) -> None:
    path = log(call(), call(2, model="gpt-4.1"), call(3, model="gpt-4o"))
    found = target(path, "--map", "o3=holysheep/o3", "--map", "gpt-4.1=keep")
    kept = Decimal("0.02") + Decimal("0.008") + Decimal("0.025") + Decimal("0.01")
    assert (["o3"], Decimal("0.0294") + kept) == (found["moves"], Decimal(found["cost"]))


@pytest.mark.parametrize(
    ("option", "tokens"),
    [
        ("same", (2000, 8000)),
        ("none", (10_000, 0)),
        ("50%", (5000, 5000)),
    ],
)
def test_the_cache_of_the_target_is_an_assumption(
    target: Target, log: Log, option: str, tokens: tuple[int, int]
) -> None:
    found = target(log(call(cached_input_tokens=8000)), "--to", "openai/gpt-4o", "--cache", option)
    fresh, cached = tokens
    assert fresh * Decimal("2.5") + cached * Decimal("1.25") + 1000 * 10 == Decimal(found["cost"]) * 1_000_000


def test_a_share_by_batch_is_billed_at_batch_rates(target: Target, log: Log) -> None:
    path = log(call())
    standard, half = (target(path, "--to", "openai/o3", "--batch-share", part)["cost"] for part in ("0%", "50%"))
    assert ("0.028", "0.021") == (standard, half)


def test_where_moves_only_what_fits(target: Target, log: Log) -> None:
    path = log(call(route="/a"), call(2, route="/b"), call(3, route="/b"))
    assert 2 == target(path, "--to", "holysheep/o3", "--where", "route=/b")["calls"]


def test_by_breaks_the_target_down(target: Target, log: Log) -> None:
    path = log(call(route="/a"), call(2, route="/b"), call(3, route="/b"))
    groups = target(path, "--to", "holysheep/o3", "--by", "tag.route")["groups"]
    found = {group["key"]["tag.route"]: (group["calls"], group["current"], group["cost"]) for group in groups}
    assert {"/a": (1, "0.028", "0.0294"), "/b": (2, "0.056", "0.0588")} == found


def test_logged_prices_both_sides_at_each_calls_own_date(document: Callable[..., dict[str, Any]], log: Log) -> None:
    path = log(call(timestamp="2025-05-01T00:00:00Z"), call())
    found = document(path, "--to", "holysheep/o3", as_of="logged")
    assert ("0.168", "0.0588") == (found["current"]["cost"], found["targets"][0]["cost"])


def test_a_saved_profile_is_estimated_like_its_log(llmmigrate: Run, log: Log, tmp_path: Path) -> None:
    path, saved = log(call(), call(2)), str(tmp_path / "usage.profile.json")
    assert 0 == llmmigrate("ingest", path, "-o", saved).code
    options = ("--to", "zai/glm-5", "--as-of", NOW, "--format", "json")
    found = [json.loads(llmmigrate("estimate", source, *options).out) for source in (path, saved)]
    assert without_origin(found[0]) == without_origin(found[1])


def without_origin(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "command"}


def test_a_bare_estimate_ranks_candidates_of_the_same_tier(document: Callable[..., dict[str, Any]], log: Log) -> None:
    targets = document(log(call(), call(2)))["targets"]
    moves = [entry for entry in targets if entry["kind"] == "move"]
    assert len(moves) > 3
    assert sorted(Decimal(entry["cost"]) for entry in moves) == [Decimal(entry["cost"]) for entry in moves]
    assert any(entry["kind"] == "stay" for entry in targets)


class TestAnUnpricedLog:
    """Every call is of a model that no table knows."""

    @pytest.fixture
    def path(self, log: Log) -> str:
        return log(*(call(day, model="acme-1", provider=None) for day in (1, 2, 3)))

    def test_analyze_answers_with_tokens(self, llmmigrate: Run, path: str) -> None:
        outcome = llmmigrate("analyze", path, "--format", "json")
        total = json.loads(outcome.out)["total"]
        assert (0, 30_000, False) == (outcome.code, total["input_tokens"], "cost" in total)

    def test_strict_is_undecided(self, llmmigrate: Run, path: str) -> None:
        assert 3 == llmmigrate("analyze", path, "--strict").code
        assert 3 == llmmigrate("estimate", path, "--to", "openai/o3", "--strict").code
        assert 0 == llmmigrate("analyze", path, "--strict", "--exit-zero").code

    def test_estimate_prices_the_target_without_a_saving(self, target: Target, path: str) -> None:
        found = target(path, "--to", "openai/o3")
        assert ("0.084", None, None, None) == (
            found["cost"], found["saving"], found["saving_share"], found["tolerance"],
        )  # fmt: skip

    @pytest.mark.parametrize("command", [["analyze"], ["estimate"], ["estimate", "--to", "openai/o3"]])
    @pytest.mark.parametrize("format_name", ["table", "markdown", "csv"])
    def test_no_screen_shows_a_zero_for_what_is_unknown(
        self, llmmigrate: Run, path: str, command: list[str], format_name: str
    ) -> None:
        outcome = llmmigrate(command[0], path, *command[1:], "--format", format_name)
        assert 0 == outcome.code
        assert [] == [zero for zero in ("0.00 ", "$0", " 0 USD", "0.00\n") if zero in outcome.out]


def test_a_call_over_the_context_window_is_counted_as_not_held(target: Target, log: Log) -> None:
    path = log(call(), call(2, input_tokens=150_000))
    found = target(path, "--to", "openai/gpt-4o")
    shared = Decimal("0.308") / Decimal("0.336")
    assert 1 == found["cannot_hold"]["calls"]
    assert pytest.approx(float(shared), abs=1e-6) == found["cannot_hold"]["spend_share"]


def test_a_call_that_just_fits_is_held(target: Target, log: Log) -> None:
    assert 0 == target(log(call(input_tokens=120_000)), "--to", "openai/gpt-4o")["cannot_hold"]["calls"]


def test_only_the_calls_that_the_target_has_no_rate_for_stay(target: Target, log: Log) -> None:
    found = target(log(call(model="gpt-4o"), call(2, model="gpt-4o", searches=1)), "--to", "zai/glm-5")
    assert {"calls": 1, "reasons": {"class_without_rate": 1}} == found["unpriced_there"]


def test_an_unknown_target_is_an_error_with_a_suggestion(llmmigrate: Run, log: Log) -> None:
    outcome = llmmigrate("estimate", log(call()), "--to", "openai/gpt-4oo")
    assert (2, "") == (outcome.code, outcome.out)
    assert "did you mean" in outcome.err
    assert "openai/gpt-4o" in outcome.err


@pytest.mark.parametrize(
    "options",
    [["--share", "150%"], ["--share", "lots"], ["--cache", "much"], ["--batch-share", "-1%"], ["--map", "o3"],
     ["--as-of", "yesterday"], ["--where", "route"], ["--tz", "Mars/Olympus"], ["--since", "noon"]],
    ids=" ".join,
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_an_error(llmmigrate: Run, log: Log, options: list[str]) -> None:
    outcome = llmmigrate("estimate", log(call()), "--to", "openai/gpt-4o", *options)
    assert (2, "") == (outcome.code, outcome.out)
    assert outcome.err.startswith("error")
    assert "defect" not in outcome.err


def test_a_log_in_two_currencies_is_converted_once(target: Target, log: Log) -> None:
    path = log(call(), call(2, model="glm-5", provider="zhipuai"))
    assert "USD" == target(path, "--to", "zhipuai/glm-5")["currency"]


@pytest.mark.parametrize("width", [40, 60, 80, 120, None])
def test_every_cost_is_whole_at_any_width(
    llmmigrate: Run, log: Log, monkeypatch: pytest.MonkeyPatch, width: int | None
) -> None:
    monkeypatch.setattr(Console, "width", lambda self: width)
    path = log(*(call(day, input_tokens=12_345_600) for day in range(1, 31)))
    out = llmmigrate("estimate", path, "--to", "holysheep/o3").out
    assert "778.02" in out  # 30 · (12,345,600 · 2.10 + 1,000 · 8.40) / 10^6
    assert max(map(len, out.splitlines())) <= (width or 1000) or "→" in out


def test_what_analyze_cannot_price_is_no_cost_of_today(llmmigrate: Run, tmp_path: Path) -> None:
    """gpt-4 has no rate for cached input: that call is unpriced on today's side too, and its neighbour is not."""
    call = {"timestamp": "2026-10-20T10:00:00Z", "model": "gpt-4", "output_tokens": 0}
    path = tmp_path / "logs.jsonl"
    rows = [{**call, "input_tokens": 1_000}, {**call, "input_tokens": 9_000, "cached_input_tokens": 5_000}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    spent = json.loads(llmmigrate("analyze", str(path), "--format", "json").out)
    found = json.loads(llmmigrate("estimate", str(path), "--to", "zai/glm-5", "--format", "json").out)
    unpriced = [(entry["model"], entry["calls"]) for entry in found["unpriced"]]
    assert (("0.03", 1), ("0.03", 1)) == (
        (spent["total"]["cost"], spent["total"]["unpriced_calls"]),
        (found["current"]["cost"], found["coverage"]["unpriced_calls"]),
    )
    assert [("gpt-4", 1)] == unpriced
