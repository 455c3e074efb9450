"""What a GitHub Actions log turns into annotations: workflow commands for the first findings, then the page as text.

The commands and their escapes are those of the runner's toolkit (docs.github.com: workflow commands). The page stands
between `stop-commands` lines, so that nothing in it is taken for a command.
"""

import hashlib
from typing import Final

from llmmigrate.reports import Finding, Report
from llmmigrate.reports.escape import visible
from llmmigrate.reports.formats import table

MOST: Final = 10
"""A step shows so many annotations of each kind; the rest is told as a count."""
_DATA: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})
_KINDS: Final = ("error", "warning", "notice")


def render(report: Report, *, width: int | None = None, color: bool = False) -> str:
    """Annotations, errors first, at most ten, and the page as a terminal shows it."""
    found = sorted((f for f in report.findings if f.level in _KINDS), key=lambda f: _KINDS.index(f.level))
    lines = [_annotation(finding) for finding in found[:MOST]]
    if len(found) > MOST:
        lines[-1:] = [f"::{found[MOST - 1].level}::and {len(found) - MOST + 1} more, in the summary"]
    page = table.render(report, width=width, color=color)
    token = hashlib.sha256(page.encode()).hexdigest()[:32]
    return "\n".join([*lines, f"::stop-commands::{token}", page.rstrip("\n"), f"::{token}::", ""])


def _annotation(finding: Finding) -> str:
    properties = {"file": finding.path, "line": finding.line, "title": finding.name}
    text = ",".join(f"{name}={_escaped(str(value))}" for name, value in properties.items() if value is not None)
    return f"::{finding.level} {text}::{visible(finding.text).translate(_DATA)}"


def _escaped(value: str) -> str:
    return visible(value).translate(_PROPERTY)
