"""A report as GitHub shows it beside a change: a comment that can be found again, and a part of a job summary."""

from collections.abc import Sequence
from itertools import chain
from typing import Final

from msgspec import structs

from llmmigrate.reports import Report
from llmmigrate.reports.formats import markdown
from llmmigrate.reports.tables import Block, Bullets, Paragraph, Table

MARKER: Final = "<!-- llmmigrate check -->"
"""The hidden first line by which the comment of an earlier run is found and updated in place."""
MOST_CHARACTERS: Final = 65_536
"""A comment on GitHub may be so long; one more is refused."""
MOST_SUMMARY: Final = 1 << 20
"""Bytes of a step's summary; a longer one is not shown at all."""
_ROWS: Final = (1000, 300, 100, 30, 10, 3)
"""How many rows of a table and lines of a list are kept, from one try to the next."""
_MOST_SENTENCE: Final = 500
"""Characters of the verdict where nothing but it fits."""
_TITLE: Final = "### Cost of the LLM calls"


def comment(report: Report) -> str:
    """The report as a comment of at most 65,536 characters, tables trimmed where it would be longer."""
    return f"{MARKER}\n" + _fitting(report, MOST_CHARACTERS - len(MARKER) - 1, in_bytes=False)


def summary(report: Report, held: int) -> str:
    """The report for a job summary that already holds `held` bytes; at most 1 MiB together. Empty without room."""
    text = _fitting(report, MOST_SUMMARY - held - 1, in_bytes=True)
    return f"{text}\n" if text else ""


def _fitting(report: Report, limit: int, *, in_bytes: bool) -> str:
    """The page with as many rows as fit; where not even few do, its first sentence alone; else nothing."""
    tries = chain((_rendered(report.page, rows) for rows in _ROWS), (_rendered(_verdict(report.page), 1), ""))
    return next(text for text in tries if (len(text.encode()) if in_bytes else len(text)) <= limit or not text)


def _verdict(page: Sequence[Block]) -> list[Block]:
    """The first sentence, and that the rest is left out: names in a log can be as long as they like."""
    told = [structs.replace(block, text=_cut(block.text)) for block in page[:1] if isinstance(block, Paragraph)]
    rows = sum(len(block.rows) for block in page if isinstance(block, Table))
    lines = sum(len(block.items) for block in page if isinstance(block, Bullets))
    left = f"Left out, since they are longer than GitHub shows: {rows:,} rows of tables, {lines:,} lines of lists."
    return [*told, Paragraph(left)]


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SENTENCE else f"{text[:_MOST_SENTENCE]}…"


def _rendered(page: Sequence[Block], rows: int) -> str:
    trimmed = Report(document={}, page=[_trimmed(block, rows) for block in page])
    return f"{_TITLE}\n\n{markdown.render(trimmed)}"


def _trimmed(block: Block, rows: int) -> Block:
    match block:
        case Table() if len(block.rows) > rows:
            left = len(block.rows) - rows
            more = [f"… {left:,} more", *[""] * (len(block.columns) - 1)]
            return structs.replace(block, rows=[*block.rows[:rows], more])
        case Bullets() if len(block.items) > rows:
            return structs.replace(block, items=[*block.items[:rows], f"… {len(block.items) - rows:,} more"])
    return block
