"""How long an answer took."""

from typing import Final

from llmmigrate.shadow.pairs import Arm

NAME: Final = "latency"
KIND: Final = "figure"
UNIT: Final = "ms"
ABOUT: Final = "Service time of the attempt that answered, without our own waiting."


def value(arm: Arm) -> float | None:
    """Milliseconds; None for a failure, since failing fast is not being fast."""
    return None if arm.failure else arm.latency_ms
