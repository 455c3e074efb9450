"""What a calibration has measured, as an estimate quotes it."""

from collections.abc import Mapping

from llmmigrate.costing.calibration import Calibration, MeasuredRatio
from llmmigrate.costing.records import Record


class RatioUsed(Record, frozen=True, kw_only=True):
    """Tokens of the target for each token of the source, with the 95 % interval.

    `kind`: input, output (reasoning included), visible_output, reasoning, reasoning_per_visible or cached_share.
    """

    kind: str
    ratio: float
    low: float
    high: float
    draws: int
    approximate: bool


class PartMeasured(Record, frozen=True, kw_only=True):
    """The ratios of a part of the traffic that had at least 30 draws; they are shown, the cost rests on the whole."""

    name: str
    ratios: list[RatioUsed]


class CalibrationUsed(Record, frozen=True, kw_only=True):
    """Measured ratios that took the place of assumed ones; `verdict` is that of the shadow run they come from."""

    path: str
    source: str
    target: str
    draws: int
    approximate: bool
    verdict: str | None
    ratios: list[RatioUsed]
    strata: list[PartMeasured]


def used(calibration: Calibration) -> CalibrationUsed:
    """A calibration as a result quotes it."""
    return CalibrationUsed(
        path=calibration.path,
        source=calibration.source,
        target=calibration.target,
        draws=calibration.draws,
        approximate=calibration.approximate,
        verdict=calibration.verdict,
        ratios=_ratios(calibration.ratios),
        strata=[PartMeasured(name=name, ratios=_ratios(ratios)) for name, ratios in calibration.strata.items()],
    )


def _ratios(measured: Mapping[str, MeasuredRatio]) -> list[RatioUsed]:
    return [
        RatioUsed(
            kind=kind, ratio=found.value, low=found.low, high=found.high, draws=found.draws,
            approximate=found.approximate,
        )
        for kind, found in measured.items()
    ]  # fmt: skip
