"""JSON as answers hold it: read strictly, and in one spelling for comparing."""

import json
from typing import Any, NoReturn


def value_of(text: str) -> Any:
    """The value of a JSON text, whole numbers as int however they are written. ValueError for anything else.

    `NaN` and `Infinity` are no JSON, and what is nested too deep to read counts as none.
    """
    try:
        return json.loads(text, parse_float=_number, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deep") from None


def spelling(text: str) -> str | None:
    """One spelling for all JSON texts of one value: keys sorted, 1.0 as 1. None for what is no JSON."""
    try:
        return json.dumps(value_of(text), sort_keys=True)
    except (ValueError, RecursionError):
        return None


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
