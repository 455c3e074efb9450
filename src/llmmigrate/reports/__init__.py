"""Results for people and machines: renders, computes nothing.

A command builds one `Report`; a format (`reports/formats/<name>.py`, found by its name through the registry) turns it
into text. Log content in a report is raw: each format makes it harmless in its own way.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from llmmigrate.reports.html.blocks import Page
from llmmigrate.reports.tables import Block

Scalar = str | int | float | bool | None
"""What a cell of a record may be, beside Decimal and datetime."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One result in the forms that all formats draw from.

    `document` is the JSON contract, `page` what people read (answer first), `records` the rows of its main table with
    raw values, one column a key, for CSV. `web`: the page for a browser, where it shows more than `page`.
    """

    document: Mapping[str, Any]
    page: Sequence[Block]
    records: Sequence[Mapping[str, Any]] = ()
    web: Page | None = None


class ReportFormat(Protocol):
    """What a format module offers."""

    def render(self, report: Report, *, width: int | None = None, color: bool = False) -> str:
        """The report as text that ends with a line end. `width`: columns of the terminal, None without one."""
        ...
