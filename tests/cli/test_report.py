"""`report` as a user types it: figures that can be checked by hand, evidence, and what is refused in words."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome

from llmmigrate.costing.cash import Terms, worth

Run = Callable[..., Outcome]
Document = Callable[..., dict[str, Any]]
NOW = "2026-11-22"
MONTH = Decimal("30.4375")


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_log(path: Path, days: int = 28, **fields: Any) -> str:
    """A log of one o3 call a day at noon: 2 USD at list, 1.20 USD or so at GLM-5."""
    first = date(2026, 10, 1)
    plain = {"model": "o3", "provider": "openai", "input_tokens": 600_000, "output_tokens": 100_000, **fields}
    lines = [{"timestamp": f"{first + timedelta(days=day)}T12:00:00Z", **plain} for day in range(days)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.fixture
def log(tmp_path: Path) -> str:
    return write_log(tmp_path / "log.jsonl")


@pytest.fixture
def roi(llmmigrate: Run) -> Document:
    def ask(*options: str) -> dict[str, Any]:
        outcome = llmmigrate("report", *options, "--as-of", NOW, "--format", "json")
        assert 0 == outcome.code, outcome.err
        found: dict[str, Any] = json.loads(outcome.out)
        return found

    return ask


def test_the_figures_of_a_month_by_hand(roi: Document, log: str) -> None:
    """2.00 USD a call now, 0.92 at GLM-5; 28 calls lie in 27 days, so the weekly totals say one call a day."""
    found = roi(log, "--to", "zai/glm-5", "--one-off-cost", "50", "--monthly-cost", "5", "--horizon", "12mo")
    gross = (Decimal("2.00") - Decimal("0.92")) * MONTH
    net = gross - 5
    assert Decimal(found["saving"]["gross"]["value"]) == gross.quantize(Decimal("0.000001"))
    assert Decimal(found["saving"]["month"]["value"]) == net.quantize(Decimal("0.000001"))
    assert abs(Decimal(found["net"]["value"]) - (12 * net - 50)) < Decimal("0.0001")
    assert abs(Decimal(found["five_year_net"]["value"]) - (60 * net - 50)) < Decimal("0.0001")
    assert found["payback"]["value"] == round(float(50 / net), 4)
    assert found["break_even"]["traffic_share"] == round(float((50 + 60) / (12 * gross)), 4)
    assert found["saving"]["share"] == 0.54


def test_the_cash_begins_with_what_is_paid_and_turns_at_the_payback(roi: Document, log: str) -> None:
    found = roi(log, "--to", "zai/glm-5", "--one-off-cost", "100", "--horizon", "6 months")
    balances = [Decimal(point["value"]) for point in found["cash"]]
    assert (7, Decimal(-100)) == (len(balances), balances[0])
    assert [value >= 0 for value in balances] == [month >= found["payback"]["value"] for month in range(7)]


def test_the_sensitivity_by_hand(roi: Document, log: str) -> None:
    found = roi(log, "--to", "zai/glm-5")
    rows = {(row["name"], row["change"]): Decimal(row["month"]) / MONTH for row in found["sensitivity"]}
    expected = {
        ("traffic", "-20 %"): "0.864",
        ("traffic", "+20 %"): "1.296",
        ("prices of the target", "+20 %"): "0.896",
        ("prices of the target", "-20 %"): "1.264",
        ("prices of today's models", "-20 %"): "0.68",
        ("tokens of the target", "most of the assumed range"): "0.804",
        ("tokens of the target", "least of the assumed range"): "1.2916",
        ("cache", "no hits"): "1.08",
        ("calls that must stay", "6 % more"): "1.0152",
    }
    assert {key: Decimal(value) for key, value in expected.items()} == {
        key: value.quantize(Decimal("0.0000001")).normalize() for key, value in rows.items()
    }


def test_what_must_stay_saves_nothing(roi: Document, log: str) -> None:
    whole, most = (roi(log, "--to", "zai/glm-5", "--stay", stay) for stay in ("0%", "6%"))
    part = Decimal(most["saving"]["month"]["value"]) / Decimal(whole["saving"]["month"]["value"])
    assert round(part, 5) == Decimal("0.94")


def test_days_and_models_add_up_to_the_log(roi: Document, log: str) -> None:
    found = roi(log, "--to", "zai/glm-5")
    assert (28, "2026-10-01", "2026-10-28") == (len(found["days"]), found["days"][0]["day"], found["days"][-1]["day"])
    for parts in (found["days"], found["models"]):
        assert Decimal(56) == sum(Decimal(part["now"]) for part in parts)
        assert Decimal(found["estimate"]["cost"]) == sum(Decimal(part["then"]) for part in parts)


@pytest.mark.parametrize(
    ("traffic", "here", "there", "months", "year", "share"),
    [
        ([(10, 5)], [("15", "60")], [("2.10", "8.40")], "450.00", "4644.00", "0.86"),
        ([(6, 4)], [("0.50", "1.50")], [("0.08", "0.23")], "9.00", "91.20", "0.844"),
        ([(60, 40)], [("2.50", "10")], [("0.38", "1.50")], "550.00", "5606.40", "0.849"),
        ([(15, 8), (25, 12)], [("2.50", "10"), ("0.50", "1.50")], None, "148.00", "1509.60", "0.85"),
    ],
    ids=["relay", "start-up", "enterprise", "usage analyser"],
)
def test_the_worked_examples_of_the_playbooks_at_their_own_prices(
    llmmigrate: Run,
    workplace: Path,
    traffic: list[tuple[int, int]],
    here: list[tuple[str, str]],
    there: list[tuple[str, str]] | None,
    months: str,
    year: str,
    share: str,
) -> None:
    """A month of their tokens, in millions, priced from a contract with their prices; their analyser says 15 %."""
    cheap = there or [(str(Decimal(a) * Decimal("0.15")), str(Decimal(b) * Decimal("0.15"))) for a, b in here]
    table = [
        "schema: 1", "provider: playbook", "name: Playbook", "currency: USD", "checked: 2026-11-22", "models:",
        *(f"  - {{id: {side}{n}, periods: [{{from: 2026-01-01, source: 'C: a playbook',"
          f" per_mtok: {{input: '{a}', output: '{b}'}}}}]}}"
          for side, prices in (("now", here), ("then", cheap)) for n, (a, b) in enumerate(prices)),
    ]  # fmt: skip
    (workplace / "playbook.yaml").write_text("\n".join(table) + "\n", encoding="utf-8")
    (workplace / "llmmigrate.yaml").write_text("prices: [playbook.yaml]\n", encoding="utf-8")
    calls = [
        {"timestamp": "2026-10-01T00:00:00Z", "provider": "playbook", "model": f"now{n}",
         "input_tokens": a * 10**6, "output_tokens": b * 10**6}
        for n, (a, b) in enumerate(traffic)
    ]  # fmt: skip
    (workplace / "month.jsonl").write_text("".join(json.dumps(call) + "\n" for call in calls), encoding="utf-8")
    moves = [part for n in range(len(traffic)) for part in ("--map", f"now{n}=playbook/then{n}")]
    outcome = llmmigrate("estimate", "month.jsonl", *moves, "--as-of", NOW, "--format", "json")
    (row,) = json.loads(outcome.out)["targets"]
    saving = Decimal(row["saving"])
    assert Decimal(months) == saving + Decimal(row["cost"])
    assert Decimal(year) == worth(saving, Terms()).year
    assert Decimal(share) == round(saving / Decimal(months), len(share) - 2)


def test_the_relay_is_named_as_dearer_than_the_list_price(roi: Document, log: str) -> None:
    claims = {claim["claim"]: claim for claim in roi(log, "--to", "holysheep/o3")["claims"]}
    relay = claims["the relay is 86 % cheaper"]
    assert ("costs 5.0 % more", False) == (relay["found"], relay["holds"])
    assert claims["a month is the log's total times thirty"]["holds"] is False


def test_a_loss_is_called_a_loss(llmmigrate: Run, log: str) -> None:
    outcome = llmmigrate("report", log, "--to", "holysheep/o3", "--as-of", NOW, "--one-off-cost", "10")
    assert 0 == outcome.code
    assert outcome.out.startswith("No saving: holysheep/o3 would cost")
    assert "Pays back 10.00 USD once: never." in outcome.out
    assert "Next: stay: there is no saving." in outcome.out


def test_a_log_of_one_hour_has_no_month(llmmigrate: Run, tmp_path: Path) -> None:
    calls = [
        {
            "timestamp": f"2026-10-01T10:{minute:02d}:00Z",
            "model": "o3",
            "provider": "openai",
            "input_tokens": 10**6,
            "output_tokens": 0,
        }
        for minute in range(60)
    ]
    path = tmp_path / "hour.jsonl"
    path.write_text("".join(json.dumps(call) + "\n" for call in calls), encoding="utf-8")
    outcome = llmmigrate("report", str(path), "--to", "zai/glm-5", "--as-of", NOW, "--one-off-cost", "100")
    assert 0 == outcome.code
    assert "14 days are needed for a projection" in outcome.out
    assert "Payback of 100.00 USD once: not told." in outcome.out
    assert 3 == llmmigrate("report", str(path), "--to", "zai/glm-5", "--as-of", NOW, "--strict").code


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--one-off-cost", "-5"], "below zero"),
        (["--monthly-cost", "many"], "no amount of money"),
        (["--horizon", "0mo"], "a horizon of 0 months is none"),
        (["--horizon", "24"], "no time span"),
        (["--discount", "8"], "write 8%"),
        (["--discount", "-100%"], "leaves nothing"),
        (["--growth", "5"], "write 5%"),
        (["--stay", "100%"], "leaves nothing that moves"),
        (["--one-off-cost", "5 XAU"], "no exchange rate from XAU to USD"),
        (["--to", "zai/glm-55"], "unknown target"),
        (["--cache", "measured"], "needs a measurement"),
    ],
)
def test_terms_that_cannot_be_meant_are_refused(llmmigrate: Run, log: str, options: list[str], words: str) -> None:
    target = [] if "--to" in options else ["--to", "zai/glm-5"]
    outcome = llmmigrate("report", log, *target, *options)
    assert (2, "") == (outcome.code, outcome.out)
    assert words in outcome.err


def test_another_currency_is_converted_at_a_dated_rate_that_is_shown(roi: Document, log: str) -> None:
    paid = roi(log, "--to", "zai/glm-5", "--one-off-cost", "720 CNY")["terms"]["one_off_cost"]
    assert ("100", "720 CNY") == (paid["amount"], paid["given"])
    assert paid["rate"].startswith("1 USD = 7.2 CNY")


def test_settings_give_the_terms_that_no_flag_gives(roi: Document, log: str, workplace: Path) -> None:
    settings = (
        "to: {provider: zai, model: glm-5}\nreport: {one_off_cost: 8000 USD, horizon: 36 months, discount: 10%}\n"
    )
    (workplace / "llmmigrate.yaml").write_text(settings, encoding="utf-8")
    terms = roi(log, "--horizon", "12mo")["terms"]
    assert ("8000", 12, 0.1) == (terms["one_off_cost"]["amount"], terms["horizon_months"], terms["discount_per_year"])
    assert {"one_off": "llmmigrate.yaml", "horizon": "--horizon", "stay": "default"}.items() <= terms["origins"].items()


def test_a_saved_estimate_gives_the_same_figures(llmmigrate: Run, roi: Document, log: str, workplace: Path) -> None:
    llmmigrate("estimate", log, "--to", "zai/glm-5", "--to", "openai/gpt-4o", "--as-of", NOW, "-o", "estimate.json")
    outcome = llmmigrate("report", "estimate.json", "--to", "zai/glm-5", "--one-off-cost", "50", "--format", "json")
    saved, fresh = json.loads(outcome.out), roi(log, "--to", "zai/glm-5", "--one-off-cost", "50")
    assert [saved[name] for name in ("saving", "payback", "npv", "cash")] == [
        fresh[name] for name in ("saving", "payback", "npv", "cash")
    ]
    assert ([], []) == (saved["days"], saved["models"])


@pytest.mark.parametrize(
    ("name", "words"), [("--stay", "--stay needs the log"), ("--growth", "--growth needs the log")]
)
def test_what_needs_the_log_is_refused_for_an_estimate(llmmigrate: Run, log: str, name: str, words: str) -> None:
    llmmigrate("estimate", log, "--to", "zai/glm-5", "-o", "estimate.json")
    outcome = llmmigrate("report", "estimate.json", name, "5%")
    assert 2 == outcome.code
    assert words in outcome.err


def test_a_damaged_estimate_is_refused(llmmigrate: Run, workplace: Path) -> None:
    (workplace / "estimate.json").write_text('{"schema": "llmmigrate.estimate/1"}', encoding="utf-8")
    outcome = llmmigrate("report", "estimate.json")
    assert 2 == outcome.code
    assert "is an estimate that cannot be read" in outcome.err


def test_without_a_target_the_cheapest_candidate_is_reported(roi: Document, log: str, llmmigrate: Run) -> None:
    found = roi(log)
    ranked = json.loads(llmmigrate("estimate", log, "--as-of", NOW, "--format", "json").out)["targets"]
    best = next(target for target in ranked if target["kind"] == "move")
    assert (best["to"], best["saving"]) == (found["target"], found["saving"]["log"]["value"])
    assert Decimal(found["estimate"]["cost"]) == sum(Decimal(day["then"]) for day in found["days"])


def test_equal_input_gives_equal_bytes(llmmigrate: Run, log: str) -> None:
    one, other = (llmmigrate("report", log, "--to", "zai/glm-5", "--as-of", NOW, "--format", "json").out for _ in "ab")
    assert one == other


def test_the_csv_has_every_table(llmmigrate: Run, log: str, workplace: Path) -> None:
    llmmigrate("report", log, "--to", "zai/glm-5", "--as-of", NOW, "-o", "roi.csv", "-o", "roi.md")
    tables = {line.split(",")[0] for line in (workplace / "roi.csv").read_text(encoding="utf-8").splitlines()[1:]}
    assert {"model", "day", "cash", "sensitivity", "risk", "claim"} == tables
    assert (workplace / "roi.md").read_text(encoding="utf-8").startswith("**zai/glm-5 saves")


def test_a_mix_adds_up_by_part_by_model_and_by_day(roi: Document, tmp_path: Path) -> None:
    log = two_routes(tmp_path / "log.jsonl")
    found = roi(log, "--mix", "--by", "tag.route", "--to", "zai/glm-4.5-air", "--to", "zai/glm-5")
    going = {part["key"]["tag.route"]: part["to"] for part in found["estimate"]["groups"]}
    assert going == {"/plan": "zai/glm-4.5-air", "/read": "zai/glm-5"}
    for side, of_part in (("now", "current"), ("then", "cost")):
        whole = sum(Decimal(part[of_part]) for part in found["estimate"]["groups"])
        assert whole == sum(Decimal(model[side]) for model in found["models"])
        assert whole == sum(Decimal(day[side]) for day in found["days"])
    assert Decimal(found["saving"]["log"]["value"]) == Decimal(found["estimate"]["saving"])
    assert {"o3", "gpt-4.1"} == {model["model"] for model in found["models"]}
    assert 28 == len(found["days"])


def two_routes(path: Path) -> str:
    """Short prompts of o3 on one route, prompts of gpt-4.1 too long for glm-4.5-air on the other."""
    first = date(2026, 10, 1)
    routes = {
        "/plan": {"model": "o3", "input_tokens": 10_000, "output_tokens": 1_000},
        "/read": {"model": "gpt-4.1", "input_tokens": 150_000, "output_tokens": 100},
    }
    lines = [
        {"timestamp": f"{first + timedelta(days=day)}T12:00:00Z", "provider": "openai", "route": route, **call}
        for day in range(28) for route, call in routes.items()
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


def test_a_mix_knows_what_its_own_audit_says_and_nothing_of_the_answers(roi: Document, tmp_path: Path) -> None:
    found = roi(two_routes(tmp_path / "log.jsonl"), "--mix", "--by", "tag.route", "--to", "zai/glm-5")
    statuses = {risk["risk"]: (risk["status"], risk["words"]) for risk in found["risks"]}
    words = "56 calls without their requests in the log"
    assert statuses["particular features of the API are missing"] == ("caution", words)
    assert statuses["answers are not as good as today"] == ("not_measured", "not measured")
    assert found["next"]["command"].startswith("llmmigrate record --keep-text "), "the log has no texts to replay"


def test_a_map_moves_the_named_model_and_only_it(roi: Document, tmp_path: Path) -> None:
    found = roi(two_routes(tmp_path / "log.jsonl"), "--map", "o3=zai/glm-5")
    models = {model["model"]: model for model in found["models"]}
    assert models["gpt-4.1"]["now"] == models["gpt-4.1"]["then"]
    assert Decimal(models["o3"]["then"]) < Decimal(models["o3"]["now"])
    assert found["next"]["command"].endswith(" --to zai/glm-5")


def test_the_next_step_after_a_saved_estimate_names_its_log(roi: Document, llmmigrate: Run, log: str) -> None:
    assert 0 == llmmigrate("estimate", log, "--to", "zai/glm-5", "--as-of", NOW, "-o", "estimate.json").code
    outcome = llmmigrate("report", "estimate.json", "--to", "zai/glm-5", "--format", "json")
    assert f"llmmigrate audit {log} --to zai/glm-5" == json.loads(outcome.out)["next"]["command"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--to", "zai/glm-5", "--to", "openai/gpt-5"), "a report is about one move"),
        (("--to", "zai/glm-5", "--map", "o3=zai/glm-5"), "a report is about one move"),
        (("--to", "zai/glm-5", "--by", "model"), "--by is for --mix"),
    ],
)
def test_a_report_is_about_one_move(llmmigrate: Run, log: str, options: tuple[str, ...], words: str) -> None:
    outcome = llmmigrate("report", log, *options)
    assert 2 == outcome.code
    assert words in outcome.err


def test_a_share_of_nothing_is_refused(llmmigrate: Run, log: str) -> None:
    outcome = llmmigrate("estimate", log, "--to", "zai/glm-5", "--share", "0%")
    assert 2 == outcome.code
    assert "--share 0% moves nothing" in outcome.err


@pytest.mark.parametrize("command", ["analyze", "estimate", "report"])
def test_money_of_another_currency_is_converted_at_a_dated_rate_that_is_shown(
    llmmigrate: Run, tmp_path: Path, command: str
) -> None:
    log = write_log(tmp_path / "log.jsonl", model="glm-5", provider="zhipuai", input_tokens=10_000)
    line = [command, log, "--as-of", NOW, *(() if command == "analyze" else ("--to", "zai/glm-5"))]
    rate = "1 USD = 7.2 CNY from 2023-01-01, C: round figure"
    assert f"Converted at {rate}" in " ".join(llmmigrate(*line).out.split())
    tables = json.loads(llmmigrate(*line, "--format", "json").out)["prices"]["tables"]
    shown = {table["provider"]: (table["currency"], table["exchange"]) for table in tables}
    assert shown["zhipuai"][0] == "CNY"
    assert shown["zhipuai"][1].startswith(rate)
    assert shown.get("zai", ("USD", None)) == ("USD", None)


def test_the_tables_of_mapped_targets_are_among_those_used(roi: Document, log: str) -> None:
    tables = roi(log, "--map", "o3=zai/glm-5")["prices"]["tables"]
    assert {"openai", "zai"} == {table["provider"] for table in tables}


def test_a_log_of_minutes_says_how_short_it_is(roi: Document, tmp_path: Path) -> None:
    first = [{"timestamp": f"2026-10-01T12:{minute:02d}:00Z"} for minute in (0, 29)]
    call = {"model": "o3", "provider": "openai", "input_tokens": 1000, "output_tokens": 100}
    (tmp_path / "log.jsonl").write_text("".join(json.dumps({**at, **call}) + "\n" for at in first), encoding="utf-8")
    found = roi("log.jsonl", "--to", "zai/glm-5")
    assert found["why_not"] == "14 days are needed for a projection, the log has 29 minutes"
    assert found["saving"]["month"] == {"value": None, "low": None, "high": None}
    assert found["saving"]["log"]["value"] is not None


def test_a_log_without_texts_leads_to_recording(roi: Document, llmmigrate: Run, tmp_path: Path) -> None:
    log = write_log(tmp_path / "logs.jsonl", input_tokens=6_000, output_tokens=1_000)
    audit = str(tmp_path / "audit.json")
    assert llmmigrate("audit", log, "--to", "zai/glm-5", "-o", audit).code in (0, 1, 3)
    step = roi(log, "--to", "zai/glm-5", "--evidence", audit)["next"]
    assert step["words"] == "record requests with their texts, then run shadow: the answers were not measured"
    assert step["command"].startswith("llmmigrate record --keep-text")
