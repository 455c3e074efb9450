"""Pages as text: no script, no address, everything escaped, colours that can be read."""

import base64
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reports import runs
from tests.reports.runs import Ran

from llmmigrate.reports import Report
from llmmigrate.reports.formats import html
from llmmigrate.reports.html.blocks import Interval
from llmmigrate.reports.html.forest import drawn, placed
from llmmigrate.reports.shadow import report
from llmmigrate.reports.tables import Block, Bullets, Column, Command, Paragraph, Table

ALL: list[Callable[[], Ran]] = [runs.passed, runs.broken, runs.undecided, runs.empty, runs.hostile]
VOID = {"meta", "link", "br", "hr", "img", "input"}
KNOWN = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "section", "article", "span", "h1", "h2", "h3",
    "h4", "p", "strong", "small", "dl", "dt", "dd", "div", "ul", "li", "figure", "figcaption", "table", "caption",
    "thead", "tbody", "tfoot", "tr", "th", "td", "pre", "code", "svg", "g", "rect", "line", "path", "text",
}  # fmt: skip


class Reader(HTMLParser):
    """Elements in order, their attributes, and whether all that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.said.append(data)


def text_of(run: Callable[[], Ran]) -> str:
    ran = run()
    return html.render(report(ran.result, ran.examples, next_step="llmmigrate report"))


@pytest.mark.parametrize("run", ALL)
def test_a_page_is_whole_and_knows_no_script_and_no_address(run: Callable[[], Ran]) -> None:
    text = text_of(run)
    page = Reader(text)
    assert {tag for tag, _ in page.elements} <= KNOWN
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in ("src", "href", "style", "action", "id")}
    assert not re.search(r"https?://|//\w|url\(|@import", text.replace("charset", ""))
    assert page.elements[0] == ("html", {"lang": "en"})


def test_the_policy_allows_the_one_style_sheet_and_nothing_else() -> None:
    text = text_of(runs.passed)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policies = [a["content"] for tag, a in Reader(text).elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]


def page_about(text: str) -> Reader:
    blocks: list[Block] = [
        Paragraph(f"x{text}", strong=True),
        Paragraph(text, kind="warning"),
        Bullets(text, [text]),
        Command(text),
        Table(
            columns=[Column(text), Column("n", "right")], rows=[[text, "1"]], footer=[[text, "1"]], title=text or "x"
        ),
    ]
    return Reader(html.render(Report(document={}, page=blocks)))


@given(st.text(st.characters(), min_size=1, max_size=30))
def test_any_text_is_shown_and_nothing_of_it_works(text: str) -> None:
    page = page_about(text)
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in page_about("plain").elements]
    hidden = {sign for part in page.said for sign in part} & set("\x1b\x00\x07\u202e\u2066\u200b\u200f\ufeff")
    assert hidden == set()


def test_a_report_without_a_page_of_its_own_is_shown_as_it_is() -> None:
    page: list[Block] = [
        Paragraph("Spent 3 USD.", strong=True),
        Paragraph("It was spring."),
        Command("llmmigrate estimate a b"),
    ]
    reader = Reader(html.render(Report(document={}, page=page)))
    said = " ".join(" ".join(reader.said).split())
    assert said == "Spent 3 USD. Spent 3 USD. It was spring. llmmigrate estimate a b"


def rows(low: float | None, place: float | None, high: float | None, now: float | None = 0.0) -> Interval:
    return Interval(
        name="g", limit="l", result="PASS", tone="good", now=now, low=low, place=place, high=high, figure=""
    )  # fmt: skip


def test_places_are_in_order_and_inside() -> None:
    at = drawn(rows(-0.5, 0.2, 0.9))
    assert at.low is not None
    assert at.place is not None
    assert at.high is not None
    assert at.now is not None
    assert 0 < at.low < at.now < at.place < at.high < at.limit < 100
    assert not at.off_left
    assert not at.off_right


def test_what_lies_beyond_ends_in_an_arrow_and_has_no_mark() -> None:
    at = drawn(rows(5.0, 9.0, float("inf")))
    assert (at.place, at.off_left, at.off_right) == (None, False, True)
    at = drawn(rows(-9.0, 0.0, 0.5))
    assert (at.off_left, at.off_right) == (True, False)
    assert at.place is not None


def test_nothing_measured_has_no_place() -> None:
    at = drawn(rows(None, None, None, now=None))
    assert (at.now, at.low, at.place, at.high, at.off_left, at.off_right) == (None, None, None, None, False, False)


@pytest.mark.parametrize(
    ("value", "limit", "now", "rising", "place"),
    [
        (0.01, 0.01, 0.0, True, 1.0),
        (0.0, 0.01, 0.0, True, 0.0),
        (0.02, 0.01, 0.0, True, 2.0),
        (-0.05, -0.05, 0.0, False, 1.0),
        (0.0, -0.05, 0.0, False, 0.0),
        (-0.1, -0.05, 0.0, False, 2.0),
        (1.0, 1.2, 1.0, True, 0.0),
        (0.98, 0.99, 1.0, False, 2.0),
        (0.8, 0.9, 1.0, True, 0.0),  # a demand to be faster than now: now lies beyond the limit
        (1.0, 0.9, 1.0, True, 2.0),
        (None, 0.9, 1.0, True, None),
    ],
)
def test_the_scale_of_a_gate(value: float | None, limit: float, now: float, rising: bool, place: float | None) -> None:
    assert placed(value, limit=limit, now=now, rising=rising) == pytest.approx(place)


def themes() -> dict[str, dict[str, str]]:
    """The colours of the style sheet: light, dark, and on paper."""
    style = re.search(r"<style>(.*?)</style>", text_of(runs.empty), re.DOTALL)
    assert style is not None
    roots = re.findall(r":root\{(.*?)\}", style[1])
    return {
        name: dict(re.findall(r"--(\w+):(#[0-9a-f]+)", root))
        for name, root in zip(("light", "dark", "paper"), roots, strict=True)
    }


def luminance(color: str) -> float:
    """Of WCAG 2.2."""
    digits = color[1:]
    whole = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    parts = [int(whole[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark", "paper"])
@pytest.mark.parametrize("name", ["ink", "mute", "good", "bad", "unsure", "plain"])
@pytest.mark.parametrize("behind", ["bg", "card"])
def test_every_colour_of_text_can_be_read(theme: str, name: str, behind: str) -> None:
    colors = themes()[theme]
    bright, dim = sorted((luminance(colors[name]), luminance(colors[behind])), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= 4.5
