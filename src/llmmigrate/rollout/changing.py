"""Another stage in force: the gateway's file replaced as a whole, taken up, kept and journaled.

The order is chosen for a kill at any moment. The journal says what was begun; then the file is entirely the old or
entirely the new one; what is remembered follows. `status` compares both and says when a change did not finish.
"""

import difflib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from llmmigrate.errors import ConfigError, GatewayError, RolloutRefusedError
from llmmigrate.rollout import Uptake
from llmmigrate.rollout.emission import changed_by_hand, config_hash, gateway_of, text_of
from llmmigrate.rollout.emitted import as_emitted, edited, settings_differing
from llmmigrate.rollout.plan import BACK, Plan, Stage
from llmmigrate.rollout.staging import replace_file
from llmmigrate.rollout.state import SCHEMA, Lock, Place, State, instant

WAITS: Final = 10.0
"""Seconds that a person's rollback, or a run, waits for another change to end: a `stage` that asks a slow gateway."""


class Change(NamedTuple):
    """What was changed."""

    before: str | None
    after: str
    seconds: float
    diff: str
    left_to_do: str | None
    uptake: Uptake
    """Whether the running gateway has taken it up, as far as it tells."""


def take_stage(plan: Plan, place: Place, name: str, *, release: bool = False, wait: float = 0.0) -> Change:
    """Put a stage in force. RolloutRefusedError under a lock, or for the whole traffic without a passed drill.

    `wait`: seconds for which another change may go on meanwhile.
    """
    stage = plan.stage(name)
    with place.alone(wait):
        state = place.state()
        lock = state.lock if state is not None else None
        if lock is not None and not release and name != BACK:
            raise RolloutRefusedError(
                f"the stage is locked since {lock.at}",
                why=f"{lock.by}: {lock.reason}",
                fix="find the cause, then add --release",
                code="locked",
            )
        if stage.part == 1:
            check_proved(plan, place)
        _check_directory(plan, place)
        return _change(plan, place, name, None if release or lock is None else lock, "stage")


def roll_back(plan: Plan, place: Place, reason: str, *, by: str = "rollback") -> Change:
    """Send everything to the current provider and lock the stage, in one step.

    It acts on the gateway as it was emitted, whatever the plan says by now.
    """
    plan = as_emitted(plan, place)
    with place.alone(wait=WAITS if by == "rollback" else 0.0):
        return _change(plan, place, BACK, Lock(at=instant(datetime.now(UTC)), reason=reason, by=by), by)


def confirmation(change: Change) -> str:
    """In a few words, whether the gateway has taken a change up."""
    return "confirmed by the gateway" if change.uptake.confirmed else f"not confirmed: {change.uptake.words}"


def is_own(plan: Plan, place: Place, kind: str, directory: Path) -> bool:
    """Whether these are the gateway and the directory that `stage`, `watch` and `rollback` act on."""
    return kind == plan.gateway.kind and _same(directory, place.gateway_directory(plan))


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
    kept, wanted = Decimal(state.share or 0), plan.stage(stage).part
    if kept != wanted:
        shares = [f"{(part * 100).normalize():f} %" for part in (kept, wanted)]
        raise RolloutRefusedError(
            f"stage {stage} is in force in {directory} with {shares[0]}: the plan now says {shares[1]}",
            why="emitting it there would change what the running gateway does, without lock, drill and journal",
            fix=f"llmmigrate rollout stage {place.plan_path} {stage}; where more was edited, rollback first",
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


def difference(plan: Plan, place: Place, name: str) -> str:
    """What a stage would change in the gateway's file, as a unified diff; empty for nothing."""
    path = _stage_file(plan, place)
    return _diff(_read(path), _stage_text(plan, place, plan.stage(name)), path, name)


def _diff(old: str, new: str, path: Path, name: str) -> str:
    lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), str(path), f"{path} ({name})", n=1)
    return "".join(lines)


def _stage_file(plan: Plan, place: Place) -> Path:
    return place.gateway_directory(plan) / gateway_of(plan.gateway.kind).STAGE_FILE


def stage_in_file(plan: Plan, place: Place) -> Stage | None:
    """The stage whose file the gateway has, by the plan or by what was emitted; None where it is of neither."""
    kept = as_emitted(plan, place)
    text = text_of(_stage_file(kept, place))
    state = place.state()
    plans = [plan, kept] if _same_gateway(plan, kept) else [kept]
    found = [(each, stage) for each in plans for stage in (each.stage(BACK), *each.stages)]
    found.sort(key=lambda pair: state is None or pair[1].name != state.stage)
    return next((stage for each, stage in found if _made(each, place, stage) == text), None)


def _made(plan: Plan, place: Place, stage: Stage) -> str | None:
    """The stage file of a plan; None for a plan that was edited so that there is none."""
    try:
        return _stage_text(plan, place, stage)
    except GatewayError:
        return None


def _same_gateway(plan: Plan, other: Plan) -> bool:
    return (plan.gateway.kind, plan.gateway.directory) == (other.gateway.kind, other.gateway.directory)


def _change(plan: Plan, place: Place, name: str, lock: Lock | None, by: str) -> Change:
    gateway = gateway_of(plan.gateway.kind)
    directory = place.gateway_directory(plan)
    path = _stage_file(plan, place)
    state = _state_to_leave(place, name)
    before = state.stage if state is not None else None
    old = _text_to_leave(path, name)
    new = _stage_text(plan, place, plan.stage(name))
    began = datetime.now(UTC)
    told = {"at": instant(began), "by": by, "from": before, "to": name, "reason": lock.reason if lock else None}
    place.journal("begun", **told)
    confirm = gateway.confirming(plan, directory)
    replace_file(path, new)
    made = State(
        schema=SCHEMA,
        stage=name,
        since=instant(began),
        lock=lock,
        gateway=plan.gateway.kind,
        directory=plan.gateway.directory,
        share=f"{plan.stage(name).part.normalize():f}",
    )
    left_to_do = None
    try:
        left_to_do = gateway.reload(plan, directory)
        place.keep_state(made)
        uptake = confirm() if left_to_do is None else Uptake(None, left_to_do)
    except GatewayError as error:
        if error.code == "refused":
            if old is not None:
                replace_file(path, old)
            place.put_back(state)
        else:
            place.keep_state(made)
        if error.code != "not_running":
            place.journal("refused", **told, why=error.what)
            raise
        uptake = Uptake(None, f"{error.what}: it takes the file up when it starts")
    seconds = (datetime.now(UTC) - began).total_seconds()
    place.journal("done", **told, seconds=seconds, confirmed=uptake.confirmed)
    return Change(before, name, seconds, _diff(old or "", new, path, name), left_to_do, uptake)


def _state_to_leave(place: Place, name: str) -> State | None:
    """What is in force. On the way back a state file that cannot be read is as good as none."""
    try:
        return place.state()
    except ConfigError:
        if name != BACK:
            raise
        return None


def _text_to_leave(path: Path, name: str) -> str | None:
    """The stage file as it is. On the way back one that is gone or damaged is as good as none."""
    return text_of(path) if name == BACK and path.parent.is_dir() else _read(path)


def _stage_text(plan: Plan, place: Place, stage: Stage) -> str:
    """What the stage file is to hold: for the way back what was emitted with the files that run, else by the plan."""
    gateway = gateway_of(plan.gateway.kind)
    emitted = place.gateway_directory(plan) / "stages" / BACK / gateway.STAGE_FILE
    kept = text_of(emitted) if stage.name == BACK else None
    return kept or gateway.files(plan, stage.part)[gateway.STAGE_FILE]


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


def _check_directory(plan: Plan, place: Place) -> None:
    directory = place.gateway_directory(plan)
    changed = changed_by_hand(plan, plan.gateway.kind, directory)
    if changed:
        raise RolloutRefusedError(
            f"{directory} is not what the plan makes of it: {', '.join(changed)}",
            why=edited(known) if (known := settings_differing(plan, place)) else None,
            fix=f"llmmigrate rollout emit {place.plan_path}, then start the gateway with it",
            code="not_emitted",
        )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        fix = "llmmigrate rollout emit writes it; or set gateway: {directory: …} in the plan"
        raise ConfigError(f"there is no {path}", fix=fix) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read", why=str(error), fix="llmmigrate rollback still goes back") from None
