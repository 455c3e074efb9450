"""Markdown as GitHub renders it, for job summaries and comments. Text from logs stays text: no markup, no HTML."""

import re
from collections.abc import Sequence
from typing import Final

from llmmigrate.reports import Report
from llmmigrate.reports.escape import visible
from llmmigrate.reports.tables import Block, Bullets, Command, Paragraph, Table

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]()#|~!$])")
_BLOCK_START: Final = re.compile(r"^(\s*)([-+]|\d+[.)])(\s|$)")
_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"})


def render(report: Report, *, width: int | None = None, color: bool = False) -> str:
    """The page as Markdown, blocks apart by an empty line."""
    return "\n\n".join(_block(block) for block in report.page) + "\n"


def escaped(text: str) -> str:
    """`text` so that Markdown shows it as it is, on one line."""
    plain = _MARKUP.sub(r"\\\1", visible(text)).translate(_HTML)
    return _BLOCK_START.sub(r"\1\\\2\3", plain) if plain[:1] in "-+" else _BLOCK_START.sub(_numbered, plain)


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return _paragraph(block)
        case Command():
            return _fenced(visible(block.line))
        case Bullets():
            return "\n".join([f"**{escaped(block.title)}**", "", *(f"- {escaped(item)}" for item in block.items)])
        case Table():
            return _table(block)


def _paragraph(block: Paragraph) -> str:
    text = f"**{escaped(block.text)}**" if block.strong else escaped(block.text)
    return text if block.kind == "plain" else f"**{block.kind}:** {text}"


def _fenced(line: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence}sh\n{line}\n{fence}"


def _table(table: Table) -> str:
    marks = ["---:" if column.align == "right" else "---" for column in table.columns]
    lines = [_row([column.name for column in table.columns]), "| " + " | ".join(marks) + " |"]
    lines += [_row(row) for row in table.rows]
    lines += [_row(row, strong=True) for row in table.footer]
    return "\n".join([f"**{escaped(table.title)}**", "", *lines] if table.title else lines)


def _row(cells: Sequence[str], *, strong: bool = False) -> str:
    shown = [escaped(cell) for cell in cells]
    return "| " + " | ".join(f"**{cell}**" if strong and cell else cell for cell in shown) + " |"


def _numbered(match: re.Match[str]) -> str:
    """`1. x` would start a list: the mark behind the digits is escaped."""
    return f"{match[1]}{match[2][:-1]}\\{match[2][-1]}{match[3]}"
