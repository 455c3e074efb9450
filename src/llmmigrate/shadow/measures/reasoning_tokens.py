"""Tokens that the endpoint spent on reasoning."""

from typing import Final

from llmmigrate.shadow.measures._usage import counted
from llmmigrate.shadow.pairs import Arm

NAME: Final = "reasoning_tokens"
KIND: Final = "figure"
UNIT: Final = "tokens"
ABOUT: Final = "Tokens that the endpoint spent on reasoning."


def value(arm: Arm) -> float | None:
    """The count; None where the endpoint sent none."""
    tokens = counted(arm)
    return None if tokens is None else tokens.reasoning
