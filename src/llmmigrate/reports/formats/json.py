"""JSON as a contract: one text for one value, so that equal results are equal bytes.

Keys are sorted, Decimals are plain strings without an exponent or needless zeros, instants are UTC in RFC 3339.
"""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from llmmigrate.reports import Report
from llmmigrate.reports.escape import json_safe


def render(report: Report, *, width: int | None = None, color: bool = False) -> str:
    """The document; a terminal's width and colours do not change it."""
    return canonical(report.document)


def canonical(value: Any) -> str:
    """`value` in the one form described above, indented, with a line end.

    Raises TypeError for what has no form here, such as an instant without a zone, and ValueError for NaN.
    """
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, sort_keys=True, indent=2)
    return json_safe(text) + "\n"


def decimal_text(number: Decimal) -> str:
    """A Decimal without an exponent, needless zeros or a negative zero: `96.791325`, `0`."""
    if not number.is_finite():
        raise ValueError(f"{number} has no JSON form")
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) if number else "0"


def instant_text(instant: datetime) -> str:
    """An instant in UTC, as short as it is exact: `2026-11-22T00:00:00Z`."""
    if instant.tzinfo is None:
        raise TypeError("an instant without a time zone has no JSON form")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    match value:
        case Mapping():
            return {_key(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case Decimal():
            return decimal_text(value)
        case datetime():
            return instant_text(value)
        case date():
            return value.isoformat()
        case None | bool() | int() | float() | str():
            return value
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key must be a string, not {type(key).__name__}")
    return key
