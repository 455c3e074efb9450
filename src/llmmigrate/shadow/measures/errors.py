"""Whether the first attempt failed: what a user would have met without retries."""

from typing import Final

from llmmigrate.shadow.measures._failures import failed
from llmmigrate.shadow.pairs import Arm

NAME: Final = "errors"
KIND: Final = "figure"
UNIT: Final = "share"
ABOUT: Final = "Share of requests whose first attempt failed."


def value(arm: Arm) -> float | None:
    """1 for a failed first attempt, 0 for one that succeeded."""
    return failed(arm, arm.first_failure)
