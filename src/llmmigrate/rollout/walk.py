"""`rollout run`: from stage to stage, each for its time and its number of attempts, and back on a breach.

What is in force is on disk, so that a run that was ended goes on where it was. A rollback locks the stage; a person
releases it for another attempt, of which there are three. Silence is no consent: a stage that gives the target
requests is left for the next only after a good window.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from llmmigrate.errors import ConfigError, LlmmigrateError, NotInForceError, RolloutRefusedError
from llmmigrate.rollout import Reader
from llmmigrate.rollout.changing import WAITS, confirmation, take_stage
from llmmigrate.rollout.plan import BACK, Plan, Stage
from llmmigrate.rollout.proof import check_proved
from llmmigrate.rollout.records import State
from llmmigrate.rollout.state import Place
from llmmigrate.rollout.watch import Options, Progress, Say, Watch
from llmmigrate.rollout.webhook import check_webhook

ATTEMPTS: Final = 3
_FILE: Final = "run.json"

Clock = Callable[[], datetime]


class Attempts(msgspec.Struct, frozen=True, kw_only=True):
    """How often a run of this plan has been rolled back."""

    failed: int = 0


class Step(NamedTuple):
    """A stage of the timetable; without an end it stays."""

    stage: str
    share: Decimal
    starts: datetime
    ends: datetime | None
    min_requests: int


def timetable(plan: Plan, start: datetime) -> list[Step]:
    """The stages with their earliest times, were each to take no longer than its `for`."""
    steps = []
    for stage in plan.stages:
        ends = start + timedelta(seconds=float(stage.for_)) if stage.for_ is not None else None
        steps.append(Step(stage.name, stage.part, start, ends, stage.min_requests))
        start = ends or start
    return steps


class Gate:
    """Whether a stage has been long enough in force, has served enough and has been seen to be good.

    What is missing when the time is over is said, once for each reason.
    """

    def __init__(self, stage: Stage, since: datetime, clock: Clock, say: Say) -> None:
        self._until = since + timedelta(seconds=float(stage.for_ or 0))
        self._stage, self._clock, self._say = stage, clock, say
        self._said: str | None = None

    def passed(self, progress: Progress) -> bool:
        """Whether the next stage may follow."""
        if self._clock() < self._until:
            return False
        missing = self._missing(progress)
        kind = missing.partition(":")[0] if missing is not None else None
        if kind is not None and kind != self._said:
            self._say(f"stage {self._stage.name} stays: {missing}")
        self._said = kind
        return missing is None

    def _missing(self, progress: Progress) -> str | None:
        """Why the stage has to stay; a target without requests cannot have a good window."""
        needed = self._stage.min_requests
        if self._stage.part > 0 and progress.streak:
            return "the last window that says anything broke a limit"
        if self._stage.part > 0 and not progress.good:
            return "no window has been good yet"
        if progress.attempts < needed:
            return f"too few attempts at the target: {progress.attempts}, {needed} are needed"
        return None


def walk(plan: Plan, place: Place, reader: Reader, say: Say, *, clock: Clock, release: bool = False) -> bool:
    """Take every stage in turn; False after a rollback. RolloutRefusedError under a lock or after three attempts."""
    check_webhook(plan.monitoring)
    ahead = _ahead(plan, place, release=release)
    if any(stage.part == 1 for stage in ahead):  # not to be found out days later
        check_proved(plan, place)
    failed = (place.read(_FILE, Attempts) or Attempts()).failed
    if failed >= ATTEMPTS:
        raise RolloutRefusedError(
            f"this run was rolled back {failed} times",
            why="three attempts are made",
            fix=f"find the cause, then remove {place.directory / _FILE}",
            code="attempts",
        )
    for stage in ahead:
        try:
            stayed = _stay(plan, place, reader, say, stage, clock, release=release)
        except LlmmigrateError:
            _tell_unwatched(plan, place, say)
            raise
        if not stayed:
            place.write(_FILE, msgspec.json.encode(Attempts(failed=failed + 1)).decode() + "\n")
            return False
        release = False
    (place.directory / _FILE).unlink(missing_ok=True)
    return True


def _ahead(plan: Plan, place: Place, *, release: bool) -> list[Stage]:
    """The stage in force and those after it; all of them after a rollback that a person has released."""
    state = place.state()
    if state is None or (state.stage == BACK and (release or state.lock is None)):
        return list(plan.stages)
    names = [stage.name for stage in plan.stages]
    return list(plan.stages[names.index(state.stage) :]) if state.stage in names else list(plan.stages)


def _stay(plan: Plan, place: Place, reader: Reader, say: Say, stage: Stage, clock: Clock, *, release: bool) -> bool:
    """Take one stage and watch it until its gate; False after a rollback."""
    state = place.state()
    if state is None or state.stage != stage.name or state.lock is not None or state.pending is not None:
        change = take_stage(plan, place, stage.name, release=release, wait=WAITS)
        if change.uptake.confirmed is False:
            raise NotInForceError(f"stage {stage.name} is written, and not in force", why=change.uptake.words)
        say(f"stage {stage.name}, {confirmation(change)}")
        state = place.state()
    if stage.for_ is None and not stage.min_requests and (stage.part == 0 or stage == plan.stages[-1]):
        return True
    since = datetime.fromisoformat(state.since) if state is not None else clock()
    gate = Gate(stage, since, clock, say)

    def enough(progress: Progress) -> bool:
        return _left(place, stage) is not None or gate.passed(progress)

    if Watch(plan, place, reader, Options(apply=True, until=enough), say, clock).run():
        return False
    other = _left(place, stage)
    if other is not None:
        why = f"{other.lock.by}: {other.lock.reason}" if other.lock is not None else None
        raise RolloutRefusedError(
            f"stage {other.stage} is in force, and no longer {stage.name}",
            why=why,
            fix="find the cause, then: llmmigrate rollout run --release",
            code="left",
        )
    return True


def _tell_unwatched(plan: Plan, place: Place, say: Say) -> None:
    """Say that the target has requests and that nobody goes back from them any more, where that is so."""
    try:
        state = place.state()
        share = plan.stage(state.stage).part if state is not None and state.stage is not None else 0
    except LlmmigrateError:
        return
    if state is not None and share > 0:
        say(f"nothing watches stage {state.stage} any more: llmmigrate rollout watch {place.plan_path} --apply")


def _left(place: Place, stage: Stage) -> State | None:
    """What somebody else has put in force, or locked; None while the stage stays, or where that cannot be read."""
    try:
        state = place.state()
    except ConfigError:
        return None
    return state if state is not None and (state.stage != stage.name or state.lock is not None) else None
