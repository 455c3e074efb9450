"""Whether a drill has proved a configuration: the very same one, passed, in the faults of a quick drill at least."""

from collections.abc import Sequence
from pathlib import Path

from llmmigrate.errors import RolloutRefusedError
from llmmigrate.rollout.drill.faults import FAULTS, chosen
from llmmigrate.rollout.drill.results import Drill
from llmmigrate.rollout.emission import config_hash, gateway_of
from llmmigrate.rollout.plan import Plan
from llmmigrate.rollout.records import Verified
from llmmigrate.rollout.state import Place


def lacks(proof: Verified) -> list[str]:
    """Faults without which a drill is no proof for the whole traffic."""
    return _missing(proof.faults or [])


def _missing(faults: Sequence[str]) -> list[str]:
    return [fault.name for fault in chosen([], quick=True) if fault.name not in faults]


def kind_of(proof: Verified) -> str:
    """What kind of drill it was."""
    if proof.faults is None:
        return "drill of faults that were not kept"
    if lacks(proof) or (not proof.quick and len(proof.faults) < len(FAULTS)):
        return f"drill of {', '.join(proof.faults)} alone"
    return "quick drill" if proof.quick else "drill"


def kept_words(drill: Drill, path: Path, *, kept: bool) -> str:
    """What became of a drill's proof."""
    if not kept:
        return f"{path} keeps the drill of more faults: nothing was written"
    if not drill.passed:
        return f"wrote {path}: this configuration has not passed"
    names = [fault.fault for fault in drill.faults]
    if _missing(names):
        return f"wrote {path}: of {', '.join(names)} alone, which is no proof for the whole traffic"
    return f"wrote {path}"


def check_proved(plan: Plan, place: Place) -> None:
    """RolloutRefusedError without a passed drill of this configuration, where its gateway can be drilled."""
    if gateway_of(plan.gateway.kind).PROGRAM is None:
        return
    proof = place.verified().get(plan.gateway.kind)
    fix = f"llmmigrate rollout drill {place.plan_path} --to {plan.gateway.kind}"
    if proof is None or proof.config_sha256 != config_hash(plan, plan.gateway.kind):
        why = "no drill has been run" if proof is None else "the plan has changed since the drill"
        raise RolloutRefusedError("this configuration was never drilled", why=why, fix=fix, code="not_drilled")
    if not proof.passed:
        lost = ", ".join(f"{fault}: {count}" for fault, count in proof.lost.items())
        raise RolloutRefusedError("the drill of this configuration lost requests", why=lost, fix=fix, code="not_passed")
    if missing := lacks(proof):
        which = ", ".join(proof.faults or [])
        why = f"{which}; not {', '.join(missing)}" if proof.faults is not None else "which ones was not kept"
        what = "this configuration was drilled in some faults alone"
        raise RolloutRefusedError(what, why=why, fix=fix, code="not_drilled")
