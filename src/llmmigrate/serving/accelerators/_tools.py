"""Reading what the tools of vendors write."""

import re
from typing import Final

_UNKNOWN: Final = re.compile(r"\[?(n/?a|not supported|unknown error|unknown|none|x+|-)?\]?", re.IGNORECASE)


def known(text: object) -> str | None:
    """The text of a field, None for the many ways in which tools say that they do not know."""
    words = "" if text is None else str(text).strip()
    return None if _UNKNOWN.fullmatch(words) else words


def whole(text: object) -> int | None:
    """A whole number, None for what is none."""
    words = known(text)
    return int(words) if words is not None and re.fullmatch(r"[0-9]+", words) else None


def scaled(text: object, unit: int) -> int | None:
    """A whole number of `unit` bytes, in bytes."""
    number = whole(text)
    return None if number is None else number * unit


def bus_address(text: object) -> str | None:
    """A PCI address in lower case, its domain in four digits: `00000000:41:00.0` and `0000:41:00.0` are one."""
    words = known(text)
    match = re.fullmatch(r"(?:([0-9a-f]+):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])", words.lower()) if words else None
    return f"{int(match[1] or '0', 16):04x}:{match[2]}" if match else None


def rows(text: str) -> list[list[str]]:
    """The cells of every row that a box table draws between `|`."""
    lines = (line.strip() for line in text.splitlines())
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines if re.fullmatch(r"\|.*\|", line)]
