"""A log in all the ways that a report looks at it: by model, by day, and without any cache hit."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from llmmigrate.costing import results
from llmmigrate.costing.comparing import estimate_traffic
from llmmigrate.costing.request import Request
from llmmigrate.errors import InputError
from llmmigrate.prices.catalog import Catalog
from llmmigrate.usage.profile import Profile

ESTIMATE: Final = "llmmigrate.estimate/1"
LARGEST: Final = 64 << 20
"""Bytes; a larger file is no saved estimate."""


class Parts(msgspec.Struct, frozen=True):
    """One estimate, the row that the report is about, and that row for parts of the traffic."""

    estimate: results.Estimate
    target: results.EstimateTarget
    models: Sequence[results.TargetGroup] = ()
    days: Sequence[results.TargetGroup] = ()
    cold: results.EstimateTarget | None = None
    """The same target without any cache hit; None where that is what was asked."""


def parts_of(profile: Profile, catalog: Catalog, request: Request, *, command: str, version: str) -> Parts:
    """All estimates that a report needs; without a named target, of the cheapest candidate."""

    def ask(asked: Request) -> results.Estimate:
        return estimate_traffic(profile, catalog, asked, command=command, version=version)

    found = ask(request if not request.to else msgspec.structs.replace(request, by=("model",)))
    target = best_of(found)
    if not request.to:
        request = msgspec.structs.replace(request, map=dict.fromkeys(target.moves, target.to))
        by_model = _row(ask(msgspec.structs.replace(request, by=("model",))))
        target = msgspec.structs.replace(target, groups=by_model.groups)
    days = _row(ask(msgspec.structs.replace(request, by=("day",)))).groups
    cold = None
    if request.cache is None and target.machines is None:
        cold = _row(ask(msgspec.structs.replace(request, cache=Decimal(0), measured_cache=False)))
    return Parts(estimate=found, target=target, models=target.groups, days=days, cold=cold)


def best_of(estimate: results.Estimate, to: str | None = None) -> results.EstimateTarget:
    """The cheapest row that moves something, or the one named; InputError where there is none."""
    moving = [target for target in estimate.targets if target.kind != "stay"]
    found = next((target for target in moving if to in (None, target.to)), None)
    if found is None:
        known = ", ".join(target.to for target in moving) or "none"
        what = "no target can be priced for this traffic" if to is None else f"the estimate has no target '{to}'"
        raise InputError(what, why=f"its targets: {known}")
    return found


def saved_estimate(path: Path) -> results.Estimate | None:
    """The estimate that a file holds; None for any other file, InputError for an estimate of another version."""
    if path.suffix != ".json" or not path.is_file() or path.stat().st_size > LARGEST:
        return None
    try:
        document: Any = msgspec.json.decode(path.read_bytes())
        if not isinstance(document, dict) or document.get("schema") != ESTIMATE:
            return None
        return msgspec.convert(document, results.Estimate)
    except msgspec.ValidationError as error:
        fix = "make it again with llmmigrate estimate LOGS -o estimate.json"
        raise InputError(f"{path} is an estimate that cannot be read", why=str(error), fix=fix) from None
    except (msgspec.DecodeError, RecursionError):
        return None


def _row(estimate: results.Estimate) -> results.EstimateTarget:
    return estimate.targets[0]
