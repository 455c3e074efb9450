"""Values in logged bodies, taken as what they should be and as nothing otherwise."""

from collections.abc import Mapping
from typing import Any


def words(value: Any) -> tuple[str, ...]:
    """The words of a text or a list."""
    listed = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(word for word in listed if isinstance(word, str))


def word(value: Any) -> str | None:
    """A text that is not empty."""
    return value if isinstance(value, str) and value else None


def flag(value: Any) -> bool | None:
    """Yes or no; None for anything else."""
    return value if isinstance(value, bool) else None


def number(value: Any) -> float | None:
    """A number as a float; None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def first(body: Mapping[str, Any], *keys: str) -> Any:
    """The first of these keys that has a value."""
    return next((body[key] for key in keys if body.get(key) is not None), None)
