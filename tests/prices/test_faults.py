"""A broken price table: what is wrong, at which line, and what to write instead."""

from datetime import date
from pathlib import Path

import pytest

from llmmigrate.errors import PriceTableError
from llmmigrate.prices import load_catalog
from llmmigrate.prices.validation import validate

GOOD = """\
schema: 1
provider: acme
currency: USD
models:
  - id: one
    periods:
      - from: 2026-01-01
        to: 2026-02-01
        per_mtok: {input: "1", output: "2"}
        source: "C: a test"
      - from: 2026-02-01
        per_mtok: {input: "1", output: "2"}
        rows:
          - when: {prompt_above: 1000}
            per_mtok: {input: "2", output: "4"}
        source: "C: a test"
"""
TIER = 'tiers: {batch: {per_mtok: {input: "1000000"}}}'
OR = 'or: {because: a_test, per_mtok: {output: "1500"}}'
TIMES = 'tiers: {batch: {times: {input: "500"}}}'


def problems(tmp_path: Path, text: str) -> list[tuple[str, int | None, str]]:
    path = tmp_path / "acme.yaml"
    path.write_text(text, encoding="utf-8")
    return [(p.severity, p.where.line, p.what) for p in validate([path], today=date(2026, 11, 22))]


def test_a_good_table_has_no_problems(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("wrong", "right", "line", "words"),
    [
        ('input: "1"', 'inpt: "1"', 9, "unknown key 'inpt'"),
        ("models:", "modles:", 4, "unknown key 'modles'"),
        ("provider: acme", "provider: acme\nsource: x", 3, "unknown key 'source'"),
        ('input: "1"', 'input: "1,5"', 9, "per_mtok: '1,5' is not a number"),
        ('input: "1"', 'input: "-1"', 9, "input: -1 is not a price"),
        ('input: "1"', 'input: "NaN"', 9, "input: NaN is not a price"),
        ('input: "1"', 'input: "0.0000025"', 9, "input: 0.0000025 per 1M tokens looks like a price per token"),
        (
            'input: "1"',
            'input: "0.30000000000000004"',
            9,
            "input: 0.30000000000000004 is 0.3 with the noise of a float",
        ),
        ('input: "1"', 'input: "2.4999999"', 9, "input: 2.4999999 is 2.5 with the noise of a float"),
        ('input: "1"', 'input: "1.500001"', 9, "input: 1.500001 is 1.5 with the noise of a float"),
        ('input: "1"', 'input: "1.2345678"', 9, "input: 1.2345678 is finer than a millionth of a millionth per token"),
        ('input: "1"', 'input: "1000000"', 9, "input: 1000000 USD per 1M tokens is a cent a token or more"),
        (
            'input: "1", output: "2"}\n        rows',
            'input: "1000", output: "2"}\n        rows',
            12,
            "input: 1000 after 1 is a",
        ),
        ('input: "1"', 'input: "0.004"', 12, "input: 1 after 0.004 is a change by 200 times or more"),
        ('input: "1"', 'input: "0.001"', 9, "input: 0.001 USD per 1M tokens looks like a price of one token, or of"),
        ('{input: "2", ', '{input: "1000000", ', 15, "input: 1000000 USD per 1M tokens is a cent a token or more"),
        ('{input: "2", ', '{input: "0.002", ', 15, "input: 0.002 beside 1 is a change by 200 times or more"),
        ("        rows:", f"        {TIER}\n        rows:", 13, "input: 1000000 USD per 1M tokens is a cent a token"),
        ("        rows:", f"        {OR}\n        rows:", 13, "output: 1500 beside 2 is a change by 200 times or more"),
        (
            '"4"}\n',
            f'"4"}}\n            {TIER}\n',
            16,
            "input: 1000000 USD per 1M tokens is a cent a token or more",
        ),
        ("        rows:", f"        {TIMES}\n        rows:", 13, "input: 500 times the rate is a change by 200 times"),
        ("from: 2026-01-01", "from: January", 7, "from: 'January' is not a date"),
        ("from: 2026-01-01", "from: 2026-02-30", 7, "from: '2026-02-30' is not a date"),
        ("from: 2026-01-01", "from: 2026-01-01T00:00", 7, "from: '2026-01-01T00:00' is not a date"),
        ("to: 2026-02-01", "to: 2026-03-01", 11, "overlaps the period from 2026-01-01"),
        ("to: 2026-02-01", "to: 2025-12-01", 8, "the period ends before it starts"),
        ('source: "C: a test"', 'source: "a test"', 10, "source: has no grade at its head"),
        ('source: "C: a test"', 'source: "A:"', 10, "source: 'A:' names no source"),
        ('        source: "C: a test"\n', "", 7, "periods: the key 'source' is missing"),
        (
            "  - id: one",
            "  - id: two\n    aliases: [uno]\n    periods: []\n  - id: one",
            6,
            "the name 'uno' leads to two",
        ),
        (
            "  - id: one",
            "  - id: two\n    aliases: [ONE]\n"
            '    periods: [{from: 2026-01-01, per_mtok: {input: "1"}, source: "C: a test"}]\n  - id: one',
            8,
            "the name 'one' of one",
        ),
        ("schema: 1", "schema: 2", 1, "schema: '2' does not fit"),
        ("currency: USD\n", "", 1, "table: the key 'currency' is missing"),
        ("currency: USD", "currency: USD\ncurrency: EUR", 4, "the key 'currency' is written twice"),
        ("currency: USD", "currency: [", 5, "not valid YAML"),
        (
            "when: {prompt_above: 1000}",
            'when: {clock: {tz: Asia/Shanghai, hours: ["25:00-26:00"]}}',
            14,
            "clock: 25:00 is no time of day",
        ),
        (
            "when: {prompt_above: 1000}",
            'when: {clock: {tz: Mars/Olympus, hours: ["01:00-02:00"]}}',
            14,
            "unknown time zone or calendar",
        ),
        (
            "when: {prompt_above: 1000}",
            "when: {clock: {tz: UTC, not_on: holidays}}",
            14,
            "unknown time zone or calendar 'holidays'",
        ),
        (
            "          - when: {prompt_above: 1000}",
            '          - when: {prompt_above: 100}\n            per_mtok: {input: "3"}\n'
            "          - when: {prompt_above: 1000}",
            16,
            "this row is never reached",
        ),
    ],
)
def test_a_fault_has_a_place_and_words(wrong: str, right: str, line: int, words: str, tmp_path: Path) -> None:
    assert wrong in GOOD
    (found,) = problems(tmp_path, GOOD.replace(wrong, right, 1))
    assert found[:2] == ("error", line)
    assert found[2].startswith(words)


@pytest.mark.parametrize("currency", ["USD", "EUR", "CNY"])
def test_rates_of_a_token_or_of_a_thousand_are_slips(currency: str, tmp_path: Path) -> None:
    text = GOOD[: GOOD.index("      - from: 2026-02-01")].replace("USD", currency)
    small = text.replace('{input: "1", output: "2"}', '{input: "0.00015", cache_read: "0.0009", output: "0.0006"}')
    looks = f"{currency} per 1M tokens looks like a price of one token, or of 1,000"
    assert [what for _, _, what in problems(tmp_path, small)] == [f"input: 0.00015 {looks}", f"output: 0.0006 {looks}"]
    cheap = text.replace('{input: "1", output: "2"}', '{input: "0.004", cache_read: "0.0004", output: "0.01"}')
    assert problems(tmp_path, cheap) == []


def test_loading_a_broken_table_says_where_and_what_to_write(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text(GOOD.replace('input: "1"', 'inptu: "1"', 1), encoding="utf-8")
    with pytest.raises(PriceTableError) as caught:
        load_catalog(extra=[path], imported=False)
    error = caught.value
    assert str(error.where) == f"{path}:9:20"
    assert error.fix == "did you mean 'input'?"


def test_a_missing_table_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(PriceTableError, match="No such file") as caught:
        load_catalog(extra=[tmp_path / "absent.yaml"], imported=False)
    assert str(caught.value.where) == str(tmp_path / "absent.yaml")


def test_a_rate_without_quotes_keeps_its_digits(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text(GOOD.replace('"1"', "2.10"), encoding="utf-8")
    period = load_catalog(extra=[path], imported=False).tables["acme"].entries["one"].periods[0]
    assert str(period.rows[-1].rates["input"]) == "2.10"


def test_a_gap_is_a_note(tmp_path: Path) -> None:
    text = GOOD.replace("from: 2026-02-01", "from: 2026-03-01")
    words = "one has no price from 2026-02-01 to 2026-03-01: such calls are unpriced"
    assert problems(tmp_path, text) == [("note", 8, words)]


def test_a_declared_gap_is_no_note(tmp_path: Path) -> None:
    text = GOOD.replace("from: 2026-02-01", "from: 2026-03-01")
    assert problems(tmp_path, text.replace("to: 2026-02-01", 'to: 2026-02-01\n        gap_after: "not sold"')) == []


def test_a_name_of_a_model_without_a_price_today_is_a_note(tmp_path: Path) -> None:
    ended = GOOD[: GOOD.index("      - from: 2026-02-01")].replace("- id: one", "- id: one\n    aliases: [uno]")
    words = "the name 'uno' leads to one, which has had no price since 2026-02-01"
    assert problems(tmp_path, ended) == [("note", 6, words)]


def test_a_prefix_that_two_tables_claim_is_an_error(tmp_path: Path) -> None:
    paths = []
    for provider in ("acme", "umbrella"):
        paths.append(tmp_path / f"{provider}.yaml")
        paths[-1].write_text(GOOD.replace("provider: acme", f"provider: {provider}\nprefixes: [shared]"))
    found = validate(paths, today=date(2026, 11, 22))
    words = "the prefix 'shared' of umbrella is already one of acme"
    assert [(p.severity, p.where.line, p.what) for p in found] == [("error", 3, words)]


def test_a_note_about_one_file_hides_none_about_another(tmp_path: Path) -> None:
    paths = []
    for provider in ("acme", "umbrella"):
        paths.append(tmp_path / f"{provider}.yaml")
        paths[-1].write_text(GOOD.replace("provider: acme", f"provider: {provider}\nchecked: 2026-01-22"))
    assert len(validate(paths, today=date(2026, 11, 22))) == 2


def test_an_old_table_is_a_note(tmp_path: Path) -> None:
    text = GOOD.replace("currency: USD", "currency: USD\nchecked: 2026-01-22")
    assert problems(tmp_path, text) == [("note", 4, "last compared with its sources 304 days ago")]


def test_a_name_that_two_makers_claim_is_a_note(tmp_path: Path) -> None:
    paths = []
    for provider in ("acme", "umbrella"):
        paths.append(tmp_path / f"{provider}.yaml")
        paths[-1].write_text(GOOD.replace("provider: acme", f"provider: {provider}\nbare_names: true"))
    found = validate(paths, today=date(2026, 11, 22))
    assert [p.what for p in found] == ["'one' without a provider means acme, not umbrella"]
