"""Tables of the drills that were run last: `benchmarks/drills/<gateway>.json`, as `rollout drill -o` has written them.

llmmigrate rollout drill benchmarks/drills/migration.yaml --to envoy -o benchmarks/drills/envoy.json
"""

from collections.abc import Iterable

import msgspec
from tools.screens import ROOT

from llmmigrate import registry
from llmmigrate.reports import numbers
from llmmigrate.rollout import ROOM
from llmmigrate.rollout.drill.faults import FAULTS
from llmmigrate.rollout.drill.results import Drill, FaultResult
from llmmigrate.rollout.emission import gateway_of
from llmmigrate.rollout.plan import load

DRILLS = ROOT / "benchmarks" / "drills"


def drills() -> list[Drill]:
    """Every drill that was kept."""
    return [msgspec.json.decode(path.read_bytes(), type=Drill) for path in sorted(DRILLS.glob("*.json"))]


def faults() -> str:
    """Lost of sent, when the target was left alone and when it was back, by fault and gateway."""
    found = drills()
    rows = [
        [f"{fault.name}: {fault.about}", *(_cell(drill, fault.name) for drill in found)] for fault in FAULTS.values()
    ]
    return _table(["fault", *(f"{drill.gateway} {drill.version}" for drill in found)], rows)


def measures() -> str:
    """Share, flip, latency and ceiling by gateway."""
    return _table(
        [
            "gateway",
            "share for 10 % asked (95 %)",
            "flip: lost, broken, last hit",
            "added p50, p99",
            "requests/s, direct",
        ],
        [[drill.gateway, _share(drill), _flip(drill), _latency(drill), _ceiling(drill)] for drill in drills()],
    )


def findings() -> str:
    """What each gateway says of itself for the plan of the drills."""
    plan = load(DRILLS / "migration.yaml")
    rows = [
        [name, finding.requirement, finding.asked_by or "", finding.status, finding.message]
        for name in registry.names(ROOM)
        for finding in gateway_of(name).findings(plan)
        if finding.status != "exact"
    ]
    return _table(["gateway", "what", "asked by", "status", "how"], rows)


def _cell(drill: Drill, name: str) -> str:
    result = next((fault for fault in drill.faults if fault.fault == name), None)
    if result is None:
        return numbers.MISSING
    return f"{result.lost} of {result.sent}{_times(result)}"


def _times(result: FaultResult) -> str:
    alone = "" if result.left_alone_s is None else f"; left alone after {result.left_alone_s} s"
    return alone + ("" if result.back_s is None else f"; back after {result.back_s} s")


def _share(drill: Drill) -> str:
    share = drill.share
    if share is None:
        return numbers.MISSING
    between = f"{numbers.share(share.low)} to {numbers.share(share.high)}"
    return f"{numbers.share(share.got)} of {share.requests:,} ({between})"


def _flip(drill: Drill) -> str:
    flip = drill.flip
    if flip is None:
        return "only by a new start"
    return f"{flip.lost} of {flip.requests}, {flip.broken} of {flip.streams} streams, {flip.last_target_hit_s} s"


def _latency(drill: Drill) -> str:
    latency = drill.latency
    return numbers.MISSING if latency is None else f"{latency.added_p50_ms:+} ms, {latency.added_p99_ms:+} ms"


def _ceiling(drill: Drill) -> str:
    ceiling = drill.ceiling
    return numbers.MISSING if ceiling is None else f"{ceiling.through}, {ceiling.direct}"


def _table(head: list[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
