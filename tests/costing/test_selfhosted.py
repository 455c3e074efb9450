"""A machine instead of tokens: sized for the peak, paid by the hour, held against today's price."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome

Run = Callable[..., Outcome]
H200 = Decimal("2.60")
OUTPUT = 1888
INPUT = OUTPUT * 8
"""Tokens a second of 8 H200 with GLM-5.2, as published: 236 output tokens a GPU, 8k in and 1k out a request."""


def write_log(path: Path, peak_calls: int = 1, **fields: Any) -> str:
    """Twenty days with a call an hour, and so many at one time in the last hour."""
    first = datetime(2026, 10, 1, tzinfo=UTC)
    plain = {"model": "o3", "provider": "openai", "input_tokens": 8000, "output_tokens": 1000, **fields}
    starts = [first + timedelta(hours=hour) for hour in range(20 * 24)]
    starts += [starts[-1]] * (peak_calls - 1)
    lines = [{"timestamp": start.strftime("%Y-%m-%dT%H:%M:%SZ"), **plain} for start in starts]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.fixture
def row(llmmigrate: Run) -> Callable[..., dict[str, Any]]:
    def ask(path: str, *options: str, to: str = "self-hosted/glm-5.2@8xH200") -> dict[str, Any]:
        outcome = llmmigrate("estimate", path, "--to", to, "--as-of", "2026-11-22", "--format", "json", *options)
        assert 0 == outcome.code, outcome.err
        (found,) = json.loads(outcome.out)["targets"]
        assert isinstance(found, dict)
        return found

    return ask


Row = Callable[..., dict[str, Any]]


def test_machines_are_paid_for_every_hour_of_the_log(row: Row, tmp_path: Path) -> None:
    found = row(write_log(tmp_path / "log.jsonl"))
    hours = 20 * 24 - 1
    assert (1, Decimal(found["cost"])) == (found["machines"]["machines"], 8 * H200 * hours)
    assert 8 * H200 * Decimal("730.5") == Decimal(found["machines"]["month_cost"])


def test_there_are_enough_for_the_busiest_quarter_of_an_hour(row: Row, tmp_path: Path) -> None:
    """4,000 calls of 1,000 output tokens in 900 s ask for 4,444 a second: 2.4 machines by output and by input."""
    found = row(write_log(tmp_path / "log.jsonl", peak_calls=4000))["machines"]
    assert (3, 2, 4) == (found["machines"], found["machines_low"], found["machines_high"])
    assert ("2026-10-20T23:00:00Z", 4444.444) == (found["peak_at"], found["peak_output_per_second"])
    assert found["peak_utilisation"] == round(4444.444 / OUTPUT / 3, 4)


def test_input_that_the_machine_cannot_read_as_fast_needs_more_machines(row: Row, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.jsonl", peak_calls=4000, input_tokens=16_000)
    assert 5 == row(log)["machines"]["machines"]  # 71,111 input tokens a second against 15,104


def test_the_cost_of_tokens_by_utilisation_by_hand(row: Row, tmp_path: Path) -> None:
    """8 input tokens for each output token: a full machine makes 9 × 1,888 tokens a second."""
    found = row(write_log(tmp_path / "log.jsonl"))["machines"]
    full = 8 * H200 * 10**6 / (OUTPUT * 9 * 3600)
    table = {line["utilisation"]: Decimal(line["per_million"]) for line in found["table"]}
    assert {0.05: full * 20, 0.25: full * 4, 0.5: full * 2, 1.0: full} == pytest.approx(table, abs=Decimal("1e-6"))
    now = (Decimal("0.016") + Decimal("0.008")) / 9000 * 10**6
    assert found["break_even_utilisation"] == pytest.approx(float(full / now), abs=1e-4)


def test_an_input_rate_that_nobody_published_is_said(llmmigrate: Run, row: Row, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.jsonl")
    assert row(log, to="self-hosted/glm-5@8xH200")["notes"] == ["input_throughput_not_published"]
    page = llmmigrate("estimate", log, "--to", "self-hosted/glm-5@8xH200").out
    assert "sized by the output alone" in page


def test_it_stands_in_one_ranked_list_with_services(llmmigrate: Run, tmp_path: Path) -> None:
    options = ["--to", "zai/glm-5", "--to", "self-hosted/glm-5.2@8xH200", "--format", "json"]
    rows = json.loads(llmmigrate("estimate", write_log(tmp_path / "log.jsonl"), *options).out)["targets"]
    assert ["zai/glm-5", "self-hosted/glm-5.2@8xH200"] == [found["to"] for found in rows]


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("self-hosted/glm-5", "names no machine"),
        ("self-hosted/glm-5@0xH200", "names no machine"),
        ("self-hosted/glm-5@8xH20", "unknown GPU 'h20'"),
        ("self-hosted/glm-5@4xH200", "nobody has published how fast glm-5 is on 4 × h200"),
        ("self-hosted/glm-9@8xH200", "published: "),
    ],
)
def test_a_machine_that_is_not_known_is_refused(llmmigrate: Run, tmp_path: Path, to: str, words: str) -> None:
    outcome = llmmigrate("estimate", write_log(tmp_path / "log.jsonl"), "--to", to)
    assert (2, "") == (outcome.code, outcome.out)
    assert words in outcome.err


def test_a_log_of_one_instant_cannot_be_paid_by_the_hour(llmmigrate: Run, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text(
        json.dumps({"timestamp": "2026-10-01T00:00:00Z", "model": "o3", "input_tokens": 1, "output_tokens": 1})
    )
    outcome = llmmigrate("estimate", str(path), "--to", "self-hosted/glm-5.2@8xH200")
    assert 2 == outcome.code
    assert "the log has no span" in outcome.err


def test_a_report_counts_the_rent_as_a_running_cost(llmmigrate: Run, tmp_path: Path) -> None:
    """An hour of 20.80 USD against a call an hour of 400 times as many tokens."""
    log = write_log(tmp_path / "log.jsonl", input_tokens=3_200_000, output_tokens=400_000)
    options = ["--to", "self-hosted/glm-5.2@8xH200", "--as-of", "2026-11-22", "--format", "json"]
    found = json.loads(llmmigrate("report", log, *options).out)
    rent = 8 * H200 * Decimal("730.5")
    gross, month = (Decimal(found["saving"][name]["value"]) for name in ("gross", "month"))
    assert gross - rent == month
    assert Decimal(found["now"]["cost"]) == gross
    assert {"not_measured"} == {risk["status"] for risk in found["risks"] if "GPU" in risk["risk"]}


def test_a_break_even_beyond_what_the_machines_can_serve_is_not_told(llmmigrate: Run, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.jsonl", peak_calls=1500)
    found = json.loads(llmmigrate("report", log, "--to", "self-hosted/glm-5.2@8xH200", "--format", "json").out)
    assert 0.85 < found["estimate"]["machines"]["peak_utilisation"] < 1
    assert found["break_even"] == {"traffic_share": None, "calls_per_month": None}
    more = {row["change"]: Decimal(row["month"]) for row in found["sensitivity"] if row["name"] == "traffic"}
    rent = 8 * H200 * Decimal("730.5")
    assert more["-20 %"] - more["+20 %"] > rent * Decimal("0.9")  # a second machine


def test_growth_with_a_machine_is_refused(llmmigrate: Run, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.jsonl")
    outcome = llmmigrate("report", log, "--to", "self-hosted/glm-5.2@8xH200", "--growth", "3%")
    assert 2 == outcome.code
    assert "--growth cannot be used with a machine" in outcome.err
