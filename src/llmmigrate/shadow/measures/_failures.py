"""Which failures count against a side."""

from llmmigrate.endpoints.exchange import Failure
from llmmigrate.shadow.pairs import Arm, NotAsked


def failed(arm: Arm, failure: Failure | NotAsked | None) -> float | None:
    """1 for a failure of the endpoint, 0 for none; None for a failure of our own and for what was not asked."""
    if failure in ("ours", "incompatible", "interrupted"):
        return None
    if failure is None and not arm.attempts:  # a logged answer stands for the side
        return None
    return 0.0 if failure is None else 1.0
