"""A log in all the ways that a report looks at it: by model, by day, and without any cache hit."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from llmmigrate.costing import results
from llmmigrate.costing.comparing import estimate_traffic
from llmmigrate.costing.mix import STAYS
from llmmigrate.costing.outcomes import label_of
from llmmigrate.costing.request import KEEP, Request
from llmmigrate.costing.selfhosted import is_machine
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

    if request.mix:
        return _parts_of_mix(ask, request)
    named = bool(request.to or request.map)
    found = ask(msgspec.structs.replace(request, by=("model",)) if named else request)
    target = best_of(found)
    if not named:
        request = msgspec.structs.replace(request, map=dict.fromkeys(target.moves, target.to))
        by_model = _row(ask(msgspec.structs.replace(request, by=("model",))))
        target = msgspec.structs.replace(target, groups=by_model.groups)
    days = _row(ask(msgspec.structs.replace(request, by=("day",)))).groups
    cold = None
    if request.cache is None and target.machines is None:
        cold = _row(ask(msgspec.structs.replace(request, cache=Decimal(0), measured_cache=False)))
    return Parts(estimate=found, target=target, models=target.groups, days=days, cold=cold)


def _parts_of_mix(ask: Callable[[Request], results.Estimate], request: Request) -> Parts:
    """The same of a mix. What it costs without cache hits is not told: it would choose otherwise then."""
    found, by_model, by_day = (
        ask(msgspec.structs.replace(request, mix_by=names)) for names in ((), ("model",), ("day",))
    )
    return Parts(
        estimate=found, target=_mix_of(found), models=_mix_of(by_model).groups, days=_mix_of(by_day).groups
    )  # fmt: skip


def _mix_of(estimate: results.Estimate) -> results.EstimateTarget:
    return next(target for target in estimate.targets if target.kind == "mix")


def targets_of(target: results.EstimateTarget, request: Request, catalog: Catalog) -> list[str]:
    """Where a row's traffic moves, as the price tables name it; machines by their own name."""
    if target.kind == "mix":
        going = dict.fromkeys(group.to for group in target.groups if group.to != STAYS)
        names = [name for to in going for name in (request.map.values() if "=" in to else [to])]
    else:
        names = list(request.map.values()) if target.kind == "map" else [target.to]
    moving = [name for name in names if name != KEEP]
    return list(dict.fromkeys(name if is_machine(name) else label_of(catalog.named(name)) for name in moving))


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
