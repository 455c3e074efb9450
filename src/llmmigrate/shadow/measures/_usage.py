"""Tokens that an endpoint counted itself."""

from llmmigrate.shadow.pairs import Arm, Tokens


def counted(arm: Arm) -> Tokens | None:
    """The usage of an answer; None where there is none or where it is our own estimate from the text."""
    return None if arm.tokens is None or arm.tokens.estimated else arm.tokens
