"""Whether two answers agree, by the rule that fits them: tool calls, demanded JSON, or words.

This is the default. The pairs of each rule are told apart (`basis`), because a mean over all says little about the
rarer kind.
"""

from types import ModuleType
from typing import Final

from llmmigrate.shadow.measures import Asked, json_equality, lexical_similarity, tool_equality
from llmmigrate.shadow.pairs import Answer

NAME: Final = "agreement"
KIND: Final = "agreement"
ABOUT: Final = "Equal tool calls where one is made, equal values where JSON is demanded, else similar words."


def agree(asked: Asked, one: Answer, other: Answer) -> float | None:
    """0 to 1, by the rule that `basis` names."""
    score: float | None = _rule(asked, one, other).agree(asked, one, other)
    return score


def basis(asked: Asked, one: Answer, other: Answer) -> str:
    """The measure that fits these answers."""
    name: str = _rule(asked, one, other).NAME
    return name


def _rule(asked: Asked, one: Answer, other: Answer) -> ModuleType:
    if one.tool_calls or other.tool_calls:
        return tool_equality
    return lexical_similarity if asked.features.response_format is None else json_equality
