"""Tokens of the request that the endpoint read from its cache."""

from typing import Final

from llmmigrate.shadow.measures._usage import counted
from llmmigrate.shadow.pairs import Arm

NAME: Final = "cached_input_tokens"
KIND: Final = "figure"
UNIT: Final = "tokens"
ABOUT: Final = "Tokens of the request that the endpoint read from its cache."


def value(arm: Arm) -> float | None:
    """The count; None where the endpoint sent none."""
    tokens = counted(arm)
    return None if tokens is None else tokens.cached_input
