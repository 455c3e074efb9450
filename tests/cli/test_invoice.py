"""`analyze --invoice`: bills against logs whose difference is known."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.invoices import CACHED, HEAD, IN, MILLION, OUT, Run, bill, call, invoice, log, reasons


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795348800")


def test_every_difference_has_its_reason(llmmigrate: Run) -> None:
    path = log(
        call(1), call(2, input_tokens=MILLION, cached_input_tokens=MILLION), call(3), call(4),
        call(4, input_tokens=None, output_tokens=None), call(5), call(6), call(7, model="nobody-knows"), call(8),
    )  # fmt: skip
    text = "date,amount\n2026-10-01,2.00\n2026-10-02,2.00\n2026-10-03,1.00\n2026-10-04,9.00\n2026-10-05,2.37\n"
    text += "2026-10-07,4\n2026-10-09,5.00\n"
    outcome = llmmigrate("analyze", path, "--invoice", bill(text), "--format", "json")
    found = invoice(outcome)
    assert reasons(found) == {
        "2026-10-01": "equal", "2026-10-02": "cache", "2026-10-03": "service_tier", "2026-10-04": "usage_missing",
        "2026-10-05": "unexplained", "2026-10-06": "not_billed", "2026-10-07": "unpriced_calls",
        "2026-10-08": "not_billed", "2026-10-09": "day_not_in_log",
    }  # fmt: skip
    assert (found["billed"], found["recomputed"], found["difference"]) == ("20.37", "8.5", "11.87")
    words = llmmigrate("analyze", path, "--invoice", "bill.csv").out
    assert "Billed 20.37 USD on the days of the log, recomputed 8.50 (+11.87)." in words
    assert "as if all calls were served as batch" in words


@pytest.mark.parametrize(
    ("rows", "reason", "detail", "rates"),
    [
        (IN.format(MILLION, "2.50") + OUT.format(100_000, ".80"), "rates",
         "input billed at 2.5 USD per 1M tokens, 2 by the table", [["input", "2.5", "2", "0.5"]]),
        (IN.format(MILLION, "2.50") + OUT.format(100_000, "1.00"), "rates",
         "input billed at 2.5 USD per 1M tokens, 2 by the table, output billed at 10 USD per 1M tokens, 8 by the table",
         [["input", "2.5", "2", "0.5"], ["output", "10", "8", "0.2"]]),
        (IN.format("1,500,000", "3.75").replace("1,500,000", '"1,500,000"') + OUT.format(100_000, ".80"),
         "rates_and_tokens", "input billed at 2.5 USD per 1M tokens, 2 by the table: that makes +0.75",
         [["input", "2.5", "2", "0.75"]]),
        (IN.format(1_500_000, 3) + OUT.format(100_000, ".80"), "tokens",
         "1,500,000 input tokens billed, 1,000,000 in the log", []),
        (IN.format(MILLION, 2) + OUT.format(100_000, ".80") + CACHED.format(200_000, ".10"), "tokens",
         "200,000 cached input tokens billed, 0 in the log", []),
        (IN.format(MILLION, 1) + OUT.format(100_000, ".40"), "service_tier", "as if all calls were served as batch",
         [["input", "1", "2", "-1"], ["output", "4", "8", "-0.4"]]),
        (IN.format(1, "2.50") + OUT.format(100_000, ".80"), "unexplained", "billed is 1.179 × recomputed", []),
        (IN.format("", "2.50") + OUT.format(100_000, ".80"), "unexplained", "billed is 1.179 × recomputed", []),
        (IN.format(MILLION, 2) + "2026-10-01,gpt-4.1,web search,7,.50\n" + OUT.format(100_000, ".80"), "unexplained",
         "billed is 1.179 × recomputed", []),
    ],
)  # fmt: skip
def test_another_rate_is_named_beside_the_table_s(
    llmmigrate: Run, rows: str, reason: str, detail: str, rates: list[list[str]]
) -> None:
    """The log has a million tokens in at 2 USD and 100,000 out at 8: 2.80."""
    path = log(call(1, output_tokens=100_000, timestamp="2026-10-01T00:10:00Z"),
               call(1, input_tokens=0, timestamp="2026-10-01T23:50:00Z"))  # fmt: skip
    found = invoice(llmmigrate("analyze", path, "--invoice", bill(HEAD + rows), "--format", "json"))
    (line,) = found["lines"]
    assert line["recomputed"] == "2.8"
    assert (line["reason"], line["detail"]) == (reason, detail)
    assert [
        [rate[name] for name in ("token_class", "billed", "table", "difference")] for rate in line["rates"]
    ] == rates


def invoiced(llmmigrate: Run, rows: str, *calls: dict[str, Any], head: str = HEAD) -> dict[str, Any]:
    """The one line that a bill makes of calls of one day."""
    found = invoice(llmmigrate("analyze", log(*calls), "--invoice", bill(head + rows), "--format", "json"))
    (line,) = found["lines"]
    assert isinstance(line, dict)
    return line


TWO_TIERS = (call(1), call(1, service_tier="batch"))
"""A million tokens at 2 USD and one at 1."""
TWO_BANDS = tuple(
    call(1, timestamp=f"2026-10-01T{hour}:50:00Z", provider="google", model="gemini-2.5-pro", input_tokens=tokens)
    for hour, tokens in (("00", 100_000), ("23", 300_000))
)
"""0.125 USD at 1.25 per 1M tokens and 0.75 at 2.50."""
TWO_MODELS = (call(1), call(1, model="gpt-4.1-mini"))
"""2.00 USD and 0.40."""
GEMINI = "2026-10-01,gemini-2.5-pro,input,{},{}\n"
NO_MODEL = "date,item,quantity,amount\n"


@pytest.mark.parametrize(
    ("calls", "rows", "head", "reason"),
    [
        (TWO_TIERS, IN.format(2 * MILLION, "3.00"), HEAD, "equal"),
        (TWO_BANDS, GEMINI.format(400_000, ".875"), HEAD, "equal"),
        (TWO_BANDS, GEMINI.format(500_000, "1.09375"), HEAD, "tokens"),
        (TWO_MODELS, f"2026-10-01,input,{2 * MILLION},2.40\n", NO_MODEL, "equal"),
        (TWO_MODELS, f"2026-10-01,input,{4 * MILLION},4.80\n", NO_MODEL, "tokens"),
        (TWO_MODELS, f"2026-10-01,input,{2 * MILLION},9.60\n", NO_MODEL, "unexplained"),
    ],
)
def test_what_several_rates_make_together_is_no_other_rate(
    llmmigrate: Run, calls: tuple[dict[str, Any], ...], rows: str, head: str, reason: str
) -> None:
    whole = call(1, input_tokens=0, timestamp="2026-10-01T23:50:00Z")
    line = invoiced(llmmigrate, rows, *calls, *(() if calls is TWO_BANDS else (whole,)), head=head)
    assert (line["reason"], line["rates"]) == (reason, [])


@pytest.mark.parametrize(("amount", "billed", "nearest"), [("4.50", "2.25", "2"), ("1.50", "0.75", "1")])
def test_a_rate_outside_of_all_of_the_log_s_is_another(llmmigrate: Run, amount: str, billed: str, nearest: str) -> None:
    line = invoiced(llmmigrate, IN.format(2 * MILLION, amount), *TWO_TIERS)
    assert [(rate["billed"], rate["table"]) for rate in line["rates"]] == [(billed, nearest)]


NOON = call(1, timestamp="2026-10-01T12:00:00Z")
WHOLE = (call(1), call(1, input_tokens=0, timestamp="2026-10-01T23:50:00Z"))
CACHING = (call(1, cached_input_tokens=MILLION), WHOLE[1])
"""A million tokens read from the cache: 0.50 USD."""


@pytest.mark.parametrize(
    ("calls", "rows", "reason", "detail"),
    [
        (WHOLE, IN.format(500_000, "1.00"), "tokens", "500,000 input tokens billed, 1,000,000 in the log"),
        (WHOLE, IN.format(1_750_000, "3.50"), "tokens", "1,750,000 input tokens billed, 1,000,000 in the log"),
        (WHOLE, IN.format("", "1.00"), "service_tier", "as if all calls were served as batch"),
        (WHOLE, IN.format(MILLION, "1.00"), "service_tier", "as if all calls were served as batch"),
        (CACHING, CACHED.format(4 * MILLION, "2.00"), "tokens",
         "4,000,000 cached input tokens billed, 1,000,000 in the log"),
        (CACHING, IN.format(MILLION, "2.00"), "cache", "as if nothing had been read from a cache"),
        (CACHING, CACHED.format(MILLION, "2.00"), "cache", "as if nothing had been read from a cache"),
        ((NOON,), IN.format(1_750_000, "3.50"), "partial_day", "the log begins or ends within this day"),
        ((NOON,), IN.format("", "3.10"), "partial_day", "the log begins or ends within this day"),
        ((NOON,), IN.format(500_000, "1.00"), "tokens", "500,000 input tokens billed, 1,000,000 in the log"),
        ((NOON, {**NOON, "service_tier": "batch"}), IN.format(2 * MILLION, "3.50"), "unexplained",
         "billed is 1.167 × recomputed"),
    ],
)  # fmt: skip
def test_no_reason_is_told_that_the_quantities_disprove(
    llmmigrate: Run, calls: tuple[dict[str, Any], ...], rows: str, reason: str, detail: str
) -> None:
    line = invoiced(llmmigrate, rows, *calls)
    assert (line["reason"], line["detail"]) == (reason, detail)


OUT_TOO = (call(1, output_tokens=100_000), WHOLE[1])
"""2.00 USD in, 0.80 out."""


@pytest.mark.parametrize(
    ("calls", "rows", "reason", "detail"),
    [
        (OUT_TOO, IN.format(1_500_000, 3) + OUT.format(100_000, ".80") + CACHED.format(0, 0), "tokens",
         "1,500,000 input tokens billed, 1,000,000 in the log"),
        (OUT_TOO, IN.format(1_500_000, 3) + OUT.format(100_000, ".80") + "2026-10-01,gpt-4.1,credit,,0\n", "tokens",
         "1,500,000 input tokens billed, 1,000,000 in the log"),
        (OUT_TOO, IN.format(1_500_000, 3), "tokens",
         "1,500,000 input tokens billed, 1,000,000 in the log, 0 output tokens billed, 100,000 in the log"),
        (OUT_TOO, IN.format(MILLION, 2) + OUT.format(0, 0), "tokens", "0 output tokens billed, 100,000 in the log"),
        (OUT_TOO, "2026-10-01,gpt-4.1,,,0\n", "unexplained", "billed is 0.000 × recomputed"),
        (OUT_TOO, IN.format(MILLION, 2) + OUT.format(100_000, 0), "rates",
         "output billed at 0 USD per 1M tokens, 8 by the table"),
    ],
)  # fmt: skip
def test_a_class_that_was_not_billed_is_told(
    llmmigrate: Run, calls: tuple[dict[str, Any], ...], rows: str, reason: str, detail: str
) -> None:
    line = invoiced(llmmigrate, rows, *calls)
    assert (line["reason"], line["detail"]) == (reason, detail)


SMALL = (call(1, input_tokens=1000, output_tokens=100), call(1, input_tokens=0, timestamp="2026-10-01T23:50:00Z"))
"""0.0028 USD."""


@pytest.mark.parametrize(
    ("amounts", "reason"),
    [
        (["0.0112"], "unexplained"), (["-0.005"], "unexplained"), (["-0.00"], "equal"), (["0.00"], "equal"),
        (["0.003"], "equal"), (["0.0028"], "equal"), (["0.01"], "unexplained"), (["0.0001", "0.0028"], "equal"),
        (["0.0112", "0"], "unexplained"), (["2.8e-3"], "equal"), (["0.00", "0.01", "-0.00"], "equal"),
    ],
)  # fmt: skip
def test_equal_is_what_the_digits_of_a_small_bill_tell(llmmigrate: Run, amounts: list[str], reason: str) -> None:
    rows = "".join(f"2026-10-01,{amount}\n" for amount in amounts)
    assert invoiced(llmmigrate, rows, *SMALL, head="date,amount\n")["reason"] == reason


def test_many_lines_are_no_more_than_a_cent_off(llmmigrate: Run) -> None:
    rows = "2026-10-01,0.01\n" * 2 + "2026-10-01,0.00\n" * 20
    assert invoiced(llmmigrate, rows, *SMALL, head="date,amount\n")["reason"] == "unexplained"


def test_a_credit_of_the_whole_is_no_cost(llmmigrate: Run) -> None:
    assert invoiced(llmmigrate, "2026-10-01,-2.00\n", *WHOLE, head="date,amount\n")["reason"] == "unexplained"


def test_what_the_log_states_stands_beside_the_bill(llmmigrate: Run) -> None:
    path = log(call(1, cost_usd="2.5"), call(2), call(3, cost_usd="2.25"))
    text = "date,amount\n2026-10-01,2.50\n2026-10-02,4.00\n2026-10-03,2\n"
    outcome = llmmigrate("analyze", path, "--invoice", bill(text))
    assert (
        "Billed 8.50 USD on the days of the log, recomputed 6.00 (+2.50), 4.75 stated for 2 of 3 calls." in outcome.out
    )
    rows = [line.split() for line in outcome.out.splitlines() if line.lstrip().startswith("2026-10-")]
    assert [row[:6] for row in rows] == [
        ["2026-10-01", "all", "2.50", "2.00", "2.50", "+0.50"],
        ["2026-10-02", "all", "4.00", "2.00", "—", "+2.00"],
    ]
    found = invoice(llmmigrate("analyze", path, "--invoice", "bill.csv", "--format", "json"))
    assert (found["logged"], found["logged_calls"], found["calls"]) == ("4.75", 2, 3)


def test_costs_that_a_part_of_the_calls_states_are_not_set_beside_the_whole(llmmigrate: Run) -> None:
    free = call(2, cost_usd="0")
    path = log(call(1, cost_usd="2.5"), call(1), free)
    outcome = llmmigrate("analyze", path, "--invoice", bill("date,amount\n2026-10-01,6\n2026-10-02,3\n"))
    assert "recomputed 6.00 (+3.00), 2.50 stated for 2 of 3 calls." in outcome.out
    rows = [line.split() for line in outcome.out.splitlines() if line.lstrip().startswith("2026-10-")]
    assert [row[4:6] for row in rows] == [["2.50", "(1/2)"], ["0.00", "+1.00"]]
    found = invoice(llmmigrate("analyze", path, "--invoice", "bill.csv", "--format", "json"))
    lines = [(line["logged"], line["logged_calls"], line["calls"]) for line in found["lines"]]
    assert lines == [("2.5", 1, 2), ("0", 1, 1)]


def test_costs_that_every_call_states_are_the_log_s_own(llmmigrate: Run) -> None:
    path = log(call(1, cost_usd="2.5"), call(2, cost_usd="0"))
    outcome = llmmigrate("analyze", path, "--invoice", bill("date,amount\n2026-10-01,6\n2026-10-02,3\n"))
    assert "recomputed 4.00 (+5.00), 2.50 by the log's own costs." in outcome.out


def test_models_of_the_bill_that_the_log_lacks_are_said(llmmigrate: Run) -> None:
    text = "date,amount,model\n2026-10-01,2,gpt-4.1\n2026-10-01,7,o3\n"
    found = invoice(llmmigrate("analyze", log(call(1)), "--invoice", bill(text), "--format", "json"))
    assert {line["model"]: line["reason"] for line in found["lines"]} == {"o3": "calls_not_in_log", "gpt-4.1": "equal"}


@pytest.mark.parametrize(
    ("first", "last", "partial"),
    [
        ("00:59:00", "23:59:59", []),
        ("01:00:00", "23:00:00", []),
        ("01:00:01", "23:59:59", ["2026-10-01"]),
        ("00:00:00", "22:59:59", ["2026-10-03"]),
        ("12:00:00", "12:00:00", ["2026-10-01", "2026-10-03"]),
    ],
)
def test_a_day_is_partial_where_the_log_begins_or_ends_within_it(
    llmmigrate: Run, first: str, last: str, partial: list[str]
) -> None:
    path = log(
        call(1, timestamp=f"2026-10-01T{first}Z"), call(2, timestamp="2026-10-02T12:00:00Z"),
        call(3, timestamp=f"2026-10-03T{last}Z"),
    )  # fmt: skip
    text = "date,amount\n2026-10-01,7\n2026-10-02,7\n2026-10-03,7\n"
    found = reasons(invoice(llmmigrate("analyze", path, "--invoice", bill(text), "--format", "json")))
    assert [day for day, reason in found.items() if reason == "partial_day"] == partial
    assert {reason for day, reason in found.items() if day not in partial} == {"unexplained"}


def test_days_of_another_zone_are_refused(llmmigrate: Run) -> None:
    outcome = llmmigrate(
        "analyze", log(call(1)), "--tz", "Europe/Berlin", "--invoice", bill("date,amount\n2026-10-01,2\n")
    )
    assert (outcome.code, outcome.err.splitlines()[0]) == (2, "error: a bill has the days of UTC")


def undated(**fields: Any) -> dict[str, Any]:
    """A call without a time: 2 USD."""
    return {name: value for name, value in call(1, **fields).items() if name != "timestamp"}


DAYS = "date,model,amount\n"
MAY = "1 call without a time may be of this day"


@pytest.mark.parametrize(
    ("extra", "rows", "head", "reason", "detail"),
    [
        (undated(), "2026-10-01,gpt-4.1,4\n", DAYS, "undated_calls", MAY),
        (undated(), "2026-10-01,4\n", "date,amount\n", "undated_calls", MAY),
        (undated(), "2026-10-01,gpt-4.1,3.10\n", DAYS, "undated_calls", MAY),
        (undated(), "2026-10-01,gpt-4.1,4.02\n", DAYS, "undated_calls", MAY),
        (undated(), "2026-10-01,gpt-4.1,4.03\n", DAYS, "unexplained", "billed is 2.015 × recomputed"),
        (undated(), "2026-10-01,gpt-4.1,1.90\n", DAYS, "unexplained", "billed is 0.950 × recomputed"),
        (undated(), "2026-10-01,gpt-4.1,2\n", DAYS, "equal", None),
        (undated(model="gpt-4.1-mini"), "2026-10-01,gpt-4.1,2.30\n", DAYS, "unexplained",
         "billed is 1.150 × recomputed"),
        (undated(model="gpt-4.1-mini"), "2026-10-01,2.30\n", "date,amount\n", "undated_calls", MAY),
        (undated(provider="anthropic", model="nobody-knows"), "2026-10-01,9\n", "date,amount\n", "undated_calls", MAY),
        (undated(input_tokens=None, output_tokens=None), "2026-10-01,9\n", "date,amount\n", "undated_calls", MAY),
        (undated(), IN.format(2 * MILLION, 4), HEAD, "undated_calls", MAY),
        (undated(), IN.format(MILLION, 2) + OUT.format(100_000, ".80"), HEAD, "tokens",
         "100,000 output tokens billed, 0 in the log"),
        (undated(output_tokens=200_000), IN.format(MILLION, 2) + OUT.format(100_000, ".80"), HEAD, "undated_calls",
         MAY),
        (undated(), IN.format(MILLION, "2.50"), HEAD, "rates", "input billed at 2.5 USD per 1M tokens, 2 by the table"),
    ],
)  # fmt: skip
def test_calls_without_a_time_may_be_of_the_day_that_was_billed_higher(
    llmmigrate: Run, extra: dict[str, Any], rows: str, head: str, reason: str, detail: str | None
) -> None:
    line = invoiced(llmmigrate, rows, *WHOLE, extra, head=head)
    assert (line["reason"], line["detail"], line["recomputed"]) == (reason, detail, "2")


def test_calls_without_a_time_may_be_of_a_partial_day_or_one_that_the_log_lacks(llmmigrate: Run) -> None:
    text = f"{DAYS}2026-10-01,gpt-4.1,3.10\n2026-10-01,o3,1.00\n2026-10-01,o4-mini,1.00\n2026-10-02,gpt-4.1,1\n"
    path = log(NOON, undated(), undated(model="o3"))
    found = invoice(llmmigrate("analyze", path, "--invoice", bill(text), "--format", "json"))
    assert [(line["model"], line["reason"], line["detail"]) for line in found["lines"]] == [
        ("gpt-4.1", "undated_calls", MAY), ("o3", "undated_calls", MAY), ("o4-mini", "calls_not_in_log", None),
        ("gpt-4.1", "day_not_in_log", MAY),
    ]  # fmt: skip
    assert (found["billed"], found["recomputed"], found["undated_cost"]) == ("5.1", "2", "4")


NO_USAGE = undated(input_tokens=None, output_tokens=None)
UNPRICED = undated(model="nobody-knows")


@pytest.mark.parametrize(
    ("extra", "sums", "words"),
    [
        ([undated()], (1, "2", 0), "1 call without a time costs 2.00 USD and may"),
        ([undated(), undated(service_tier="batch")], (2, "3", 0), "2 calls without a time cost 3.00 USD and may"),
        ([undated(), NO_USAGE], (2, "2", 1),
         "2 calls without a time cost 2.00 USD (1 of them has no usage or price) and may"),
        ([undated(), NO_USAGE, UNPRICED], (3, "2", 2),
         "3 calls without a time cost 2.00 USD (2 of them have no usage or price) and may"),
        ([UNPRICED], (1, "0", 1), "1 call without a time has no usage or price and may"),
        ([NO_USAGE, UNPRICED], (2, "0", 2), "2 calls without a time have no usage or price and may"),
        ([undated(status=500, input_tokens=None, output_tokens=None)], (0, "0", 0), None),
        ([], (0, "0", 0), None),
    ],
)  # fmt: skip
def test_what_calls_without_a_time_cost_is_said(
    llmmigrate: Run, extra: list[dict[str, Any]], sums: tuple[int, str, int], words: str | None
) -> None:
    text = bill("date,amount\n2026-10-01,2\n")
    outcome = llmmigrate("analyze", log(*WHOLE, *extra), "--invoice", text, "-o", "-", "-o", "out.json")
    found = json.loads(Path("out.json").read_text())["invoice"]
    assert (found["undated_calls"], found["undated_cost"], found["undated_unknown"]) == sums
    assert (found["recomputed"], found["calls"]) == ("2", 2)
    said = [line for line in outcome.out.splitlines() if "without a time" in line]
    assert said == ([f"note: {words} belong to any of these days."] if words else [])


def test_a_vendor_s_own_bill_has_no_other_vendor_s_calls_without_a_time(llmmigrate: Run) -> None:
    text = "amount_value\tstart_time_iso\tline_item\n2.0\t2026-10-01T00:00:00+00:00\tgpt-4.1, input\n"
    path = log(*WHOLE, undated(provider="anthropic", model="claude-sonnet-4-5"))
    found = invoice(llmmigrate("analyze", path, "--invoice", bill(text, "costs.tsv"), "--format", "json"))
    assert (found["vendor"], found["undated_calls"], found["undated_cost"]) == ("openai", 0, "0")
