"""Plain text for a terminal or a file: the answer first, then tables. Colour repeats what the words say."""

from typing import Final

from llmmigrate.reports import Report
from llmmigrate.reports.escape import visible
from llmmigrate.reports.tables import Block, Bullets, Command, Paragraph, Table
from llmmigrate.reports.text import table_lines, wrapped

_BOLD: Final = "\x1b[1m"
_YELLOW: Final = "\x1b[33m"
_RESET: Final = "\x1b[0m"


def render(report: Report, *, width: int | None = None, color: bool = False) -> str:
    """The page as text, blocks apart by an empty line; `width` None: natural width."""
    blocks = ["\n".join(_block(block, width, color)) for block in report.page]
    return "\n\n".join(blocks) + "\n"


def _block(block: Block, width: int | None, color: bool) -> list[str]:
    match block:
        case Paragraph():
            return _paragraph(block, width, color)
        case Command():
            return [f"→ {visible(block.line)}"]
        case Bullets():
            items = [line for item in block.items for line in wrapped(f"  - {visible(item)}", width, "    ")]
            return [*wrapped(visible(block.title), width), *items]
        case Table():
            return _table(block, width, color)


def _paragraph(block: Paragraph, width: int | None, color: bool) -> list[str]:
    prefix = "" if block.kind == "plain" else f"{block.kind}: "
    lines = wrapped(prefix + visible(block.text), width)
    if block.strong:
        return [_styled(line, _BOLD, color) for line in lines]
    if block.kind == "warning":
        lines[0] = lines[0].replace("warning:", _styled("warning:", _YELLOW, color), 1)
    return lines


def _table(table: Table, width: int | None, color: bool) -> list[str]:
    head, *rest = table_lines(table, width)
    title = wrapped(visible(table.title), width) if table.title else []
    return [*(_styled(line, _BOLD, color) for line in title), _styled(head, _BOLD, color), *rest]


def _styled(text: str, style: str, color: bool) -> str:
    return f"{style}{text}{_RESET}" if color else text
