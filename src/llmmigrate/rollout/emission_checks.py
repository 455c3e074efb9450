"""What an emission may write where a stage is in force: nothing that passes by the lock, the drill and the journal."""

from decimal import Decimal
from pathlib import Path

from llmmigrate.errors import RolloutRefusedError
from llmmigrate.rollout.plan import BACK, Plan
from llmmigrate.rollout.records import State
from llmmigrate.rollout.state import Place


def is_own(plan: Plan, place: Place, kind: str, directory: Path) -> bool:
    """Whether these are the gateway and the directory that `stage`, `watch` and `rollback` act on."""
    return kind == plan.gateway.kind and _same(directory, place.gateway_directory(plan))


def stage_to_emit(plan: Plan, place: Place) -> str:
    """The stage in force, else the first."""
    state = place.state()
    return state.stage if state is not None and state.stage is not None else plan.stages[0].name


def check_emission(plan: Plan, place: Place, kind: str, directory: Path, stage: str) -> None:
    """RolloutRefusedError for files that would put another stage, or another gateway, where a stage is in force.

    The running gateway reads its stage file there: writing it would pass by the lock, the drill and the journal.
    """
    for name, state in place.states():
        if state.directory is not None and _same(directory, place.root / state.directory):
            _check_kept(plan, place, kind, directory, stage, state)
            if name != plan.name and state.lock is not None:
                raise RolloutRefusedError(
                    f"{directory} is locked since {state.lock.at}, under the name {name}",
                    why=f"{state.lock.by}: {state.lock.reason}",
                    fix=f"name: {name} in {place.plan_path}, or another directory with -o",
                    code="in_force",
                )


def _check_kept(plan: Plan, place: Place, kind: str, directory: Path, stage: str, state: State) -> None:
    """RolloutRefusedError where an emission is not what is in force."""
    _check_told(place, directory, state)
    if kind != state.gateway:
        raise RolloutRefusedError(
            f"{directory} holds {state.gateway}, with stage {state.stage} in force",
            fix=f"name another directory with -o, or set gateway: {{directory: …}} in {place.plan_path}",
            code="in_force",
        )
    if stage != state.stage:
        raise RolloutRefusedError(
            f"stage {state.stage} is in force in {directory}" + (", locked" if state.lock is not None else ""),
            why="emitting another one there would change what the running gateway does",
            fix=f"leave --stage out, then: llmmigrate rollout stage {place.plan_path} {stage}",
            code="in_force",
        )
    wanted = plan.stage(stage).part
    kept = Decimal(state.share) if state.share is not None else wanted
    if kept != wanted:
        shares = [f"{(part * 100).normalize():f} %" for part in (kept, wanted)]
        raise RolloutRefusedError(
            f"stage {stage} is in force in {directory} with {shares[0]}: the plan now says {shares[1]}",
            why="emitting it there would change what the running gateway does, without lock, drill and journal",
            fix=f"llmmigrate rollout stage {place.plan_path} {stage}; where more was edited, rollback first",
            code="in_force",
        )


def _check_told(place: Place, directory: Path, state: State) -> None:
    """RolloutRefusedError where the stage in force is not known, or a rollback was begun and the file is not back."""
    back = f"llmmigrate rollback {place.plan_path} --reason TEXT"
    if state.stage is None:
        raise RolloutRefusedError(
            f"which stage is in force in {directory} cannot be told",
            why=state.pending.words if state.pending is not None else None,
            fix=f"{back}; or take a stage again: llmmigrate rollout stage {place.plan_path} NAME",
            code="in_force",
        )
    if state.lock is not None and state.stage != BACK:
        raise RolloutRefusedError(
            f"{directory} is locked since {state.lock.at}, with stage {state.stage} still in force",
            why=state.pending.words if state.pending is not None else None,
            fix=f"finish the rollback: {back}",
            code="in_force",
        )


def emitted_elsewhere(plan: Plan, place: Place) -> list[str]:
    """What was emitted from this plan and no command acts on, as `nginx in other/`, as far as it still lies there."""
    found = []
    for line in place.journaled():
        kind, written = str(line.get("gateway")), line.get("directory")
        if line.get("event") != "emitted" or written is None:
            continue
        there = place.root / str(written)
        name = f"{kind} in {there}"
        if there.is_dir() and not is_own(plan, place, kind, there) and name not in found:
            found.append(name)
    return found


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
