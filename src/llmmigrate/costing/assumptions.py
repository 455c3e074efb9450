"""What an estimate assumes where the log cannot tell: each with its value, range and source.

A target's tokenizer cuts the same text into another number of tokens. Until a calibration measures the ratio, it is
taken as 1.00 within the range of published ratios.
"""

from decimal import Decimal
from typing import Final, Literal, NamedTuple

CLAUDE: Final = "claude"


class Assumption(NamedTuple):
    """A named assumption; low and high are None where it has no range."""

    name: str
    value: Decimal | str
    source: Literal["default", "logged", "measured", "given"]
    low: Decimal | None = None
    high: Decimal | None = None
    why: str = ""


class Ratio(NamedTuple):
    """Tokens of the target for each token of the source."""

    low: Decimal
    high: Decimal
    why: str


SAME: Final = Ratio(Decimal(1), Decimal(1), "the same tokenizer")
TO_CLAUDE: Final = Ratio(
    Decimal(1), Decimal("1.53"), "o200k to Claude ×1.18 (up to 4.6) … ×1.53 (from 4.7): sammcj/ingest#65"
)
FROM_CLAUDE: Final = Ratio(Decimal("0.65"), Decimal(1), "the inverse of ×1.18 … ×1.53: sammcj/ingest#65")
OTHER: Final = Ratio(Decimal("0.77"), Decimal("1.30"), "10–30 % between tokenizers on code: cxpak#35")


def token_ratio(source: str | None, target: str | None) -> Ratio:
    """The assumed range of the token ratio between two tokenizers; a point only where they are known to be one."""
    if source is not None and source == target:
        return SAME
    to_claude, from_claude = (name is not None and name.startswith(CLAUDE) for name in (target, source))
    if to_claude and not from_claude:
        return TO_CLAUDE
    if from_claude and not to_claude:
        return FROM_CLAUDE
    return OTHER


def ratio_assumption(ratios: list[Ratio]) -> Assumption:
    """One assumption for several source models: the widest range of theirs."""
    whys = dict.fromkeys(ratio.why for ratio in ratios)
    low, high = min(ratio.low for ratio in ratios), max(ratio.high for ratio in ratios)
    return Assumption("token_ratio", Decimal("1.00"), "default", low, high, "; ".join(whys))
