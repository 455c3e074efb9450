"""What a shadow run has measured, for the commands that count with it."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llmmigrate.errors import InputError, UsageError

if TYPE_CHECKING:
    from llmmigrate.costing.calibration import Calibration

FILE: Final = "calibration.json"
VERDICT: Final = "verdict.json"
RUNS: Final = Path(".llmmigrate/runs")


def load_calibration(name: str, root: Path = Path()) -> "Calibration":
    """The calibration of a run, by the run's name or folder, or in a file.

    UsageError where there is none, InputError for a file that is no calibration or has not what a cost needs.
    """
    from llmmigrate.costing.calibration import NEEDED, Calibration, MeasuredRatio
    from llmmigrate.shadow.calibration import load

    path = _path_of(name, root)
    found = load(path.read_bytes(), str(path))
    ratios, *strata = (
        {
            kind: MeasuredRatio(ratio.ratio, ratio.low, ratio.high, ratio.draws, ratio.approximate)
            for kind, ratio in measured.items()
        }
        for measured in (found.ratios, *(stratum.ratios for stratum in found.strata))
    )
    for kind, ratio in ratios.items():
        if not (0 <= ratio.low <= ratio.value <= ratio.high < math.inf):
            raise InputError(f"{path}: {kind} {ratio.value} lies outside its interval {ratio.low} … {ratio.high}")
    missing = [kind for kind in NEEDED if kind not in ratios]
    if missing:
        why = f"{found.unanswered:,} of {found.draws:,} draws have no answer or no usage"
        raise InputError(f"{path} has no ratio of {' and '.join(missing)} tokens", why=why, fix="run the canary again")
    named = dict(zip((stratum.name for stratum in found.strata), strata, strict=True))
    return Calibration(str(path), found.current, found.target, ratios, _verdict(path.with_name(VERDICT)), named)


def _path_of(name: str, root: Path) -> Path:
    places = [root / name, root / name / FILE, root / RUNS / name / FILE]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UsageError(f"no calibration at {name}", fix=f"name a run in {RUNS}, its folder, or a {FILE}")
    return found


def _verdict(path: Path) -> str | None:
    """The verdict that lies beside a calibration; None without one that can be read."""
    import msgspec

    try:
        document: Any = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
    verdict = document.get("verdict") if isinstance(document, dict) else None
    return verdict if isinstance(verdict, str) else None
