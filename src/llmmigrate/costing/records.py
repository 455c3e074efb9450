"""What all result records are made of."""

from typing import Annotated

import msgspec

Money = Annotated[str, msgspec.Meta(pattern=r"^-?\d+(\.\d+)?$", description="an exact decimal amount")]
Share = Annotated[float, msgspec.Meta(description="a part of 1")]


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Base of all result records."""
