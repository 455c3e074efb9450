"""The reports of a comparison: judged by the real judge, shown in every format."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from tests.conftest import ROOT
from tests.reports import runs
from tests.reports.runs import HOSTILE, Ran

from llmmigrate import registry
from llmmigrate.reports import Report
from llmmigrate.reports.formats import csv as csv_format
from llmmigrate.reports.formats import html, markdown, table
from llmmigrate.reports.formats import json as json_format
from llmmigrate.reports.html.blocks import Card, Cards, Forest, Page
from llmmigrate.reports.shadow import report
from llmmigrate.shadow.pairs import Answer, Pair

NEXT = "llmmigrate report logs.jsonl --calibration 2026-11-22T01-10Z"
ALL: list[Callable[[], Ran]] = [runs.passed, runs.broken, runs.undecided, runs.empty, runs.hostile]


def page_of(ran: Ran) -> Report:
    return report(ran.result, ran.examples, next_step=NEXT)


def web_of(ran: Ran) -> Page:
    page = page_of(ran).web
    assert page is not None
    return page


def shown(ran: Ran, width: int | None = None) -> str:
    return table.render(page_of(ran), width=width)


@pytest.mark.parametrize(
    ("run", "verdict"), [(runs.passed, "PASS"), (runs.broken, "FAIL"), (runs.undecided, "INCONCLUSIVE")]
)
def test_the_verdict_comes_first_in_words_and_the_next_command_last(run: Callable[[], Ran], verdict: str) -> None:
    text = shown(run())
    assert text.startswith(f"{verdict}: {run().result.words}\n\nopenai/o3 → zai/glm-5: ")
    assert text.endswith(f"\n→ {NEXT}\n")


def test_every_gate_has_its_row_and_what_is_not_passed_says_why() -> None:
    ran = runs.undecided()
    lines = shown(ran).splitlines()
    for gate in ran.result.gates:
        (row,) = [line for line in lines if line.startswith(f" {gate.key.replace('_', ' ')} ") and gate.limit in line]
        assert gate.result in row
        assert (f"  - {gate.key.replace('_', ' ')}: {gate.words}" in lines) is (gate.result != "PASS")


def test_costs_of_both_sides_are_of_the_same_requests() -> None:
    ran = runs.passed()
    cost = ran.result.cost
    assert cost is not None
    text = shown(ran)
    assert f"The same {cost.pairs} requests cost" in text
    assert "(-85.0 %)" in text
    assert (
        "The run spent 9.20 USD of at most 25.00 USD; failures may have been billed, at worst 0.015 USD more." in text
    )


def test_a_side_of_ones_own_is_not_shown_as_free() -> None:
    pair = next(runs.drawn(runs.Truth(), 9))
    own = Pair(asked=pair.asked, current=pair.current, target=runs.arm(Answer(text="fine"), cost="0"))
    ran = runs.compare([own])
    assert "Nothing is billed by the token at zai/glm-5; what its machines cost is not in this." in shown(ran)
    cards = [block for block in web_of(ran).sections[0].blocks if isinstance(block, Cards)]
    assert cards[0].cards[0].note.endswith("without the machines of zai/glm-5")


def test_nothing_measured_is_no_zero_anywhere() -> None:
    text = shown(runs.empty())
    assert "Cost is not compared" in text
    sides = [line for line in text.splitlines() if line.startswith((" openai/o3", " zai/glm-5"))]
    assert [line.split() for line in sides] == [["openai/o3", "0", *["—"] * 8], ["zai/glm-5", "0", *["—"] * 8]]


def test_a_run_that_waited_says_so_and_what_was_not_sent_again() -> None:
    text = shown(runs.undecided())
    assert "note: Requests waited up to 730 ms (p99)" in text
    assert "note: 2 requests of an earlier start may have been sent" in text


def test_answers_judged_again_are_no_verdict() -> None:
    ran = runs.compare(runs.drawn(runs.Truth(errors=0.003, time=0.7), 4_000), exploratory=True)
    assert ran.result.verdict == "PASS"
    assert shown(ran).startswith("PASS (exploratory): ")
    assert "warning: Stored answers were judged again" in shown(ran)
    page = web_of(ran)
    assert (page.badge, page.tone) == ("EXPLORATORY", "unsure")
    assert "good" not in tones(page)


def test_gates_that_cannot_be_compared_without_the_current_side() -> None:
    pairs = (Pair(asked=pair.asked, current=pair.current, target=pair.target) for pair in runs.drawn(runs.Truth(), 50))
    ran = runs.compare(pairs, gates=["agreement=off", "schema_validity=off", "tool_validity=off", "ttft_p95=< 1ms"])
    row = next(line for line in shown(ran).splitlines() if line.startswith(" time to first token p95"))
    assert "< 1ms" in row


@pytest.mark.parametrize("run", ALL)
def test_the_json_is_what_its_schema_says_and_reads_back(run: Callable[[], Ran]) -> None:
    ran = run()
    text = json_format.render(page_of(ran))
    schema = json.loads((ROOT / "docs/schemas/llmmigrate.verdict.schema.json").read_text(encoding="utf-8"))
    for record in schema["$defs"].values():
        record["additionalProperties"] = False
    assert list(Draft202012Validator(schema).iter_errors(json.loads(text))) == []
    assert msgspec.json.decode(text, type=type(ran.result)) == ran.result


def test_the_json_holds_no_text_of_requests_and_answers() -> None:
    ran = runs.broken()
    text = json_format.render(page_of(ran))
    assert ran.examples.worst
    assert all(example.prompt not in text and example.current not in text for example in ran.examples.worst)


def test_the_csv_is_the_gates() -> None:
    ran = runs.passed()
    rows = list(csv.DictReader(io.StringIO(csv_format.render(page_of(ran)))))
    assert [row["gate"] for row in rows] == [gate.key for gate in ran.result.gates]
    assert [float(row["estimate"]) for row in rows] == [gate.estimate for gate in ran.result.gates]
    assert {row["result"] for row in rows} == {"PASS"}


@pytest.mark.parametrize("width", [40, 60, 80, 120, None])
@pytest.mark.parametrize("run", ALL)
def test_no_number_is_cut_at_any_width(run: Callable[[], Ran], width: int | None) -> None:
    ran = run()
    text = shown(ran, width)
    assert "\x1b" not in text
    for gate in ran.result.gates:
        assert gate.result in text
    assert "…," not in text


def test_markdown_keeps_log_text_text() -> None:
    text = markdown.render(page_of(runs.hostile()))
    assert "<script>" not in text
    assert "\u202e" not in text
    assert "\\\\u202e" in text


def tones(page: Page) -> set[str]:
    """Of the page itself, of its cards and of its gates."""
    found: set[str] = {page.tone}
    for section in page.sections:
        for block in section.blocks:
            if isinstance(block, Cards):
                found |= {card.tone for card in block.cards}
            elif isinstance(block, Forest):
                found |= {row.tone for row in block.rows}
    return found


@pytest.mark.parametrize("run", [runs.empty, runs.hostile])
def test_what_is_not_measured_is_never_green(run: Callable[[], Ran]) -> None:
    assert "good" not in tones(web_of(run()))


def test_the_colours_are_those_of_the_results() -> None:
    assert tones(web_of(runs.passed())) == {"good", "plain"}
    assert web_of(runs.broken()).tone == "bad"
    assert web_of(runs.undecided()).tone == "unsure"


def test_an_unmeasured_card_says_so() -> None:
    cards = [block for block in web_of(runs.empty()).sections[0].blocks if isinstance(block, Cards)]
    assert all(card.value == "not measured" and card.tone == "unsure" for card in cards[0].cards)
    assert isinstance(cards[0].cards[0], Card)


def test_the_forest_puts_every_gate_on_one_scale() -> None:
    """On the left of 1 is what keeps the limit, whichever way the gate's figure grows."""
    for run in (runs.passed, runs.broken, runs.undecided):
        ran = run()
        (forest,) = [block for section in web_of(ran).sections for block in section.blocks if isinstance(block, Forest)]
        for row, gate in zip(forest.rows, ran.result.gates, strict=True):
            assert gate.estimate is not None
            assert row.place is not None
            keeps = (
                gate.estimate >= gate.limit_value if gate.limit.startswith(">") else gate.estimate <= gate.limit_value
            )
            assert (row.place <= 1) is keeps
            assert row.now == 0


def test_the_worst_pairs_stand_side_by_side() -> None:
    ran = runs.broken()
    text = html.render(page_of(ran))
    worst = ran.examples.worst[0]
    assert text.index("The worst pairs") < text.index(worst.current) < text.index(worst.target)
    assert text.index(worst.key) < text.index(worst.current)


def test_where_no_text_is_kept_the_page_says_so() -> None:
    ran = runs.compare([], store="hashes")
    assert "No texts were kept (--store hashes)." in html.render(page_of(ran))


@pytest.mark.parametrize("name", registry.names("reports.formats"))
@pytest.mark.parametrize("run", ALL)
def test_equal_results_are_equal_bytes_in_every_format(name: str, run: Callable[[], Ran]) -> None:
    render: Any = registry.load("reports.formats", name).render
    assert render(page_of(run())) == render(page_of(run()))


def test_hostile_text_is_text_in_html() -> None:
    text = html.render(page_of(runs.hostile()))
    assert HOSTILE not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m\\u202etfosorciM\\u202c\\u200b &amp;amp;" in text
    assert "{{ 7*7 }}" in text
