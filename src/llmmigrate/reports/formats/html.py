"""HTML in one file: no script, nothing from elsewhere, light and dark, on a phone and on paper."""

from llmmigrate.reports import Report
from llmmigrate.reports.html.blocks import Page, Section
from llmmigrate.reports.html.drawing import draw
from llmmigrate.reports.tables import Paragraph


def render(report: Report, *, width: int | None = None, color: bool = False) -> str:
    """The report's own page for a browser, or the page that all formats show; width and colours do not change it."""
    return draw(report.web if report.web is not None else _plain(report))


def _plain(report: Report) -> Page:
    """The page of a report that has none for a browser: its answer is the title."""
    answers = [block for block in report.page if isinstance(block, Paragraph) and block.strong]
    title = answers[0].text if answers else "llmmigrate"
    rest = [block for block in report.page if not answers or block is not answers[0]]
    return Page(title=title, sections=[Section(title=None, blocks=rest)])
