"""Text from logs made harmless: what would steer a terminal or hide in it is shown as an escape instead."""

import re
from typing import Final

# C0 and C1 controls, DEL; soft hyphen; Arabic letter mark; zero-width and bidirectional marks; line and paragraph
# separators; invisible operators; variation of annotations; the byte order mark; lone surrogates; tag characters.
_HIDDEN_BUT_NEWLINE: Final = (
    "\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\xad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u180e\\u200b-\\u200f"
    "\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\ud800-\\udfff\\U000e0000-\\U000e007f"
)
_HIDDEN: Final = re.compile(f"[\\n{_HIDDEN_BUT_NEWLINE}]")
_HIDDEN_IN_TEXT: Final = re.compile(f"[{_HIDDEN_BUT_NEWLINE}]")


def visible(text: str) -> str:
    r"""`text` on one line, every control, bidirectional or invisible character written as `\n`, `\x1b`, `\u202e`, …"""
    return _HIDDEN.sub(_escaped, text)


def visible_lines(text: str) -> str:
    """Like `visible`, for text of ours that may have several lines: line feeds stay."""
    return _HIDDEN_IN_TEXT.sub(_escaped, text)


def json_safe(text: str) -> str:
    r"""JSON text with the same characters written as `\uXXXX`, which a JSON reader reads as the same text."""
    return _HIDDEN_IN_TEXT.sub(_json_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape", "surrogatepass").decode("ascii")


def _json_escaped(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
