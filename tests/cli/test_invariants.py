"""What must agree between commands and options, whatever the log: parts add up to the whole, all ways to it are one."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome

Run = Callable[..., Outcome]
Ask = Callable[..., dict[str, Any]]

MODELS = (
    ("openai", "o3"), ("anthropic", "claude-sonnet-4-5"), ("deepseek", "deepseek-v4-flash"),
    ("perplexity", "sonar-pro"), ("zhipuai", "glm-5"), ("openai", "no-such-model"),
)  # fmt: skip
"""By the token, with searches, with peak hours, with a fee a request, in another currency, without a price."""
FIRST = datetime(2026, 10, 1, tzinfo=UTC)
CUT = "2026-10-19T13:07:00Z"
SAID = ("span", "total", "projection", "targets", "current")
ROUNDED = Decimal("1e-10")
"""What the conversion of a currency may leave of a sum."""


def record(draw: random.Random, number: int) -> dict[str, Any]:
    provider, model = draw.choice(MODELS)
    size, reply = draw.choice([draw.randrange(1, 3_000), draw.randrange(1, 300_000)]), draw.randrange(1, 2_000)
    found = {
        "timestamp": (FIRST + timedelta(seconds=draw.randrange(35 * 86_400))).isoformat(), "provider": provider,
        "model": model, "input_tokens": size, "output_tokens": reply, "request_id": f"r{number}",
        "tags": {"route": draw.choice(["/chat", "/search"])},
    }  # fmt: skip
    found |= {"cached_input_tokens": draw.randrange(size)} if draw.random() < 0.3 else {}
    found |= {"reasoning_tokens": draw.randrange(reply)} if draw.random() < 0.2 else {}
    found |= {"searches": draw.randrange(1, 4)} if draw.random() < 0.1 else {}
    return found | ({"service_tier": draw.choice(["batch", "flex"])} if draw.random() < 0.2 else {})


@pytest.fixture(scope="module", params=[1, 2])
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    draw = random.Random(request.param)
    path = tmp_path_factory.mktemp("invariants") / "log.jsonl"
    path.write_text("".join(json.dumps(record(draw, i)) + "\n" for i in range(400)), encoding="utf-8")
    return str(path)


@pytest.fixture
def ask(llmmigrate: Run) -> Ask:
    """A command's document."""

    def told(*words: str) -> dict[str, Any]:
        outcome = llmmigrate(*words, "--format", "json")
        assert 0 == outcome.code, outcome.err
        found: dict[str, Any] = json.loads(outcome.out)
        return found

    return told


def cost(document: dict[str, Any]) -> Decimal:
    return Decimal(document["total"]["cost"])


@pytest.mark.parametrize(
    ("by", "more"),
    [
        ("model,provider", ()),
        ("tag.route", ()),
        ("day", ("--tz", "Asia/Kolkata")),
        ("hour", ("--tz", "America/New_York")),
    ],
)
def test_groups_add_up(ask: Ask, log: str, by: str, more: tuple[str, ...]) -> None:
    whole, found = ask("analyze", log), ask("analyze", log, "--by", by, *more)
    assert cost(whole) == cost(found)
    assert abs(cost(whole) - sum(Decimal(group.get("cost") or 0) for group in found["groups"])) < ROUNDED
    assert whole["total"]["calls"] == sum(group["calls"] for group in found["groups"])


def test_before_and_after_add_up(ask: Ask, log: str) -> None:
    parts = [ask("analyze", log, option, CUT) for option in ("--until", "--since")]
    assert abs(cost(ask("analyze", log)) - sum(map(cost, parts))) < ROUNDED


def test_a_profile_says_what_its_log_says(ask: Ask, llmmigrate: Run, log: str, tmp_path: Path) -> None:
    saved = str(tmp_path / "log.profile.json")
    assert 0 == llmmigrate("ingest", log, "-o", saved, "--by", "tag.route").code
    for command in (("analyze",), ("estimate", "--to", "zai/glm-5", "--where", "route=/chat")):
        here, there = (ask(command[0], path, *command[1:]) for path in (log, saved))
        assert [here.get(name) for name in SAID] == [there.get(name) for name in SAID]


def test_a_part_alone_is_what_it_is_among_others(ask: Ask, log: str) -> None:
    """The log was observed as long for one route as for all."""
    groups = {group["key"]["tag.route"]: group for group in ask("analyze", log, "--by", "tag.route")["groups"]}
    alone = ask("analyze", log, "--where", "route=/chat")["total"]
    assert all(groups["/chat"][name] == alone[name] for name in ("calls", "cost", "month"))


def test_parts_of_an_estimate_add_up(ask: Ask, log: str) -> None:
    wheres = ((), ("--where", "route=/chat"), ("--where", "route=/search"))
    whole, *parts = (ask("estimate", log, "--to", "zai/glm-5", *where)["targets"][0] for where in wheres)
    assert abs(Decimal(whole["cost"]) - sum(Decimal(part["cost"]) for part in parts)) < Decimal("1e-5")


def test_todays_cost_is_the_same_in_both_commands(ask: Ask, log: str) -> None:
    """Each call at its own date: what an estimate calls now is what analyze calls spent."""
    found = ask("estimate", log, "--to", "zai/glm-5", "--as-of", "logged")
    assert abs(cost(ask("analyze", log)) - Decimal(found["current"]["cost"])) < Decimal("1e-5")


def test_a_month_is_in_proportion(ask: Ask, log: str) -> None:
    """The month of a saving to the projected month is as the saving to the cost now; fees by the piece included."""
    found = ask("estimate", log, "--to", "zai/glm-5")
    (target,) = found["targets"]
    month, saving, now = found["projection"]["month"]["cost"], target["saving"], found["current"]["cost"]
    expected = Decimal(month) * Decimal(saving) / Decimal(now)
    assert abs(expected - Decimal(target["month_saving"]["cost"])) <= abs(expected) * Decimal("1e-4")


def test_half_of_the_traffic_saves_half(ask: Ask, log: str) -> None:
    whole, half = (ask("estimate", log, "--to", "zai/glm-5", "--share", part)["targets"][0] for part in ("100%", "50%"))
    assert abs(Decimal(whole["saving"]) / 2 - Decimal(half["saving"])) < Decimal("1e-5")
