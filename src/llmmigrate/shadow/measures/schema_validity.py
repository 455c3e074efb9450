"""Whether an answer fits the JSON Schema that the request demands."""

from typing import Final

from llmmigrate.shadow.measures import Asked
from llmmigrate.shadow.measures._json import value_of
from llmmigrate.shadow.measures._schemas import check_of
from llmmigrate.shadow.pairs import Answer

NAME: Final = "schema_validity"
KIND: Final = "validity"
ABOUT: Final = "Whether an answer fits the JSON Schema that the request demands."


def valid(asked: Asked, answer: Answer) -> float | None:
    """1 where it fits, 0 where it does not or is no JSON.

    None where no schema is demanded, where that is itself no JSON Schema, or where the answer calls a tool instead.
    """
    form = asked.features.response_format
    if form is None or form.schema is None or (answer.tool_calls and not answer.text.strip()):
        return None
    check = check_of(form.schema)
    if check is None:
        return None
    try:
        return 1.0 if check(value_of(answer.text)) else 0.0
    except ValueError:
        return 0.0
