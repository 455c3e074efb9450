"""Measured ratios of tokens, from the calibration that a shadow run wrote, in place of assumed ones.

A calibration speaks for one source model and one target. Ratios of two calibrations for the same pair whose intervals
do not meet contradict each other and are refused; what was measured on other models is refused, too.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final, NamedTuple

from llmmigrate.costing.assumptions import AS_THEY_ARE, Ratio, Ratios, assumed
from llmmigrate.errors import UsageError
from llmmigrate.prices.entries import Entry

DIGITS: Final = 6
"""Decimals of a measured ratio that are used."""
NEEDED: Final = ("input", "output")


class MeasuredRatio(NamedTuple):
    """Tokens of the target for each token of the source, with its 95 % interval."""

    value: float
    low: float
    high: float
    draws: int
    approximate: bool
    """Whether single calls differ so much that the interval is only nearly a 95 % one."""


class Calibration(NamedTuple):
    """One calibration and where it came from."""

    path: str
    source: str
    """provider/model, as the run named it."""
    target: str
    ratios: Mapping[str, MeasuredRatio]
    """By kind: input, output (reasoning included), visible_output, reasoning, cached_share. At least `NEEDED`."""
    verdict: str | None
    """PASS, FAIL or INCONCLUSIVE, of the run it belongs to."""
    strata: Mapping[str, Mapping[str, MeasuredRatio]]
    """The ratios of parts of the traffic, by the part's name."""

    @property
    def approximate(self) -> bool:
        """Whether an interval that the cost rests on is only nearly a 95 % one."""
        return any(self.ratios[name].approximate for name in NEEDED)

    @property
    def draws(self) -> int:
        """The fewest draws that a ratio which the cost rests on was measured on."""
        return min(self.ratios[name].draws for name in NEEDED)


class Calibrations:
    """Calibrations with the models that they speak for."""

    def __init__(
        self,
        known: Sequence[tuple[Entry, Entry, Calibration]] = (),
        *,
        cache: bool = False,
        counted: Mapping[tuple[str, str], Ratio] | None = None,
    ) -> None:
        """`known`: source, target and what was measured. `cache`: the cached share of the canary is used, too.

        `counted`: by two tokenizers' names, their ratio on the log's own text.
        """
        self._known = tuple(known)
        self._cache = cache
        self._counted = counted or {}

    def ratios(self, source: Entry | None, target: Entry) -> Ratios:
        """The measured ratios of a pair, else the assumed ones. Of two calibrations the later named one speaks."""
        if source is target:
            return AS_THEY_ARE
        found = self.of(source, target)
        measured = ratios_of(found[-1], apart=_bills_reasoning(target), cache=self._cache) if found else None
        if measured is not None:
            return measured
        names = (source.tokenizer if source else None, target.tokenizer)
        ratio = self._counted.get((names[0] or "", names[1] or ""))
        return assumed(*names) if ratio is None else Ratios(ratio, ratio, ratio)

    def of(self, source: Entry | None, target: Entry) -> list[Calibration]:
        """The calibrations that speak for a pair."""
        return [c for mine, theirs, c in self._known if mine is source and theirs is target]

    def check_used(self, sources: Iterable[Entry], targets: Iterable[Entry]) -> None:
        """UsageError for a calibration of models that are not in question, and for two that contradict each other."""
        mine, theirs = {id(entry) for entry in sources}, {id(entry) for entry in targets}
        for source, target, calibration in self._known:
            for entry, asked, what in ((source, mine, "the log has no call of"), (target, theirs, "no target is")):
                if id(entry) not in asked:
                    name = f"{entry.provider}/{entry.id}"
                    raise UsageError(
                        f"the calibration {calibration.path} is of other models: {what} {name}",
                        why=f"it was measured from {calibration.source} to {calibration.target}",
                        fix="give the calibration of a run with these models, or leave out --calibration",
                    )
            self._check_agrees(self.of(source, target))

    def _check_agrees(self, same: list[Calibration]) -> None:
        for one, other in pairwise(same):
            for kind, ratio in one.ratios.items():
                second = other.ratios.get(kind)
                if second is not None and (ratio.low > second.high or second.low > ratio.high):
                    raise UsageError(
                        f"{one.path} and {other.path} contradict each other",
                        why=f"{kind.replace('_', ' ')} {ratio.low:.3g} … {ratio.high:.3g}"
                        f" against {second.low:.3g} … {second.high:.3g}",
                        fix="give the one that was measured on traffic like this log's",
                    )


UNCALIBRATED: Final = Calibrations()


def ratios_of(calibration: Calibration, *, apart: bool, cache: bool) -> Ratios | None:
    """A calibration's ratios as exact decimals.

    `apart`: the target bills hidden reasoning at a rate of its own, so that the whole output's ratio is not enough;
    None where the two kinds were not measured. `cache`: with the cached share, where that was measured.
    """
    words = f"{calibration.source} to {calibration.target}, {calibration.draws:,} draws"
    found = {kind: _ratio(measured, words) for kind, measured in calibration.ratios.items()}
    visible, reasoning = (found.get(kind) for kind in ("visible_output", "reasoning"))
    if not apart:
        visible = reasoning = found["output"]
    if visible is None or reasoning is None:
        return None
    return Ratios(found["input"], visible, reasoning, found.get("cached_share") if cache else None)


def _ratio(measured: MeasuredRatio, words: str) -> Ratio:
    value, low, high = (Decimal(repr(round(part, DIGITS))) for part in measured[:3])
    doubt = "; an approximate interval: single calls differ much" if measured.approximate else ""
    return Ratio(low, high, words + doubt, value, "measured")


def _bills_reasoning(entry: Entry) -> bool:
    """Whether a model has ever had another rate for hidden reasoning than for its other output."""
    rows = (row.rates for period in entry.periods for row in period.rows)
    return any(rates.get("reasoning", rates.get("output")) != rates.get("output") for rates in rows)
