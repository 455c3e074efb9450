"""Bills in every form that vendors export, and what is none of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.invoices import HEAD, IN, MILLION, Run, bill, call, invoice, log, reasons


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795348800")


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


@pytest.mark.parametrize("quantity", ["many", "$5", "-$5", "5,60", "1.000.000"])
def test_a_quantity_that_is_no_number_is_an_error_with_its_line(llmmigrate: Run, quantity: str) -> None:
    quoted = f'"{quantity}"'
    text = f"{HEAD}{IN.format(5, 1)}{IN.format(quoted, 1)}"
    outcome = llmmigrate("analyze", log(call(1)), "--invoice", bill(text))
    assert (outcome.code, outcome.err.splitlines()) == (
        2, [f"error: the invoice bill.csv has a quantity that is none: {quantity!r}", "  --> bill.csv:3",
            "  fix: write the number of tokens, like 1500000"],
    )  # fmt: skip


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


@pytest.mark.parametrize("name", ["bill.csv", "bill.json"])
def test_no_result_is_written_over_the_bill(llmmigrate: Run, name: str) -> None:
    text = json.dumps(PAGE) if name.endswith("json") else "date,amount\n2026-10-01,2.00\n"
    Path("out").symlink_to(Path.cwd(), target_is_directory=True)
    for target in (name, f"out/{name}"):
        outcome = llmmigrate("analyze", log(call(1)), "--invoice", bill(text, name), "-o", target)
        assert (outcome.code, outcome.err.splitlines()[0]) == (2, f"error: {target} is also an input")
        assert Path(name).read_text() == text


@pytest.mark.parametrize(
    "day",
    ["20261001", " 20261001 ", "20261001T000000Z", "1790812800", "1790899199", "2026-10-01T02:00:00+02:00",
     "2026-09-30T23:00:00-01:00"],
)  # fmt: skip
def test_a_day_is_a_date_a_time_or_seconds(llmmigrate: Run, day: str) -> None:
    text = f"date,amount\n{day},2.00\n"
    found = invoice(llmmigrate("analyze", log(call(1)), "--invoice", bill(text), "--format", "json"))
    assert reasons(found) == {"2026-10-01": "equal"}


@pytest.mark.parametrize("day", [20261001, 1790812800, "20261001", "1790812800"])
def test_a_day_of_a_page_may_be_a_number(llmmigrate: Run, day: int | str) -> None:
    page = json.dumps(PAGE).replace("1790812800", json.dumps(day))
    found = invoice(llmmigrate("analyze", log(call(1)), "--invoice", bill(page), "--format", "json"))
    assert reasons(found) == {"2026-10-01": "equal"}


@pytest.mark.parametrize(
    "day",
    ["20261301", "20260931", "202610", "2026", "261001", "1420070399", "4102444800", "1790812800000", "9" * 40,
     "-1790812800", "0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00",
     "\u0662\u0660\u0662\u0666", "\u0662\u0660\u0662\u0666\u0661\u0660\u0660\u0661"],
)  # fmt: skip
def test_digits_that_are_no_day_of_a_bill_are_an_error_with_their_line(llmmigrate: Run, day: str) -> None:
    text = f"date,amount\n2026-10-01,2.00\n{day},2.00\n"
    outcome = llmmigrate("analyze", log(call(1)), "--invoice", bill(text))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.splitlines() == [
        f"error: the invoice bill.csv has a day that is none: {day!r}", "  --> bill.csv:3",
        "  fix: write it like 2026-10-01",
    ]  # fmt: skip


@pytest.mark.parametrize("day", [1, True, None, -5, 1790812800000, 1.5])
def test_a_number_that_is_no_day_of_a_page_is_an_error(llmmigrate: Run, day: float | None) -> None:
    page = json.dumps(PAGE).replace("1790812800", json.dumps(day))
    outcome = llmmigrate("analyze", log(call(1)), "--invoice", bill(page))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: the invoice bill.csv has a day that is none: ")


@pytest.mark.parametrize("number", ["1e26", "1e99", "1000000000000.01", "-1e13", f"1{',000' * 5}", "9" * 60])
@pytest.mark.parametrize("column", ["amount", "quantity"])
def test_a_number_that_no_bill_has_is_an_error_with_its_line(llmmigrate: Run, number: str, column: str) -> None:
    quoted = f'"{number}"'
    row = IN.format(MILLION, quoted) if column == "amount" else IN.format(quoted, 2)
    outcome = llmmigrate("analyze", log(call(1)), "--invoice", bill(f"{HEAD}{IN.format(5, 1)}{row}"))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.splitlines() == [
        f"error: the invoice bill.csv has {'an amount' if column == 'amount' else 'a quantity'} beyond "
        f"1,000,000,000,000: {number!r}",
        "  --> bill.csv:3", "  fix: check its digits and its exponent; one line of a bill is never so much",
    ]  # fmt: skip


@pytest.mark.parametrize("amount", ["1e12", "-1e12", "999999999999.99", "1e-99", f"0.{'0' * 60}1"])
@pytest.mark.parametrize("tokens", ["", "1e12", "1e-99", "0"])
def test_the_largest_and_the_smallest_numbers_are_read(llmmigrate: Run, amount: str, tokens: str) -> None:
    outcome = llmmigrate("analyze", log(call(1)), "--invoice", bill(HEAD + IN.format(tokens, amount) * 2), "-o", "-")
    assert (outcome.code, outcome.err) == (0, "")
