"""Whether the tool calls of an answer could be carried out: the tool exists, its arguments parse and fit its schema."""

from typing import Final

from llmmigrate.shadow.measures import Asked
from llmmigrate.shadow.measures._json import value_of
from llmmigrate.shadow.measures._schemas import check_of
from llmmigrate.shadow.pairs import Answer, ToolCall

NAME: Final = "tool_validity"
KIND: Final = "validity"
ABOUT: Final = "Whether each tool call names an offered tool and its arguments fit that tool's schema."

_NO_NAMES: Final = (None, "auto", "none", "required")


def valid(asked: Asked, answer: Answer) -> float | None:
    """1 where all tool calls can be carried out, 0 where one cannot or where a demanded call is missing.

    None where the answer calls no tool and need not. Tools are never executed.
    """
    choice = asked.features.tool_choice
    if not answer.tool_calls:
        demanded = choice not in (None, "auto", "none") and asked.features.tools
        return 0.0 if demanded else None
    if choice not in _NO_NAMES and any(call.name != choice for call in answer.tool_calls):
        return 0.0
    return 1.0 if all(_fits(asked, call) for call in answer.tool_calls) else 0.0


def _fits(asked: Asked, call: ToolCall) -> bool:
    """Whether one call can be carried out; a tool without a usable schema takes any object."""
    schema = asked.features.tools.get(call.name)
    if schema is None:
        return False
    try:
        arguments = value_of(call.arguments)
    except ValueError:
        return False
    check = check_of(schema)
    return isinstance(arguments, dict) and (check is None or check(arguments))
