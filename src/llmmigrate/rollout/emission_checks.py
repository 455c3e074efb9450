"""What an emission may write where a stage is in force: nothing that passes by the lock, the drill and the journal."""

from decimal import Decimal
from pathlib import Path

from llmmigrate.errors import RolloutRefusedError
from llmmigrate.rollout.directory_lock import check_unlocked
from llmmigrate.rollout.emitted import emitted_file
from llmmigrate.rollout.plan import BACK, Plan
from llmmigrate.rollout.records import Lock, State
from llmmigrate.rollout.state import Place, same_directory


def is_own(plan: Plan, place: Place, kind: str, directory: Path) -> bool:
    """Whether these are the gateway and the directory that `stage`, `watch` and `rollback` act on."""
    return kind == plan.gateway.kind and same_directory(directory, place.gateway_directory(plan))


def stage_to_emit(plan: Plan, place: Place) -> str:
    """The stage in force, else the first."""
    state = place.state()
    return state.stage if state is not None and state.stage is not None else plan.stages[0].name


def check_emission(plan: Plan, place: Place, kind: str, directory: Path, stage: str) -> None:
    """RolloutRefusedError for files that would put another stage, or another gateway, where a stage is in force.

    The running gateway reads its stage file there: writing it would pass by the lock, the drill and the journal.
    """
    _check_name(plan, place, kind, directory)
    for number, (name, state) in enumerate(place.standing(directory)):
        if number == 0 or state.lock is not None:
            _check_kept(plan, place, kind, directory, stage, state)
        if name != plan.name and state.lock is not None:
            raise locked_by_another(place, directory, name, state.lock)
    check_unlocked(directory, place)


def locked_by_another(place: Place, directory: Path, name: str, lock: Lock) -> RolloutRefusedError:
    """For a directory that a rollback of a plan with another name has locked."""
    return RolloutRefusedError(
        f"{directory} is locked since {lock.at}, under the name {name}",
        why=f"{lock.by}: {lock.reason}",
        fix=f"release it with the plan of that name, set name: {name} in {place.plan_path}, or take another directory",
        code="in_force",
    )


def _check_name(plan: Plan, place: Place, kind: str, directory: Path) -> None:
    """RolloutRefusedError for a plan that would take the place of another one, which has the same name."""
    other = emitted_file(place)
    if other is None or not is_own(plan, place, kind, directory):
        return
    path = place.root / other
    if other != place.plan_path.name and path.is_file() and not path.samefile(place.plan_path):
        raise RolloutRefusedError(
            f"{path} was emitted under the name {plan.name}, and is another plan",
            why="state, lock and journal go by the name",
            fix=f"write name: with another name into {place.plan_path}; or remove {path}, if this one takes its place",
            code="same_name",
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
