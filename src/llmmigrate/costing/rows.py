"""Parts of an estimate's rows."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from llmmigrate.costing import results
from llmmigrate.costing.calibration import Calibration, Calibrations
from llmmigrate.costing.estimate import Estimator
from llmmigrate.costing.measurements import CalibrationUsed, used
from llmmigrate.costing.mix import Chosen
from llmmigrate.costing.outcomes import Outcome
from llmmigrate.money import plain


def rank(target: results.EstimateTarget) -> tuple[bool, Decimal, str]:
    """The cheapest first, rows to stay last."""
    return target.kind == "stay", Decimal(target.cost), target.to


def moved(outcome: Outcome) -> results.Moved | None:
    """What moves and is priced on both sides; None where nothing does."""
    if not outcome.moved_now and not outcome.moved_then:
        return None
    return results.Moved(current=plain(outcome.moved_now), cost=plain(outcome.moved_then))


def is_measured(outcome: Outcome) -> bool:
    """Whether every ratio that a row rests on was measured."""
    return bool(outcome.ratios) and all(ratios.is_measured for ratios in outcome.ratios)


def stranded(outcome: Outcome) -> results.UnpricedThere | None:
    """Calls that the target has no rate for; None where there are none."""
    if not outcome.stranded:
        return None
    return results.UnpricedThere(calls=sum(outcome.stranded.values()), reasons=dict(sorted(outcome.stranded.items())))


class Priced(NamedTuple):
    """A group of the traffic that goes to one target."""

    key: tuple[str | None, ...]
    to: str
    outcome: Outcome
    refused: Mapping[str, str] = MappingProxyType({})
    not_audited: int | None = None


def grouped(parts: Iterable[Priced | Chosen], names: Sequence[str]) -> list[results.TargetGroup]:
    """Groups of the traffic with where each goes, the dearest today first."""
    ordered = sorted(parts, key=lambda part: (-part.outcome.current, str(part.key)))
    return [
        results.TargetGroup(
            key=dict(zip(names, part.key, strict=True)), to=part.to, calls=part.outcome.calls,
            current=plain(part.outcome.current) if part.outcome.compared_calls else None,
            cost=plain(part.outcome.cost), low=plain(part.outcome.low), high=plain(part.outcome.high),
            refused=dict(part.refused), not_audited=part.not_audited,
        )
        for part in ordered
    ]  # fmt: skip


def calibrations_used(outcome: Outcome, estimator: Estimator, calibrations: Calibrations) -> list[CalibrationUsed]:
    """The calibrations that spoke for a row."""
    found: dict[str, Calibration] = {}
    for name in estimator.names:
        target = outcome.scenario.target_of(name)
        if target is not None:
            found |= {c.path: c for c in calibrations.of(estimator.source(name), target)}
    return [used(calibration) for calibration in found.values()]
