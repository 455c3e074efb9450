"""`rollout run`: from stage to stage, each for its time and its number of attempts, and back on a breach.

What is in force is on disk, so that a run that was ended goes on where it was. A rollback locks the stage; a person
releases it for another attempt, of which there are three.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from llmmigrate.errors import RolloutRefusedError
from llmmigrate.rollout import Reader
from llmmigrate.rollout.changing import take_stage
from llmmigrate.rollout.plan import BACK, Plan, Stage
from llmmigrate.rollout.state import Place
from llmmigrate.rollout.watch import Options, Say, Watch

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
    """Whether a stage has been long enough in force and has served enough."""

    def __init__(self, stage: Stage, since: datetime, clock: Clock) -> None:
        self._until = since + timedelta(seconds=float(stage.for_ or 0))
        self._needed, self._clock = stage.min_requests, clock

    def passed(self, attempts: int) -> bool:
        """Whether the next stage may follow after so many attempts at the target."""
        return self._clock() >= self._until and attempts >= self._needed


def walk(plan: Plan, place: Place, reader: Reader, say: Say, *, clock: Clock, release: bool = False) -> bool:
    """Take every stage in turn; False after a rollback. RolloutRefusedError under a lock or after three attempts."""
    failed = (place.read(_FILE, Attempts) or Attempts()).failed
    if failed >= ATTEMPTS:
        raise RolloutRefusedError(
            f"this run was rolled back {failed} times",
            why="three attempts are made",
            fix=f"find the cause, then remove {place.directory / _FILE}",
            code="attempts",
        )
    for stage in _ahead(plan, place, release=release):
        if not _stay(plan, place, reader, say, stage, clock, release=release):
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
    if state is None or state.stage != stage.name or state.lock is not None:
        change = take_stage(plan, place, stage.name, release=release)
        say(f"stage {stage.name}" + (f": {change.left_to_do}" if change.left_to_do else ""))
        state = place.state()
    if stage.for_ is None and not stage.min_requests:
        return True
    since = datetime.fromisoformat(state.since) if state is not None else clock()
    gate = Gate(stage, since, clock)
    return not Watch(plan, place, reader, Options(apply=True, until=gate.passed), say).run()
