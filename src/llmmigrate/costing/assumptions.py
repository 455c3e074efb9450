"""What an estimate assumes where the log cannot tell: each with its value, range and source.

A target's tokenizer cuts the same text into another number of tokens. Until a calibration measures the ratio, it is
taken as 1.00 within the range of published ratios, and answers and hidden reasoning are taken to be as long as now:
nobody has published a range for these that would hold for other traffic than their own.
"""

from decimal import Decimal
from typing import Final, Literal, NamedTuple

CLAUDE: Final = "claude"
ONE: Final = Decimal("1.00")
Source = Literal["default", "logged", "measured", "given"]


class Assumption(NamedTuple):
    """A named assumption; low and high are None where it has no range."""

    name: str
    value: Decimal | str
    source: Source
    low: Decimal | None = None
    high: Decimal | None = None
    why: str = ""


class Ratio(NamedTuple):
    """Tokens of the target for each token of the source, with the ends of its range."""

    low: Decimal
    high: Decimal
    why: str
    value: Decimal = ONE
    source: Source = "default"

    @property
    def is_point(self) -> bool:
        """Whether there is no range."""
        return self.low == self.value == self.high


class Factors(NamedTuple):
    """What the tokens of a call are multiplied with to get those of the target."""

    input: Decimal = ONE
    output: Decimal = ONE
    """Visible output, text and audio."""
    reasoning: Decimal = ONE
    cached: Decimal | None = None
    """Share of the target's input that it reads from its cache; None keeps the share that the log has."""

    @property
    def is_one(self) -> bool:
        """Whether the tokens stay what they are."""
        return self == UNCHANGED


UNCHANGED: Final = Factors()


class Ratios(NamedTuple):
    """The ratios of one source model and one target, by kind of token."""

    input: Ratio
    output: Ratio
    reasoning: Ratio
    cached: Ratio | None = None

    @property
    def is_point(self) -> bool:
        """Whether none of them has a range."""
        return all(ratio is None or ratio.is_point for ratio in self)

    @property
    def is_measured(self) -> bool:
        """Whether all of them come from a calibration."""
        return all(ratio is None or ratio.source == "measured" for ratio in self)

    def expected(self) -> Factors:
        """The values."""
        return self._factors("value", "value")

    def fewest(self) -> Factors:
        """The ends at which the target costs least: few tokens, many of them cached."""
        return self._factors("low", "high")

    def most(self) -> Factors:
        """The ends at which the target costs most: many tokens, few of them cached."""
        return self._factors("high", "low")

    def _factors(self, end: str, cached_end: str) -> Factors:
        cached = None if self.cached is None else getattr(self.cached, cached_end)
        return Factors(getattr(self.input, end), getattr(self.output, end), getattr(self.reasoning, end), cached)


SAME: Final = Ratio(ONE, ONE, "the same tokenizer")
TO_CLAUDE: Final = Ratio(ONE, Decimal("1.53"), "o200k to Claude ×1.18 (up to 4.6) … ×1.53 (from 4.7): sammcj/ingest#65")
FROM_CLAUDE: Final = Ratio(Decimal("0.65"), ONE, "the inverse of ×1.18 … ×1.53: sammcj/ingest#65")
OTHER: Final = Ratio(Decimal("0.77"), Decimal("1.30"), "10–30 % between tokenizers on code: cxpak#35")
AS_THEY_ARE: Final = Ratios(SAME, SAME, SAME)


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


def assumed(source: str | None, target: str | None) -> Ratios:
    """The ratios where nothing was measured: that of the two tokenizers, for every kind of token."""
    ratio = token_ratio(source, target)
    return Ratios(ratio, ratio, ratio)


def ratio_assumptions(used: list[Ratios], *, reasoned: bool, reasons: bool) -> list[Assumption]:
    """What the ratios of several source models assume: for each kind the widest range of theirs.

    `reasoned`: the moved calls have hidden reasoning. `reasons`: the target can reason.
    """
    plain = [ratios.input for ratios in used if not ratios.is_measured]
    measured = [ratios for ratios in used if ratios.is_measured]
    found = [widest("token_ratio", plain)] if plain else []
    if measured:
        found.append(widest("input_ratio", [ratios.input for ratios in measured]))
        found.append(widest("output_ratio", [ratios.output for ratios in measured]))
        if any(ratios.reasoning != ratios.output for ratios in measured):
            found.append(widest("reasoning_ratio", [ratios.reasoning for ratios in measured]))
        cached = [ratios.cached for ratios in measured if ratios.cached is not None]
        found += [widest("cached_share", cached)] if cached else []
    if plain:
        found += [Assumption("verbosity", ONE, "default", why="answers as long as now; not measured, not in the range")]
        found += _reasoning(reasoned=reasoned, reasons=reasons)
    return found


def widest(name: str, ratios: list[Ratio]) -> Assumption:
    """One assumption for several source models: from the lowest to the highest of theirs."""
    whys = dict.fromkeys(ratio.why for ratio in ratios)
    low, high = min(ratio.low for ratio in ratios), max(ratio.high for ratio in ratios)
    values = {ratio.value for ratio in ratios}
    value: Decimal | str = values.pop() if len(values) == 1 else "by model"
    return Assumption(name, value, ratios[0].source, low, high, "; ".join(sorted(whys)))


def _reasoning(*, reasoned: bool, reasons: bool) -> list[Assumption]:
    if reasoned:
        why = "as much hidden reasoning as now; not measured, not in the range"
        return [Assumption("reasoning", ONE, "default", why=why)]
    if reasons:
        why = "the log has no hidden reasoning, the target can reason: what that would add is not measured"
        return [Assumption("reasoning", "none", "default", why=why)]
    return []
