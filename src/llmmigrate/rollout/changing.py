"""Another stage in force: the gateway's file replaced as a whole, taken up, kept and journaled.

The order is chosen for a kill at any moment. The journal and the state say what was begun, on the way back with the
lock; then the file is entirely the old or entirely the new one, and tells which stage is in force (`in_force`); the
state says that it is done when the gateway has it.
"""

import contextlib
import difflib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from llmmigrate.errors import ConfigError, GatewayError, RolloutRefusedError
from llmmigrate.rollout import Confirming, Uptake
from llmmigrate.rollout.directory_lock import check_unlocked, keep_lock
from llmmigrate.rollout.emission import changed_by_hand, gateway_of, telling, text_of
from llmmigrate.rollout.emission_checks import locked_by_another
from llmmigrate.rollout.emitted import as_emitted, edited, settings_differing
from llmmigrate.rollout.in_force import emitted_hashes, text_hash
from llmmigrate.rollout.plan import BACK, Plan, Stage
from llmmigrate.rollout.proof import check_proved
from llmmigrate.rollout.records import Lock, Pending, State, one_line
from llmmigrate.rollout.staging import replace_file
from llmmigrate.rollout.state import SCHEMA, STATE, Place, instant

WAITS: Final = 10.0
"""Seconds that a person's rollback, or a run, waits for another change to end: a `stage` that asks a slow gateway."""

UNKNOWN: Final = "an unknown stage"


class Change(NamedTuple):
    """What was changed."""

    before: str | None
    after: str
    seconds: float
    diff: str
    left_to_do: str | None
    uptake: Uptake
    """Whether the running gateway has taken it up, as far as it tells."""
    mended: Path | None
    """The file of the way back, where it was not what was emitted and was written anew."""


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
        for other, found in place.standing(place.gateway_directory(plan)):
            if other != plan.name and found.lock is not None and name != BACK:
                raise locked_by_another(place, place.gateway_directory(plan), other, found.lock)
        if name != BACK:
            check_unlocked(place.gateway_directory(plan), place)
        if stage.part == 1:
            check_proved(plan, place)
        _check_directory(plan, place)
        return _change(plan, place, name, None if release or lock is None else lock, "stage")


def roll_back(plan: Plan, place: Place, reason: str, *, by: str = "rollback") -> Change:
    """Send everything to the current provider and lock the stage, in one step.

    It acts on the gateway as it was emitted, whatever the plan says by now.
    """
    plan = as_emitted(plan, place)
    reason = one_line(reason)
    with place.alone(WAITS if by == "rollback" else 0.0, place.gateway_directory(plan)):
        lock = Lock(at=instant(datetime.now(UTC)), reason=reason, by=by)
        return _change(plan, place, BACK, (_lock_before(place) if by == "watch" else None) or lock, by)


def _lock_before(place: Place) -> Lock | None:
    """The lock of a rollback that is to be finished."""
    try:
        state = place.state()
    except ConfigError:
        return None
    return state.lock if state is not None else None


def confirmation(change: Change) -> str:
    """In a few words, whether the gateway has taken a change up."""
    return "confirmed by the gateway" if change.uptake.confirmed else f"not confirmed: {change.uptake.words}"


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
    path = _stage_file(plan, place)
    state = _state_to_leave(place, name)
    own = state.lock if state is not None else None
    old, record = _text_to_leave(path, name), text_of(place.directory / STATE)
    new = _stage_text(plan, place, plan.stage(name))
    began = datetime.now(UTC)
    made = _made_state(plan, name, lock, instant(began), new)
    pending = Pending(to=name, at=made.since, by=by, before=state, sha256=text_hash(old) if old is not None else None)
    before = _before(place)
    told = {"at": made.since, "by": by, "from": before, "to": name, "reason": lock.reason if lock else None}
    place.journal("begun", **told)
    confirm = gateway_of(plan.gateway.kind).confirming(plan, place.gateway_directory(plan))
    place.keep_state(replace(made, pending=pending))
    if lock is not None:
        keep_lock(path.parent, place, lock, before=own)
    replace_file(path, new)
    mended = _mend_way_back(plan, place, new) if name == BACK else None
    try:
        left_to_do, uptake = _taken_up(plan, place, name, confirm)
    except GatewayError as error:
        if old is not None:
            replace_file(path, old)
            _tell_again(plan, place, error)
        place.put_back(record)
        keep_lock(path.parent, place, own, before=own)
        place.journal("refused", **told, why=error.what)
        raise
    due = uptake.confirmed is False
    place.keep_state(replace(made, pending=replace(pending, why=uptake.words) if due else None))
    keep_lock(path.parent, place, lock, before=own)
    seconds = (datetime.now(UTC) - began).total_seconds()
    place.journal("due" if due else "done", **told, seconds=seconds, confirmed=uptake.confirmed)
    return Change(before, name, seconds, _diff(old or "", new, path, name), left_to_do, uptake, mended)


def _taken_up(plan: Plan, place: Place, name: str, confirm: Confirming) -> tuple[str | None, Uptake]:
    """What is left to do, and whether the gateway has the file. GatewayError where the old one has to be put back.

    That is so where it refuses the file and, of a stage, where it cannot be told. A way back that it cannot be told of
    stays, for a person to tell it.
    """
    try:
        left_to_do = gateway_of(plan.gateway.kind).reload(plan, place.gateway_directory(plan))
    except GatewayError as error:
        if error.code == "not_running":
            return None, _at_start(error)
        if error.code == "refused":
            raise
        if name != BACK:
            raise _untold(error) from None
        return None, Uptake(False, f"{_in_words(error)}; tell it by hand, {_telling(plan, place, name)}")
    if left_to_do is not None:
        return left_to_do, Uptake(None, left_to_do)
    try:
        return None, confirm()
    except GatewayError as error:
        if error.code == "refused":
            raise
        return None, _at_start(error) if error.code == "not_running" else Uptake(None, _in_words(error))


def _tell_again(plan: Plan, place: Place, error: GatewayError) -> None:
    """Where nobody knows what the gateway heard, tell it of the file that was put back, as far as it can be told."""
    if error.code == "untold":
        with contextlib.suppress(GatewayError):
            gateway_of(plan.gateway.kind).reload(plan, place.gateway_directory(plan))


def _at_start(error: GatewayError) -> Uptake:
    return Uptake(None, f"{error.what}: it takes the file up when it starts")


def _untold(error: GatewayError) -> GatewayError:
    kept = "the file and the state are as they were"
    return GatewayError(error.what, why=error.why, fix=f"{kept}; {error.fix}" if error.fix else kept, code="untold")


def _in_words(error: GatewayError) -> str:
    return f"{error.what} ({error.why})" if error.why else error.what


def _telling(plan: Plan, place: Place, name: str) -> str:
    """What a person types for a gateway to take up the file that lies there."""
    return f"in {place.gateway_directory(plan)}: {telling(plan, gateway_of(plan.gateway.kind), name)}"


def _made_state(plan: Plan, name: str, lock: Lock | None, at: str, text: str) -> State:
    return State(
        schema=SCHEMA,
        stage=name,
        since=at,
        lock=lock,
        gateway=plan.gateway.kind,
        directory=plan.gateway.directory,
        share=f"{plan.stage(name).part.normalize():f}",
        file=gateway_of(plan.gateway.kind).STAGE_FILE,
        sha256=text_hash(text),
    )


def _before(place: Place) -> str | None:
    """What is in force, in a word; None: no stage."""
    try:
        state = place.state()
    except ConfigError:
        return UNKNOWN
    return state.stage or UNKNOWN if state is not None else None


def _state_to_leave(place: Place, name: str) -> State | None:
    """What is in force, nothing pending. On the way back a state file that cannot be read is as good as none."""
    try:
        state = place.state()
    except ConfigError:
        if name != BACK:
            raise
        return None
    return replace(state, pending=None) if state is not None else None


def _text_to_leave(path: Path, name: str) -> str | None:
    """The stage file as it is. On the way back one that is gone or damaged is as good as none."""
    return text_of(path) if name == BACK and path.parent.is_dir() else _read(path)


def _stage_text(plan: Plan, place: Place, stage: Stage) -> str:
    """What the stage file is to hold: for the way back what was emitted with the files that run, else by the plan."""
    kept = _whole_way_back(plan, place) if stage.name == BACK else None
    gateway = gateway_of(plan.gateway.kind)
    return kept if kept is not None else gateway.files(plan, stage.part)[gateway.STAGE_FILE]


def _way_back_file(plan: Plan, place: Place) -> Path:
    return place.gateway_directory(plan) / "stages" / BACK / gateway_of(plan.gateway.kind).STAGE_FILE


def _whole_way_back(plan: Plan, place: Place) -> str | None:
    """The file of the way back as it was emitted; None where it is gone, or not what was recorded of it."""
    kept = text_of(_way_back_file(plan, place))
    wanted = emitted_hashes(place.directory).get(BACK)
    return kept if kept and wanted in (None, text_hash(kept)) else None


def _mend_way_back(plan: Plan, place: Place, text: str) -> Path | None:
    """Write a damaged way back anew; its file, None where it was whole."""
    path = _way_back_file(plan, place)
    if _whole_way_back(plan, place) is not None:
        return None
    with contextlib.suppress(OSError):  # going back matters more
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
    return path


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
