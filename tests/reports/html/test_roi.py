"""The ROI page in a real browser, and what every such page promises: its size, its bytes, its figures."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.browser import AXE, FOUND, Scheme, Tab, chromium
from tests.conftest import NO_AXE, NO_BROWSER, ROOT, Outcome
from tests.costing.test_risks import GOOD
from tests.reports.html.test_browser import DESK, PHONE, UNREADABLE

Run = Callable[..., Outcome]
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202etfosorciM @cmd' onload"
LARGEST = 60 * 1024


def write_log(path: Path, *, models: int, days: int, name: str = "model-{n}") -> Path:
    """So many models, each once a day; two of them have a price, the others are aliases of one."""
    first = date(2026, 8, 1)
    lines = [
        {
            "timestamp": f"{first + timedelta(days=day)}T{model % 24:02d}:00:00Z", "provider": "openai",
            "model": name.format(n=model), "input_tokens": 90_000 + 777 * (day * model % 13), "output_tokens": 9_000,
        }
        for day in range(days) for model in range(models)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def made(llmmigrate: Run, folder: Path, log: Path, *options: str) -> tuple[str, dict[str, Any]]:
    """The page and the document of one report."""
    page, document = folder / f"{log.stem}.html", folder / f"{log.stem}.json"
    line = ["report", str(log), "--to", "zai/glm-5", "--one-off-cost", "8000", "--as-of", "2026-11-22", *options]
    assert 0 == llmmigrate(*line, "-o", str(page), "-o", str(document)).code
    return page.read_text(encoding="utf-8"), json.loads(document.read_text(encoding="utf-8"))


@pytest.fixture
def big(tmp_path: Path) -> tuple[Path, list[str]]:
    log = write_log(tmp_path / "big.jsonl", models=20, days=90)
    return log, [part for n in range(20) for part in ("--alias", f"model-{n}=openai/{'o3' if n % 2 else 'gpt-4o'}")]


def test_twenty_models_and_ninety_days_fit_into_sixty_kilobytes(
    llmmigrate: Run, tmp_path: Path, big: tuple[Path, list[str]]
) -> None:
    page, document = made(llmmigrate, tmp_path, big[0], *big[1])
    assert (20, 90) == (len(document["models"]), len(document["days"]))
    assert len(page.encode()) <= LARGEST


def test_equal_input_gives_equal_bytes(
    llmmigrate: Run, tmp_path: Path, big: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["llmmigrate", "report"])
    one, _ = made(llmmigrate, tmp_path, big[0], *big[1])
    other, _ = made(llmmigrate, tmp_path, big[0], *big[1])
    assert one == other


def test_no_address_and_no_script_is_in_the_page(llmmigrate: Run, tmp_path: Path, big: tuple[Path, list[str]]) -> None:
    page, _ = made(llmmigrate, tmp_path, big[0], *big[1])
    assert re.findall(r"<script|<link|<img|\bsrc=|\bhref=|url\(|@import|\bon[a-z]+=", page) == []


def test_every_figure_of_the_first_screen_is_in_the_document(
    llmmigrate: Run, tmp_path: Path, big: tuple[Path, list[str]]
) -> None:
    page, document = made(llmmigrate, tmp_path, big[0], *big[1])
    cards = re.findall(r"<dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    month, payback = document["saving"]["month"], document["payback"]
    amounts = [f"{float(month[end]):,.2f}" for end in ("value", "low", "high")]
    months = [f"{payback[end]:,.1f}" for end in ("value", "low", "high")]
    shown = re.findall(r"\d[\d,]*\.\d+", "".join(cards[:2]))
    assert {*amounts, *months, "8,000.00"} == set(shown)
    assert 4 == len(cards)


def test_the_first_screen_says_what_the_figures_rest_on(llmmigrate: Run, tmp_path: Path) -> None:
    """Calls, days, the date of the prices and when they were checked, open risks: each is in the document, too."""
    log = write_log(tmp_path / "small.jsonl", models=1, days=30)
    page, document = made(llmmigrate, tmp_path, log, "--alias", "model-0=openai/o3")
    (line,) = re.findall(r'<p class="sub"[^>]*>(.*?)</p>', page)
    checked = min(table["checked"] for table in document["prices"]["tables"])
    said = f"30 calls, 2026-08-01 to 2026-08-30 · prices of 2026-11-22, checked {checked} · llmmigrate "
    assert line == said + document["version"]
    assert document["risk"]["open"] == sum(
        risk["status"] in ("failed", "not_measured", "caution") for risk in document["risks"]
    )
    answers = f"answers: not measured, run shadow; {document['risk']['open']} of {len(document['risks'])} risks"
    assert answers in page
    assert "then run shadow: the answers were not measured" in document["next"]["words"]


def test_what_runs_on_each_month_is_shown_where_the_saving_is_less_than_the_difference(
    llmmigrate: Run, tmp_path: Path
) -> None:
    log = write_log(tmp_path / "small.jsonl", models=1, days=30)
    page, document = made(llmmigrate, tmp_path, log, "--alias", "model-0=openai/o3", "--monthly-cost", "7")
    today, moved = (float(document[side]["cost"]) for side in ("now", "then"))
    saved = float(document["saving"]["month"]["value"])
    assert saved == pytest.approx(today - moved - 7, abs=1e-4)
    assert re.search(r"what runs beside it, a month</th>\s*<td class=r>7.00</td>", page)


def test_what_was_not_measured_is_never_green(llmmigrate: Run, tmp_path: Path, big: tuple[Path, list[str]]) -> None:
    page, document = made(llmmigrate, tmp_path, big[0], *big[1])
    assert "not_measured" == document["risk"]["level"]
    assert 'class="good"' not in page
    assert "Not measured" in page


def test_hostile_names_are_text(llmmigrate: Run, tmp_path: Path) -> None:
    log = write_log(tmp_path / "hostile.jsonl", models=1, days=30, name=HOSTILE)
    page, document = made(llmmigrate, tmp_path, log, "--alias", f"{HOSTILE}=openai/o3")
    assert [HOSTILE] == document["traffic"]["moves"]
    assert "<script" not in page
    assert not set(page) & set("\x1b\u202e")


def test_hostile_logs_make_pages_that_do_nothing(llmmigrate: Run, tmp_path: Path, data: Path) -> None:
    logs = sorted((data / "hostile").glob("45*"))
    assert logs
    for log in logs:
        page = tmp_path / "page.html"
        assert 0 == llmmigrate("report", str(log), "--to", "zai/glm-5", "-o", str(page)).code
        assert not re.findall(r"<script|<img|<svg[^>]*onload|javascript:", page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    if FOUND is None:
        pytest.skip(NO_BROWSER)
    with chromium(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def page(llmmigrate: Run, tmp_path: Path, big: tuple[Path, list[str]]) -> Path:
    made(llmmigrate, tmp_path, big[0], *big[1])
    return tmp_path / "big.html"


def test_the_page_fits_and_can_be_read_in_both_schemes(tab: Tab, page: Path) -> None:
    schemes: tuple[Scheme, Scheme] = ("light", "dark")
    for scheme in schemes:
        for width in (PHONE, DESK):
            tab.show(page, width=width, scheme=scheme)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.evaluate(UNREADABLE) == []
            assert tab.told("Log.entryAdded") == []


def test_the_first_screen_holds_the_four_answers(tab: Tab, page: Path) -> None:
    tab.show(page, width=DESK, height=700)
    bottom = "Math.max(...[...document.querySelectorAll('.cards dd')].map(e => e.getBoundingClientRect().bottom))"
    assert tab.evaluate(bottom) <= 700
    assert 4 == tab.evaluate("document.querySelectorAll('.cards dd').length")


def test_the_charts_are_drawn_inside_their_fields(tab: Tab, page: Path) -> None:
    tab.show(page, width=DESK)
    inside = """[...document.querySelectorAll('.chart path')].map(path => {
      const [at, field] = [path, path.closest('.chart > svg')].map(e => e.getBoundingClientRect());
      return at.width > 100 && at.left >= field.left - 2 && at.right <= field.right + 2
        && at.top >= field.top - 2 && at.bottom <= field.bottom + 2;
    })"""
    drawn: list[bool] = tab.evaluate(inside)
    assert len(drawn) == 5  # two lines and two bands for days and cash, and today's line
    assert all(drawn)
    assert 20 == tab.evaluate("document.querySelectorAll('.bars li').length")


@pytest.fixture
def sample(llmmigrate: Run, tmp_path: Path) -> Path:
    """The report of the sample log with all results that there can be."""
    files = [tmp_path / f"{number}.json" for number in range(len(GOOD))]
    for file, result in zip(files, GOOD, strict=True):
        file.write_text(json.dumps(result), encoding="utf-8")
    page = tmp_path / "sample.html"
    line = ["report", str(ROOT / "samples/logs.jsonl"), "--to", "zai/glm-5", "--as-of", "2026-11-22", "-o", str(page)]
    evidence = [part for file in files for part in ("--evidence", str(file))]
    assert 0 == llmmigrate(*line, "--one-off-cost", "500", "--monthly-cost", "5", *evidence).code
    return page


def test_no_barrier_stands_in_the_page(tab: Tab, page: Path, sample: Path) -> None:
    if not AXE.is_file():
        pytest.skip(NO_AXE)
    for file in (page, sample):
        tab.show(file, width=DESK, scheme="light")
        assert tab.barriers() == []
        tab.show(file, width=PHONE, scheme="dark")
        assert tab.barriers() == []
        tab.show(file, width=DESK, media="print")
        assert tab.barriers() == []


def test_the_sample_report_takes_three_sheets_of_paper_at_most(tab: Tab, sample: Path) -> None:
    tab.show(sample, width=DESK)
    assert tab.paper_pages() <= 3
    tab.show(sample, width=703, media="print")  # what A4 leaves between its margins
    assert tab.evaluate("document.documentElement.scrollWidth") <= 703
    assert tab.evaluate(UNREADABLE) == []


def test_nothing_is_fetched(tab: Tab, page: Path) -> None:
    tab.show(page, width=DESK)
    asked: list[dict[str, Any]] = tab.told("Network.requestWillBeSent")
    assert [entry["request"]["url"] for entry in asked] == [page.as_uri()]
