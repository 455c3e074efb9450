"""Tokens of the request, as the endpoint counted them; cached ones inside."""

from typing import Final

from llmmigrate.shadow.measures._usage import counted
from llmmigrate.shadow.pairs import Arm

NAME: Final = "input_tokens"
KIND: Final = "figure"
UNIT: Final = "tokens"
ABOUT: Final = "Tokens of the request, as the endpoint counted them; cached ones inside."


def value(arm: Arm) -> float | None:
    """The count; None where the endpoint sent none."""
    tokens = counted(arm)
    return None if tokens is None else tokens.input
