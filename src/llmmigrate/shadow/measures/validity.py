"""Whether an answer is usable: it says something, and keeps every form that the request demands."""

from typing import Final

from llmmigrate.shadow.measures import Asked, json_validity, schema_validity, tool_validity
from llmmigrate.shadow.pairs import Answer

NAME: Final = "validity"
KIND: Final = "validity"
ABOUT: Final = "Whether an answer says something and keeps every form that is demanded: JSON, its schema, tool calls."

_FORMS: Final = (json_validity.valid, schema_validity.valid, tool_validity.valid)


def valid(asked: Asked, answer: Answer) -> float:
    """1 for a usable answer, 0 for an empty one or one that breaks a demanded form."""
    if not answer.text.strip() and not answer.tool_calls:
        return 0.0
    return 0.0 if any(form(asked, answer) == 0 for form in _FORMS) else 1.0
