"""CSV (RFC 4180) of the main table's records, raw values; text that a spreadsheet would run as a formula is quoted."""

import csv
import io
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from llmmigrate.reports import Report
from llmmigrate.reports.escape import visible
from llmmigrate.reports.formats.json import decimal_text, instant_text

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - what Excel runs


def render(report: Report, *, width: int | None = None, color: bool = False) -> str:
    """A header of all keys in order of appearance, then one line a record; None is an empty field."""
    names = list(dict.fromkeys(name for record in report.records for name in record))
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow([_text(name) for name in names])
    writer.writerows(_row(record, names) for record in report.records)
    return target.getvalue()


def _row(record: Mapping[str, Any], names: list[str]) -> list[str]:
    return [_field(record.get(name)) for name in names]


def _field(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return decimal_text(value)
        case datetime():
            return instant_text(value)
        case str():
            return _text(value)
    return str(value)


def _text(value: str) -> str:
    """Text made visible, with an apostrophe before what a spreadsheet takes for the start of a formula."""
    guard = "'" if value.lstrip(" ").startswith(_FORMULA_STARTS) else ""
    return guard + visible(value)
