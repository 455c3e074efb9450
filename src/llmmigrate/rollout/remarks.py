"""One thing to think about in a plan, with how grave it is and what mends it."""

from typing import Final, Literal, get_args

import msgspec

Level = Literal["error", "warning", "note"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to think about; an error means that the plan cannot do what it says."""

    level: Level
    code: str
    message: str
    fix: str


def remark(level: Level, code: str, message: str, fix: str) -> Remark:
    """A remark."""
    return Remark(level=level, code=code, message=message, fix=fix)
