"""How long until an answer began."""

from typing import Final

from llmmigrate.shadow.pairs import Arm

NAME: Final = "ttft"
KIND: Final = "figure"
UNIT: Final = "ms"
ABOUT: Final = "Time to first token: until the first content or reasoning of a stream."


def value(arm: Arm) -> float | None:
    """Milliseconds; None for a failure and for an answer that was no stream."""
    return None if arm.failure else arm.ttft_ms
