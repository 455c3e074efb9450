"""The result records of this room: the JSON contracts `llmmigrate.accelerators/1` and `llmmigrate.plan/1`.

Memory is in bytes, money a decimal text with its currency beside it; what is not known is null and never 0.
"""

import msgspec

from llmmigrate.serving.accelerators import Device


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all result records."""


class AcceleratorList(Record, frozen=True, kw_only=True):
    """Every device that was found, the host itself included."""

    schema: str
    command: str
    version: str
    devices: list[Device]
    problems: list[str]
