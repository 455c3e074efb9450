"""Closed periods are recorded, and an edit of them is an error."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import ROOT, Outcome

Run = Callable[..., Outcome]
TABLE = """\
schema: 1
provider: acme
currency: USD
models:
  - id: one
    periods:
      - from: 2026-01-01
        per_mtok: {input: "1", output: "2"}
        source: "A: ours"
      - from: 2026-06-01
        per_mtok: {input: "3", output: "4"}
        source: "A: ours"
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, llmmigrate: Run) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795348800")
    Path("acme.yaml").write_text(TABLE)
    assert llmmigrate("prices", "validate", "acme.yaml", "--record").code == 0
    assert Path("closed.json").read_text().count("acme/one@") == 1


def validated(llmmigrate: Run, text: str) -> Outcome:
    Path("acme.yaml").write_text(text)
    return llmmigrate("prices", "validate", "acme.yaml")


def test_an_edit_of_a_closed_period_is_an_error_at_its_place(llmmigrate: Run) -> None:
    outcome = validated(llmmigrate, TABLE.replace('input: "1"', 'input: "9"'))
    assert outcome.code == 1
    assert "acme.yaml:7:" in outcome.out
    assert "the closed period acme/one@2026-01-01 was edited" in outcome.out


def test_a_closed_period_that_is_gone_is_an_error(llmmigrate: Run) -> None:
    outcome = validated(llmmigrate, TABLE.replace("2026-01-01", "2026-01-02"))
    assert outcome.code == 1
    assert "acme/one@2026-01-01 is not there any more" in outcome.out


def test_the_running_period_and_notes_may_change(llmmigrate: Run) -> None:
    text = TABLE.replace('input: "3"', 'input: "5"').replace(
        'source: "A: ours"\n', 'source: "A: ours"\n        note: x\n', 1
    )
    assert validated(llmmigrate, text).code == 0


def test_a_new_period_closes_the_one_before_and_is_said_until_recorded(llmmigrate: Run) -> None:
    text = TABLE + '      - from: 2026-12-24\n        per_mtok: {input: "7", output: "8"}\n        source: "A: ours"\n'
    outcome = validated(llmmigrate, text)
    assert (outcome.code, "acme/one@2026-06-01 is in no record" in outcome.out) == (0, True)
    llmmigrate("prices", "validate", "acme.yaml", "--record")
    assert "is in no record" not in validated(llmmigrate, text).out
    assert validated(llmmigrate, TABLE).code == 0  # what was announced may be withdrawn


def test_recording_never_changes_what_is_recorded(llmmigrate: Run) -> None:
    Path("acme.yaml").write_text(TABLE.replace('input: "1"', 'input: "9"'))
    assert llmmigrate("prices", "validate", "acme.yaml", "--record").code == 1


def test_a_directory_without_a_record_is_not_asked_for_one(llmmigrate: Run) -> None:
    Path("closed.json").unlink()
    assert "no errors, 0 notes" in validated(llmmigrate, TABLE).out


def test_every_closed_period_of_the_bundled_tables_is_recorded(llmmigrate: Run) -> None:
    outcome = llmmigrate("prices", "validate", *map(str, sorted((ROOT / "pricing").glob("*.yaml"))))
    assert (outcome.code, "is in no record" in outcome.out) == (0, False)


BETWEEN = TABLE.replace(
    "      - from: 2026-06-01",
    '      - from: 2026-03-01\n        per_mtok: {input: "99", output: "99"}\n        source: "A: ours"\n'
    "      - from: 2026-06-01",
)


def test_a_period_put_between_two_is_an_error_at_the_one_that_it_shortens(llmmigrate: Run) -> None:
    outcome = validated(llmmigrate, BETWEEN)
    assert outcome.code == 1
    assert "acme.yaml:7:" in outcome.out
    assert "acme/one@2026-01-01 ends on 2026-03-01, recorded is 2026-06-01" in outcome.out


def test_a_period_that_lasts_longer_than_recorded_is_an_error(llmmigrate: Run) -> None:
    later = TABLE.replace("2026-06-01", "2026-07-01")
    assert "acme/one@2026-01-01 ends on 2026-07-01, recorded is 2026-06-01" in validated(llmmigrate, later).out
    alone = TABLE[: TABLE.index("      - from: 2026-06-01")]
    assert "acme/one@2026-01-01 has no end any more, recorded is 2026-06-01" in validated(llmmigrate, alone).out


def test_recording_does_not_take_over_another_end_of_the_past(llmmigrate: Run) -> None:
    Path("acme.yaml").write_text(BETWEEN)
    before = json.loads(Path("closed.json").read_text())
    assert llmmigrate("prices", "validate", "acme.yaml", "--record").code == 1
    after = json.loads(Path("closed.json").read_text())
    assert after["acme/one@2026-01-01"] == before["acme/one@2026-01-01"]
    assert after["acme/one@2026-01-01"].endswith(" until 2026-06-01")


def test_an_end_that_is_not_reached_may_change_and_is_recorded_anew(llmmigrate: Run) -> None:
    text = TABLE + '      - from: 2026-12-24\n        per_mtok: {input: "7", output: "8"}\n        source: "A: ours"\n'
    Path("acme.yaml").write_text(text)
    llmmigrate("prices", "validate", "acme.yaml", "--record")
    moved = validated(llmmigrate, text.replace("2026-12-24", "2026-12-31"))
    assert (moved.code, "another end of acme/one@2026-06-01: 2026-12-24" in moved.out) == (0, True)
    assert "no errors, 0 notes" in llmmigrate("prices", "validate", "acme.yaml", "--record").out
    assert json.loads(Path("closed.json").read_text())["acme/one@2026-06-01"].endswith(" until 2026-12-31")
    Path("acme.yaml").write_text(TABLE)  # withdrawn
    assert "no errors, 0 notes" in llmmigrate("prices", "validate", "acme.yaml", "--record").out
    assert list(json.loads(Path("closed.json").read_text())) == ["acme/one@2026-01-01"]


def test_a_record_without_ends_still_counts_and_gets_them(llmmigrate: Run) -> None:
    held = json.loads(Path("closed.json").read_text())
    Path("closed.json").write_text(json.dumps({name: text.split()[0] for name, text in held.items()}))
    outcome = validated(llmmigrate, TABLE)
    assert (outcome.code, "another end of acme/one@2026-01-01: none" in outcome.out) == (0, True)
    assert validated(llmmigrate, TABLE.replace('input: "1"', 'input: "9"')).code == 1
    Path("acme.yaml").write_text(TABLE)
    assert llmmigrate("prices", "validate", "acme.yaml", "--record").code == 0
    assert json.loads(Path("closed.json").read_text()) == held


def test_a_record_whose_end_is_no_day_is_told(llmmigrate: Run) -> None:
    Path("closed.json").write_text('{"acme/one@2026-01-01": "0123456789abcdef until soon"}')
    outcome = validated(llmmigrate, TABLE)
    assert (outcome.code, "closed.json is no record of closed periods" in outcome.err) == (2, True)


def test_a_period_behind_a_later_one_is_an_error_with_or_without_a_record(llmmigrate: Run) -> None:
    Path("closed.json").unlink()
    text = (
        TABLE + '      - from: 2026-03-01\n        per_mtok: {input: "99", output: "99"}\n        source: "A: ours"\n'
    )
    outcome = validated(llmmigrate, text)
    assert outcome.code == 1
    assert "acme.yaml:13:" in outcome.out
    assert "the period from 2026-03-01 stands behind a later one, from 2026-06-01" in outcome.out
