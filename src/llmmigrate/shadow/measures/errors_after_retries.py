"""Whether there was no answer after all attempts."""

from typing import Final

from llmmigrate.shadow.measures._failures import failed
from llmmigrate.shadow.pairs import Arm

NAME: Final = "errors_after_retries"
KIND: Final = "figure"
UNIT: Final = "share"
ABOUT: Final = "Share of requests without an answer after all attempts."


def value(arm: Arm) -> float | None:
    """1 without an answer in the end, 0 with one."""
    return failed(arm, arm.failure)
