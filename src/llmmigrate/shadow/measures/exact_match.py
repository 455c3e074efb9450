"""Whether two answers are the same text."""

from typing import Final

from llmmigrate.shadow.measures import Asked
from llmmigrate.shadow.pairs import Answer

NAME: Final = "exact_match"
KIND: Final = "agreement"
ABOUT: Final = "Whether two answers are the same text, however their white space is set."


def agree(asked: Asked, one: Answer, other: Answer) -> float | None:
    """1 for the same text, else 0; None where neither says anything."""
    first, second = one.text.split(), other.text.split()
    if not first and not second:
        return None
    return 1.0 if first == second else 0.0
