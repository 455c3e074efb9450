"""Whether an answer that has to be JSON is JSON."""

from typing import Final

from llmmigrate.shadow.measures import Asked
from llmmigrate.shadow.measures._json import value_of
from llmmigrate.shadow.pairs import Answer

NAME: Final = "json_validity"
KIND: Final = "validity"
ABOUT: Final = "Whether an answer that has to be JSON is JSON as a whole, without fences or words around it."


def valid(asked: Asked, answer: Answer) -> float | None:
    """1 for JSON (an object, where the request says so), 0 for anything else, an empty text and a refusal included.

    None where no JSON is demanded, or where the answer calls a tool instead of speaking.
    """
    form = asked.features.response_format
    if form is None or (answer.tool_calls and not answer.text.strip()):
        return None
    try:
        value = value_of(answer.text)
    except ValueError:
        return 0.0
    return 1.0 if form.kind == "json_schema" or isinstance(value, dict) else 0.0
