"""`analyze --invoice`: bills in every form that vendors export, against logs whose difference is known."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Outcome

Run = Callable[..., Outcome]
MILLION = 1_000_000


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795348800")


def call(day: int, **fields: Any) -> dict[str, Any]:
    """A gpt-4.1 call of a million tokens in: 2 USD."""
    plain = {
        "timestamp": f"2026-10-{day:02d}T00:10:00Z", "provider": "openai", "model": "gpt-4.1",
        "input_tokens": MILLION, "output_tokens": 0,
    }  # fmt: skip
    return {**plain, **fields}


def log(*calls: dict[str, Any]) -> str:
    Path("log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in calls))
    return "log.jsonl"


def bill(text: str, name: str = "bill.csv") -> str:
    Path(name).write_text(text)
    return name


def invoice(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)["invoice"]
    return found


def reasons(found: dict[str, Any]) -> dict[str, str]:
    return {line["day"]: line["reason"] for line in found["lines"]}


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


PAGE = {
    "object": "page",
    "data": [{
        "object": "bucket", "start_time": 1790812800, "end_time": 1790899200,
        "results": [
            {"object": "organization.costs.result", "amount": {"value": 1.5, "currency": "usd"},
             "line_item": "gpt-4.1-2025-04-14, input"},
            {"object": "organization.costs.result", "amount": {"value": 0.5, "currency": "usd"},
             "line_item": "gpt-4.1-2025-04-14, output"},
        ],
    }],
}  # fmt: skip
REPORT = {
    "data": [{
        "starting_at": "2026-10-01T00:00:00Z", "ending_at": "2026-10-02T00:00:00Z",
        "results": [{"currency": "USD", "amount": "30.0", "model": "claude-sonnet-4-5-20250929", "token_type": "x"}],
    }],
    "has_more": False,
}  # fmt: skip
EXPORT = (
    "amount_value\tamount_currency\tstart_time_iso\tline_item\n"
    "2.0\tusd\t2026-10-01T00:00:00+00:00\tgpt-4.1, input\n"
    "\t\t2026-10-02T00:00:00+00:00\t\n"
)


def test_openai_s_page_names_models_behind_their_items(llmmigrate: Run) -> None:
    path = log(call(1), call(1, provider="anthropic", model="claude-sonnet-4-5"))
    found = invoice(llmmigrate("analyze", path, "--invoice", bill(json.dumps(PAGE)), "--format", "json"))
    assert found["vendor"] == "openai"
    assert [(line["model"], line["billed"], line["reason"]) for line in found["lines"]] == [("gpt-4.1", "2", "equal")]


def test_anthropic_s_report_is_in_cents(llmmigrate: Run) -> None:
    path = log(call(1), call(1, provider="anthropic", model="claude-sonnet-4-5", input_tokens=100_000))
    found = invoice(llmmigrate("analyze", path, "--invoice", bill(json.dumps(REPORT)), "--format", "json"))
    assert (found["vendor"], found["billed"], found["difference"]) == ("anthropic", "0.3", "0")


def test_openai_s_export_may_have_empty_rows(llmmigrate: Run) -> None:
    found = invoice(llmmigrate("analyze", log(call(1)), "--invoice", bill(EXPORT, "costs.tsv"), "--format", "json"))
    assert (found["vendor"], reasons(found)) == ("openai", {"2026-10-01": "equal"})


HEAD = "date,model,item,quantity,amount\n"
IN, CACHED, OUT = (
    "2026-10-01,gpt-4.1,{},{},{}\n".replace("{}", name, 1) for name in ("input", "cached_input", "output")
)


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


def test_openai_s_quantities_are_of_tokens_unless_they_say_otherwise(llmmigrate: Run) -> None:
    path = log(call(1), call(1, input_tokens=0, timestamp="2026-10-01T23:50:00Z"))
    result = {"amount": {"value": 3, "currency": "usd"}, "line_item": "gpt-4.1-2025-04-14, input"}
    reasons_by_unit = {}
    for unit in (None, "tokens", "1M tokens"):
        results = [{**result, "quantity": MILLION, "quantity_unit": unit}]
        page = {"data": [{"start_time": 1790812800, "results": results}]}
        found = invoice(llmmigrate("analyze", path, "--invoice", bill(json.dumps(page)), "--format", "json"))
        reasons_by_unit[unit] = found["lines"][0]["reason"]
    assert reasons_by_unit == {None: "rates", "tokens": "rates", "1M tokens": "unexplained"}


def test_what_the_log_states_stands_beside_the_bill(llmmigrate: Run) -> None:
    path = log(call(1, cost_usd="2.5"), call(2), call(3, cost_usd="2.25"))
    text = "date,amount\n2026-10-01,2.50\n2026-10-02,4.00\n2026-10-03,2\n"
    outcome = llmmigrate("analyze", path, "--invoice", bill(text))
    assert (
        "Billed 8.50 USD on the days of the log, recomputed 6.00 (+2.50), 4.75 by the log's own costs." in outcome.out
    )
    rows = [line.split() for line in outcome.out.splitlines() if line.lstrip().startswith("2026-10-")]
    assert [row[:6] for row in rows] == [
        ["2026-10-01", "all", "2.50", "2.00", "2.50", "+0.50"],
        ["2026-10-02", "all", "4.00", "2.00", "—", "+2.00"],
    ]
    found = invoice(llmmigrate("analyze", path, "--invoice", "bill.csv", "--format", "json"))
    assert found["logged"] == "4.75"


def test_a_quantity_that_is_no_number_is_an_error_with_its_line(llmmigrate: Run) -> None:
    text = f"{HEAD}{IN.format(5, 1)}{IN.format('many', 1)}"
    outcome = llmmigrate("analyze", log(call(1)), "--invoice", bill(text))
    assert (outcome.code, outcome.err.splitlines()[:2]) == (
        2, ["error: the invoice bill.csv has a quantity that is none: 'many'", "  --> bill.csv:3"],
    )  # fmt: skip


def test_models_of_the_bill_that_the_log_lacks_are_said(llmmigrate: Run) -> None:
    text = "date,amount,model\n2026-10-01,2,gpt-4.1\n2026-10-01,7,o3\n"
    found = invoice(llmmigrate("analyze", log(call(1)), "--invoice", bill(text), "--format", "json"))
    assert {line["model"]: line["reason"] for line in found["lines"]} == {"o3": "calls_not_in_log", "gpt-4.1": "equal"}


def test_the_page_of_the_data_folder_is_read(llmmigrate: Run, data: Path) -> None:
    path = log(call(1, timestamp="2024-11-01T10:00:00Z", model="gpt-4o-mini", input_tokens=400_000))
    found = invoice(
        llmmigrate("analyze", path, "--invoice", str(data / "formats/openai_costs_page.jsonl"), "--format", "json")
    )
    assert (found["billed"], found["recomputed"], reasons(found)) == ("0.06", "0.06", {"2024-11-01": "equal"})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("date,amount\n2025-01-01,5\n", "the invoice bill.csv and the log have no day in common"),
        ("date,amount,currency\n2026-10-01,5,EUR\n", "the invoice bill.csv is in EUR"),
        ("when,what\n1,2\n", "the invoice bill.csv has no columns of days and amounts"),
        ("date,amount\n2026-13-01,5\n", "the invoice bill.csv has a day that is none: '2026-13-01'"),
        ("date,amount\n2026-10-01,five\n", "the invoice bill.csv has an amount that is none: 'five'"),
        ("date,amount\n", "the invoice bill.csv states no amount"),
        ('{"data": [', "the invoice bill.csv is not JSON"),
        ("", "the invoice bill.csv is empty"),
        (" \n", "the invoice bill.csv is empty"),
        ("{}", "the invoice bill.csv states no amount"),
        ('{"data": [{"start_time": 1, "results": [null]}]}', "the invoice bill.csv has results that are no costs"),
        ('{"data": [{"start_time": 1, "results": 5}]}', "the invoice bill.csv has results that are no costs"),
        ('{"data": [{"results": [{"amount": 1}]}]}', "the invoice bill.csv has a day that is none: None"),
    ],
)
def test_what_is_no_bill_is_an_error(llmmigrate: Run, text: str, what: str) -> None:
    outcome = llmmigrate("analyze", log(call(1)), "--invoice", bill(text))
    assert (outcome.code, outcome.out, outcome.err.splitlines()[0]) == (2, "", f"error: {what}")


AMOUNT = "error: the invoice bill.csv has an amount that is none: "
POINT = "  fix: write it like 12.34 or 1,234.50: a point before the cents, commas only between thousands"


@pytest.mark.parametrize(
    "amount",
    ["5,60", "1.234,50", "0,560", "1,2345", "12,34,567", "1234,567", "1 234.50", "1_000", "1,234.5,0", "5.60 USD",
     "1,234e2", "1e999", "\u0665", "NaN", "-", "$"],
)  # fmt: skip
def test_an_amount_that_could_be_another_is_refused_with_its_line(llmmigrate: Run, amount: str) -> None:
    text = f'date,amount\n2026-10-01,2.00\n\n2026-10-02,"{amount}"\n'
    outcome = llmmigrate("analyze", log(call(1), call(2)), "--invoice", bill(text))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.splitlines() == [f"{AMOUNT}{amount!r}", "  --> bill.csv:4", POINT]


@pytest.mark.parametrize(
    ("amount", "billed"),
    [("2", "2"), ("2.5", "2.5"), (".5", "0.5"), ("1,234.50", "1234.5"), ("$1,234,567", "1234567"), ("-$2.50", "-2.5"),
     ("2.5e-05", "0.000025"), ("1,234", "1234")],
)  # fmt: skip
def test_a_plain_amount_is_read_as_it_stands(llmmigrate: Run, amount: str, billed: str) -> None:
    text = f'date,amount\n2026-10-01,"{amount}"\n'
    assert invoice(llmmigrate("analyze", log(call(1)), "--invoice", bill(text), "--format", "json"))["billed"] == billed


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("date,amount\n2026-10-01,5,60\n", "has a row with more cells than its header", 2),
        ("date,amount\n2026-10-01,5\n2026-10-41,5\n", "has a day that is none: '2026-10-41'", 3),
        ("date,amount,currency\n2026-10-01,5,USD\n2026-10-01,5,EUR\n", "is in EUR", 3),
        ("when,what\n1,2\n", "has no columns of days and amounts", 1),
        (f"date,amount\n2026-10-01,{'5' * 200_000}\n", "is no CSV", 2),
        ('{"start_time": 1790812800, "results": [{"amount": "5.60"}]}\n'
         '{"start_time": 1790899200, "results": [{"amount": "5,60"}]}\n', "has an amount that is none: '5,60'", 2),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_bill_has_a_line(llmmigrate: Run, text: str, what: str, line: int) -> None:
    outcome = llmmigrate("analyze", log(call(1)), "--invoice", bill(text))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.splitlines()[:2] == [f"error: the invoice bill.csv {what}", f"  --> bill.csv:{line}"]


def test_a_row_may_end_in_empty_cells(llmmigrate: Run) -> None:
    text = "date,amount\n2026-10-01,2.00,,\n"
    found = invoice(llmmigrate("analyze", log(call(1)), "--invoice", bill(text), "--format", "json"))
    assert reasons(found) == {"2026-10-01": "equal"}


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


@pytest.mark.parametrize("last", [PAGE, REPORT])
def test_a_page_that_others_follow_is_not_the_whole_bill(llmmigrate: Run, last: dict[str, Any]) -> None:
    more, whole = ({**last, "has_more": has_more} for has_more in (True, False))
    for text, place in ((json.dumps(more), "bill.csv"), (json.dumps(more, indent=1), "bill.csv"),
                        (f"{json.dumps(whole)}\n{json.dumps(more)}\n", "bill.csv:2")):  # fmt: skip
        outcome = llmmigrate("analyze", log(call(1)), "--invoice", bill(text))
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err.splitlines() == [
            "error: the invoice bill.csv is not whole", f"  --> {place}", "  why: its last page says has_more",
            "  fix: download all pages and write them one a line, the last one last",
        ]  # fmt: skip


def test_pages_with_their_last_one_are_the_whole_bill(llmmigrate: Run) -> None:
    text = f"{json.dumps({**PAGE, 'has_more': True})}\n{json.dumps({'data': [], 'has_more': False})}\n"
    found = invoice(llmmigrate("analyze", log(call(1)), "--invoice", bill(text), "--format", "json"))
    assert found["billed"] == "2"


def test_days_of_another_zone_are_refused(llmmigrate: Run) -> None:
    outcome = llmmigrate(
        "analyze", log(call(1)), "--tz", "Europe/Berlin", "--invoice", bill("date,amount\n2026-10-01,2\n")
    )
    assert (outcome.code, outcome.err.splitlines()[0]) == (2, "error: a bill has the days of UTC")
