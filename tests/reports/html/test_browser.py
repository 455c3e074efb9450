"""Pages in a real browser: nothing runs, nothing is fetched, everything fits and can be read."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.browser import AXE, FOUND, Scheme, Tab, chromium
from tests.conftest import NO_AXE, NO_BROWSER
from tests.reports import runs
from tests.reports.runs import Ran

from llmmigrate.reports.formats import html
from llmmigrate.reports.shadow import report

ALL: dict[str, Callable[[], Ran]] = {
    "passed": runs.passed, "broken": runs.broken, "undecided": runs.undecided, "empty": runs.empty,
    "hostile": runs.hostile,
}  # fmt: skip
PHONE, DESK = 390, 1280

UNREADABLE = """
(() => {
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = parts(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const bad = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim()) continue;
    const style = getComputedStyle(element);
    const color = parts(element.closest('svg') ? style.fill : style.color);
    const pair = [light(color), light(behind(element))].sort((a, b) => b - a);
    if ((pair[0] + 0.05) / (pair[1] + 0.05) < 4.5) bad.push(node.data.trim());
  }
  return bad;
})()
"""
"""Texts whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3), as the browser has computed their colours."""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    if FOUND is None:
        pytest.skip(NO_BROWSER)
    with chromium(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, run in ALL.items():
        ran = run()
        found[name] = folder / f"{name}.html"
        found[name].write_text(html.render(report(ran.result, ran.examples, next_step="llmmigrate report logs.jsonl")))
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("name", ALL)
def test_a_page_fits_and_can_be_read(tab: Tab, pages: dict[str, Path], name: str, width: int, scheme: Scheme) -> None:
    tab.show(pages[name], width=width, scheme=scheme)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(UNREADABLE) == []
    background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
    assert tab.told("Log.entryAdded") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ALL)
def test_no_barrier_stands_in_a_page(tab: Tab, pages: dict[str, Path], name: str, scheme: Scheme) -> None:
    if not AXE.is_file():
        pytest.skip(NO_AXE)
    tab.show(pages[name], width=DESK, scheme=scheme)
    assert tab.barriers() == []


def test_a_barrier_would_be_found(tab: Tab, pages: dict[str, Path]) -> None:
    if not AXE.is_file():
        pytest.skip(NO_AXE)
    tab.show(pages["passed"], width=DESK)
    tab.evaluate("document.documentElement.removeAttribute('lang')")
    assert [line.split(":")[0] for line in tab.barriers()] == ["html-has-lang"]


def test_text_that_cannot_be_read_would_be_found(tab: Tab, pages: dict[str, Path]) -> None:
    tab.show(pages["passed"], width=DESK)
    tab.evaluate("document.querySelector('h1').style.color = '#999'")
    assert tab.evaluate(UNREADABLE) == ["openai/o3 → zai/glm-5"]


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_first_screen_has_the_verdict_and_the_figures(tab: Tab, pages: dict[str, Path], width: int) -> None:
    tab.show(pages["passed"], width=width, height=900)
    bottom = (
        "Math.max(...[...document.querySelectorAll('.badge, .cards dd')].map(e => e.getBoundingClientRect().bottom))"
    )
    assert tab.evaluate(bottom) <= 900
    assert tab.evaluate("document.querySelector('.badge').innerText") == "PASS"


def test_every_gate_is_drawn_where_its_figure_says(tab: Tab, pages: dict[str, Path]) -> None:
    tab.show(pages["passed"], width=DESK)
    places: list[dict[str, float]] = tab.evaluate(
        "[...document.querySelectorAll('.forest li > svg')].map(svg => ({"
        "limit: svg.querySelector('.limit').getBoundingClientRect().x,"
        "mark: svg.querySelector('.mark').getBoundingClientRect().x,"
        "height: svg.getBoundingClientRect().height}))"
    )
    gates = runs.passed().result.gates
    assert len(places) == len(gates)
    assert all(place["mark"] < place["limit"] and place["height"] > 20 for place in places)


def test_hostile_text_does_nothing(tab: Tab, pages: dict[str, Path]) -> None:
    tab.show(pages["hostile"], width=DESK)
    text: str = tab.evaluate("document.body.innerText")
    assert "<script>alert(1)</script>\\x1b[31m\\u202etfosorciM" in text
    assert not set(text) & set("\x1b\u202e\u202c\u200b")
    assert tab.evaluate("document.scripts.length") == 0
    assert tab.told("Page.javascriptDialogOpening") == []


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_fetched(tab: Tab, pages: dict[str, Path], name: str) -> None:
    tab.show(pages[name], width=DESK)
    asked: list[dict[str, Any]] = tab.told("Network.requestWillBeSent")
    assert [entry["request"]["url"] for entry in asked] == [pages[name].as_uri()]


def test_the_policy_stops_a_script_that_gets_in_all_the_same(tab: Tab, pages: dict[str, Path], tmp_path: Path) -> None:
    """The second line of defence: what a slip in the template would let through still does not run."""
    broken = tmp_path / "broken.html"
    page = pages["passed"].read_text()
    evil = "<script>document.title='evil'</script><img src=x onerror=\"document.title='evil'\">"
    broken.write_text(page.replace("</main>", f"{evil}</main>"))
    tab.show(broken, width=DESK)
    assert tab.evaluate("document.title") == "openai/o3 → zai/glm-5"
