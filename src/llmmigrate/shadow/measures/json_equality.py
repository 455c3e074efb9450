"""Whether two answers that have to be JSON hold the same value."""

from typing import Final

from llmmigrate.shadow.measures import Asked
from llmmigrate.shadow.measures._json import spelling
from llmmigrate.shadow.pairs import Answer

NAME: Final = "json_equality"
KIND: Final = "agreement"
ABOUT: Final = "Whether two answers that have to be JSON hold the same value; order of keys and spelling do not matter."


def agree(asked: Asked, one: Answer, other: Answer) -> float | None:
    """1 for the same value (1 and 1.0 are, true and 1 are not), else 0; two texts that are no JSON go by their words.

    None where no JSON is demanded or neither says anything.
    """
    if asked.features.response_format is None or not (one.text.strip() or other.text.strip()):
        return None
    first, second = spelling(one.text), spelling(other.text)
    if first is None and second is None:
        return 1.0 if one.text.split() == other.text.split() else 0.0
    return 1.0 if first == second else 0.0
