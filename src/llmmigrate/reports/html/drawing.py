"""A page as the text of one HTML file.

Every text is made visible (no control or direction mark works) and escaped; the policy in the page forbids scripts,
pictures and addresses altogether, and allows the one style sheet by its hash.
"""

import base64
import hashlib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmmigrate.reports.escape import visible_lines
from llmmigrate.reports.html.blocks import Page, WebBlock
from llmmigrate.reports.html.charts import lengths, plotted
from llmmigrate.reports.html.forest import drawn
from llmmigrate.reports.tables import Table

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent


def draw(page: Page) -> str:
    """The page; equal pages give equal text."""
    from markupsafe import Markup

    environment = _environment()
    style = (_HERE / "style.css").read_text(encoding="utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("page.html.jinja").render(
        page=page,
        style=Markup(style),  # our own text, which is not to be escaped
        style_hash=f"sha256-{digest}",
        drawings=_drawings(environment),
        kind=_kind,
        table_name=_Names(),
    )


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    environment.globals.update(drawn=drawn, plotted=plotted, lengths=lengths)
    return environment


def _drawings(environment: "Environment") -> dict[str, Any]:
    """The macros by the names of the blocks that they draw."""
    module = environment.get_template("blocks.html.jinja").module
    return {name: macro for name, macro in vars(module).items() if not name.startswith("_")}


class _Names:
    """Gives every table of a page a name of its own, by which a screen reader lists it."""

    def __init__(self) -> None:
        self._used: Counter[str] = Counter()

    def __call__(self, table: Table) -> str:
        name = table.title or table.columns[0].name or "Table"
        self._used[name] += 1
        return name if self._used[name] == 1 else f"{name}, {self._used[name]}"


def _kind(block: WebBlock) -> str:
    return type(block).__name__.lower()


def _shown(value: Any) -> Any:
    """Text as it may be shown; what the template has made itself stays."""
    return visible_lines(value) if type(value) is str else value
