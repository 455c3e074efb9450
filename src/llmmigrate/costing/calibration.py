"""Measured ratios of tokens, from the calibration that a shadow run wrote, in place of assumed ones.

A calibration speaks for one source model and one target. Ratios of two calibrations for the same pair whose intervals
do not meet contradict each other and are refused; what was measured on other models is refused, too.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from llmmigrate.costing.assumptions import AS_THEY_ARE, Ratio, Ratios, assumed
from llmmigrate.errors import InputError, UsageError
from llmmigrate.prices.entries import Entry

SCHEMA: Final = "llmmigrate.calibration/1"
FILE: Final = "calibration.json"
VERDICT: Final = "verdict.json"
RUNS: Final = Path(".llmmigrate/runs")
DIGITS: Final = 6
"""Decimals of a measured ratio that are used."""


class MeasuredRatio(msgspec.Struct, frozen=True):
    """Tokens of the target for each token of the source, with its 95 % interval."""

    value: float
    low: float
    high: float
    sigma: float = 0.0
    """Standard deviation of the logarithms of single calls' ratios."""
    n: int = 0
    """Draws that it was measured on."""
    approximate: bool = False
    """Whether single calls differ so much that the interval is only nearly a 95 % one."""


class MeasuredRatios(msgspec.Struct, frozen=True):
    """By kind of token; null where the source side had no such tokens."""

    input: MeasuredRatio
    visible_output: MeasuredRatio
    reasoning: MeasuredRatio | None = None
    cached_input: MeasuredRatio | None = None


class Document(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """What is read of a calibration file."""

    schema: str
    from_: str
    to: str
    ratios: MeasuredRatios


class Calibration(NamedTuple):
    """One calibration and where it came from."""

    path: str
    source: str
    """provider/model, as the run named it."""
    target: str
    ratios: MeasuredRatios
    verdict: str | None
    """PASS, FAIL or INCONCLUSIVE, of the run it belongs to."""

    @property
    def approximate(self) -> bool:
        """Whether any of its intervals is only nearly a 95 % one."""
        return any(ratio.approximate for ratio in self.measured().values())

    @property
    def draws(self) -> int:
        """The fewest draws that any of its ratios was measured on."""
        return min(ratio.n for ratio in self.measured().values())

    def measured(self) -> Mapping[str, MeasuredRatio]:
        """The ratios that were measured, by kind."""
        found = {name: getattr(self.ratios, name) for name in self.ratios.__struct_fields__}
        return {name: ratio for name, ratio in found.items() if ratio is not None}


def load_calibration(name: str, root: Path = Path()) -> Calibration:
    """The calibration of a run, by the run's name or folder, or in a file.

    UsageError where there is none, InputError for a file that is no calibration.
    """
    path = _path_of(name, root)
    try:
        document = msgspec.json.decode(path.read_bytes(), type=Document)
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is no calibration", why=str(error), fix="give a shadow run or its folder") from None
    if document.schema != SCHEMA:
        raise InputError(f"{path} is no calibration but {document.schema[:80]}", fix="give a shadow run or its folder")
    found = Calibration(str(path), document.from_, document.to, document.ratios, _verdict(path.with_name(VERDICT)))
    for kind, ratio in found.measured().items():
        if not 0 <= ratio.low <= ratio.value <= ratio.high < float("inf"):
            raise InputError(f"{path}: the {kind} ratio {ratio.value} lies outside {ratio.low} … {ratio.high}")
    return found


def _path_of(name: str, root: Path) -> Path:
    places = [root / name, root / name / FILE, root / RUNS / name / FILE]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        fix = f"name a run in {RUNS}, its folder, or a {FILE}"
        raise UsageError(f"no calibration at {name}", fix=fix)
    return found


def _verdict(path: Path) -> str | None:
    """The verdict that lies beside a calibration; None without one that can be read."""
    if not path.is_file():
        return None
    try:
        document: Any = msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError:
        return None
    verdict = document.get("verdict") if isinstance(document, dict) else None
    return verdict if isinstance(verdict, str) else None


class Calibrations:
    """Calibrations with the models that they speak for."""

    def __init__(self, known: Sequence[tuple[Entry, Entry, Calibration]] = ()) -> None:
        self._known = tuple(known)

    def ratios(self, source: Entry | None, target: Entry) -> Ratios:
        """The measured ratios of a pair, else the assumed ones. Of two calibrations the later named one speaks."""
        if source is target:
            return AS_THEY_ARE
        found = self.of(source, target)
        if found:
            return ratios_of(found[-1])
        return assumed(source.tokenizer if source else None, target.tokenizer)

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
            theirs = other.measured()
            for kind, ratio in one.measured().items():
                second = theirs.get(kind)
                if second is not None and (ratio.low > second.high or second.low > ratio.high):
                    raise UsageError(
                        f"{one.path} and {other.path} contradict each other",
                        why=f"{kind.replace('_', ' ')} ratio {ratio.low} … {ratio.high}"
                        f" against {second.low} … {second.high}",
                        fix="give the one that was measured on traffic like this log's",
                    )


UNCALIBRATED: Final = Calibrations()


def ratios_of(calibration: Calibration) -> Ratios:
    """A calibration's ratios as exact decimals. Reasoning that was not measured goes with the visible output."""
    measured = calibration.ratios
    words = _words(calibration)
    return Ratios(
        _ratio(measured.input, words),
        _ratio(measured.visible_output, words),
        _ratio(measured.reasoning or measured.visible_output, words),
        None if measured.cached_input is None else _ratio(measured.cached_input, words),
    )


def _words(calibration: Calibration) -> str:
    verdict = f", {calibration.verdict}" if calibration.verdict else ""
    return f"{calibration.source} to {calibration.target}, {calibration.draws:,} draws{verdict}"


def _ratio(measured: MeasuredRatio, words: str) -> Ratio:
    value, low, high = (Decimal(repr(round(part, DIGITS))) for part in (measured.value, measured.low, measured.high))
    doubt = "; an approximate interval: single calls differ much" if measured.approximate else ""
    return Ratio(low, high, words + doubt, value, "measured")
