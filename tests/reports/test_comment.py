"""Comments and job summaries of `check` that would be longer than GitHub takes."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.conftest import Outcome

from llmmigrate.reports import Report
from llmmigrate.reports.comment import MARKER, MOST_CHARACTERS, MOST_SUMMARY, comment, summary
from llmmigrate.reports.tables import Block, Bullets, Column, Paragraph, Table

Run = Callable[..., Outcome]
VERDICT = "FAIL: 1 of 1,000 rules is broken."


def parsed(text: str) -> list[Token]:
    """The blocks that GitHub makes of Markdown: CommonMark and its tables."""
    return MarkdownIt("commonmark").enable("table").parse(text)


def cells(text: str) -> list[list[list[str]]]:
    """The cells of every table, row by row, the header first."""
    found: list[list[list[str]]] = []
    inside = False
    for token in parsed(text):
        inside = inside or token.type in ("td_open", "th_open")
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and inside:
            found[-1][-1].append(token.content)
            inside = False
    return found


def page(rows: int, name: str = "/r") -> Report:
    """A report with a table of rules and a list as long as it."""
    names = [f"{name}{number:04d}" for number in range(rows)]
    columns = [Column("Rule"), Column("Change", "right"), Column("Result")]
    table = Table(columns=columns, rows=[[rule, "+1 %", "pass"] for rule in names], footer=[["all", "+1 %", ""]])
    blocks: list[Block] = [
        Paragraph(VERDICT, strong=True),
        table,
        Bullets("Small:", names),
        Paragraph("Baseline: b.json."),
    ]
    return Report(document={}, page=blocks)


def test_hundreds_of_groups_fit_into_a_comment(
    llmmigrate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path, tokens in (("base.jsonl", 100), ("dearer.jsonl", 200)):
        with Path(path).open("w", encoding="utf-8") as stream:
            for i in range(1_500):
                route = f"/a|b`<b>**{'long' * 20}/{i % 250:03d}"
                out = (tokens if i % 250 in (7, 249) else 100) + i // 250
                record = {"model": "gpt-4.1", "route": route, "input_tokens": 10, "output_tokens": out}
                stream.write(json.dumps(record) + "\n")
    Path("llmmigrate.yaml").write_text("check: {by: [tag.route]}\n")
    assert llmmigrate("check", "base.jsonl", "--update-baseline").code == 0
    written = llmmigrate("check", "dearer.jsonl", "--comment", "comment.md", "--summary", "summary.md", "-o", "c.json")
    failed = sum(rule["result"] == "fail" for rule in json.loads(Path("c.json").read_text())["rules"])
    assert (written.code, failed >= 4) == (1, True)
    text = Path("comment.md").read_text(encoding="utf-8")
    assert MOST_CHARACTERS // 4 < len(text) <= MOST_CHARACTERS
    lines = text.splitlines()
    assert (lines[0], lines[3]) == (MARKER, f"**FAIL: {failed} of 502 rules are broken.**")
    rules = cells(text)[0]
    assert {len(row) for row in rules} == {7}
    shown = len(rules) - 2  # but for the header and what says how many more there are
    assert rules[-1][0] == f"… {502 - shown:,} more"
    assert [row[-1] for row in rules[1 : failed + 1]] == ["fail"] * failed
    assert rules[failed + 1][-1] != "fail"
    assert text.endswith("calls.\n")
    assert len(cells(Path("summary.md").read_text(encoding="utf-8"))[0]) == 503


@pytest.mark.parametrize("rows", [10, 1_000, 10_000])
def test_the_end_of_a_trimmed_page_is_there(rows: int) -> None:
    made = [comment(page(rows)), summary(page(rows), 0)]
    assert len(made[0]) <= MOST_CHARACTERS
    assert len(made[1].encode()) <= MOST_SUMMARY
    for text in made:
        (table,) = cells(text)
        left = re.search(r"^\| … ([\d,]+) more \|  \|  \|$", text, re.MULTILINE)
        assert len(table) - 2 - bool(left) + (int(left[1].replace(",", "")) if left else 0) == rows
        assert table[-1][0] == "**all**"
        assert VERDICT in text.replace("\\", "")
        assert "Baseline: b.json." in text


@pytest.mark.parametrize("held", [0, 1_000_000, MOST_SUMMARY - 2_000, MOST_SUMMARY - 250])
def test_a_summary_takes_what_others_have_left(held: int) -> None:
    text = summary(page(1_000, "ä" * 100), held)
    assert len(text.encode()) + held <= MOST_SUMMARY
    assert VERDICT in text.replace("\\", "")


def test_where_nothing_fits_nothing_is_written() -> None:
    assert summary(page(1_000), MOST_SUMMARY) == ""


def test_names_longer_than_a_comment_leave_the_verdict_and_say_so() -> None:
    text = comment(page(5, "x" * 70_000))
    assert text.splitlines()[0] == MARKER
    assert VERDICT in text.replace("\\", "")
    assert "Left out, since they are longer than GitHub shows: 5 rows of tables, 5 lines of lists." in text
    alone = Report(document={}, page=[Paragraph("UNDECIDED: " + "*x" * 70_000, strong=True)])
    assert MARKER in comment(alone)
    assert 500 < len(comment(alone)) < 2_000
    assert [token.type for token in parsed(comment(alone))][-1] == "paragraph_close"
