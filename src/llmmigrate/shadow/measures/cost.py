"""What a request cost."""

from decimal import Decimal
from typing import Final

from llmmigrate.shadow.pairs import Arm

NAME: Final = "cost"
KIND: Final = "figure"
UNIT: Final = "USD"
ABOUT: Final = "Cost of the request at the rates in force when it was sent."


def value(arm: Arm) -> Decimal | None:
    """USD; None where it is not known."""
    return arm.cost
