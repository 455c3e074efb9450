"""JSON Schemas as requests demand them, ready to check values with."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from llmmigrate.costing.audit.requests import canonical_json

_BACKTRACKS: Final = 100_000
"""Steps that a schema's pattern may take on one text: schemas come from logs, and some patterns never end."""

Check = Callable[[Any], bool]


def check_of(schema: Mapping[str, Any]) -> Check | None:
    """A check of values against `schema`; None when that is itself no JSON Schema, or points to one elsewhere.

    The draft is the one that `$schema` names, otherwise 2020-12. Nothing is fetched.
    """
    return _check(canonical_json(schema))


@lru_cache(maxsize=256)
def _check(schema: bytes) -> Check | None:
    from jsonschema_rs import FancyRegexOptions, validator_for

    options = FancyRegexOptions(backtrack_limit=_BACKTRACKS)
    try:
        validator = validator_for(schema.decode(), offline=True, validate_formats=False, pattern_options=options)
    except ValueError:
        return None
    check: Check = validator.is_valid
    return check
