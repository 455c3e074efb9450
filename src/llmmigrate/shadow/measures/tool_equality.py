"""Whether two answers call the same tools with the same arguments."""

from typing import Final

from llmmigrate.shadow.measures import Asked
from llmmigrate.shadow.measures._json import spelling
from llmmigrate.shadow.pairs import Answer

NAME: Final = "tool_equality"
KIND: Final = "agreement"
ABOUT: Final = "Whether two answers call the same tools with the same arguments; calls of one answer have no order."


def agree(asked: Asked, one: Answer, other: Answer) -> float | None:
    """1 for the same calls, or none on both sides, else 0; None where no tool is offered and none is called.

    Arguments are compared as JSON values, and as text where they are no JSON.
    """
    if not (asked.features.tools or one.tool_calls or other.tool_calls):
        return None
    return 1.0 if _calls(one) == _calls(other) else 0.0


def _calls(answer: Answer) -> list[tuple[str, str]]:
    return sorted((call.name, spelling(call.arguments) or call.arguments) for call in answer.tool_calls)
