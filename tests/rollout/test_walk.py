"""`rollout run`: gate by gate, back on a breach, three attempts, and on where it was."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.rollout.live import Site, emitted

from llmmigrate.errors import ConfigError, GatewayError, RolloutRefusedError
from llmmigrate.rollout import Counts, Reader
from llmmigrate.rollout.changing import roll_back, take_stage
from llmmigrate.rollout.plan import Stage
from llmmigrate.rollout.walk import Gate, timetable, walk
from llmmigrate.rollout.watch import Progress

STAGES = """\
monitoring: {every: 10ms}
stages:
  - {name: canary, share: 10%, for: 50ms, min_requests: 300}
  - {name: half, share: 50%, for: 50ms}
  - {name: most, share: 90%}
"""
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="canary", extra=STAGES)


def counting(failing: bool) -> Reader:
    """A target with 100 attempts a window, half of them failed or none."""

    def counts() -> Iterator[Counts]:
        for number in range(1_000_000):
            yield Counts(100 * number, 50 * number if failing else 0, 100 * number, 0, 0)

    readings = counts()
    return lambda: next(readings)


def now() -> datetime:
    return datetime.now(UTC)


def stage_of(here: Site) -> str | None:
    state = here.place.state()
    return state.stage if state is not None else None


def test_a_healthy_target_gets_to_the_last_stage(here: Site) -> None:
    said: list[str] = []
    assert walk(here.plan, here.place, counting(False), said.append, clock=now)
    assert stage_of(here) == "most"
    taken = [line["to"] for line in here.place.journaled(20) if line["event"] == "done"]
    assert taken == ["canary", "half", "most"]
    good = [line for line in said if " good " in line]
    assert len(good) >= 3 + 1


def test_it_goes_on_with_the_stage_that_is_in_force(here: Site) -> None:
    take_stage(here.plan, here.place, "half")
    assert walk(here.plan, here.place, counting(False), print, clock=now)
    assert [line["to"] for line in here.place.journaled(20) if line["event"] == "done"] == ["half", "most"]


def test_a_breach_goes_back_and_three_attempts_are_all(here: Site) -> None:
    assert not walk(here.plan, here.place, counting(True), print, clock=now)
    assert stage_of(here) == "back"
    with pytest.raises(RolloutRefusedError, match="locked"):
        walk(here.plan, here.place, counting(False), print, clock=now)
    for _ in range(2):
        assert not walk(here.plan, here.place, counting(True), print, clock=now, release=True)
    with pytest.raises(RolloutRefusedError, match="rolled back 3 times"):
        walk(here.plan, here.place, counting(False), print, clock=now, release=True)


def test_a_rollback_by_a_person_ends_it(here: Site) -> None:
    """Though every window before was good."""
    counts = counting(False)
    looks = 0

    def reader() -> Counts:
        nonlocal looks
        looks += 1
        if looks == 3:
            roll_back(here.plan, here.place, "by hand")
        return counts()

    with pytest.raises(RolloutRefusedError, match="stage back is in force, and no longer canary") as ended:
        walk(here.plan, here.place, reader, print, clock=now)
    assert ended.value.why == "rollback: by hand"
    assert stage_of(here) == "back"


def test_a_stage_that_the_gateway_does_not_take_leaves_the_last_one_unwatched_and_says_so(here: Site) -> None:
    counts, looks = counting(False), 0

    def reader() -> Counts:
        nonlocal looks
        looks += 1
        if looks == 2:
            (here.directory / "rds.json").rename(here.directory / "lost.json")
        return counts()

    said: list[str] = []
    with pytest.raises(ConfigError, match=r"there is no .*rds\.json"):
        walk(here.plan, here.place, reader, said.append, clock=now)
    assert stage_of(here) == "canary"
    assert said[-1] == f"nothing watches stage canary any more: llmmigrate rollout watch {here.path} --apply"


def test_a_missing_drill_is_said_before_anything_is_taken(tmp_path: Path) -> None:
    here = emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="most", extra=STAGES + "  - {name: full, share: 100%}\n")
    with pytest.raises(RolloutRefusedError, match="never drilled"):
        walk(here.plan, here.place, counting(False), print, clock=now)
    assert here.place.state() is None


def test_a_gate_needs_time_and_attempts(here: Site) -> None:
    stage = here.plan.stage("canary")
    said: list[str] = []
    early = Gate(stage, NOON, lambda: NOON, said.append)
    late = Gate(stage, NOON, lambda: NOON + timedelta(seconds=1), said.append)
    assert not early.passed(Progress(300, 1, 0))
    assert [late.passed(Progress(count, 1, 0)) for count in (298, 299, 300)] == [False, False, True]
    assert said == ["stage canary stays: too few attempts at the target: 298, 300 are needed"]


def test_a_gate_needs_a_good_window_and_no_open_streak(here: Site) -> None:
    said: list[str] = []
    half, shadow = here.plan.stage("half"), Stage(name="shadow", share=Decimal(0))
    late = Gate(half, NOON, lambda: NOON + timedelta(seconds=1), said.append)
    told = [Progress(0, 0, 0), Progress(100, 1, 2), Progress(200, 1, 2), Progress(300, 2, 0)]
    assert [late.passed(progress) for progress in told] == [False, False, False, True]
    assert said == [
        "stage half stays: no window has been good yet",
        "stage half stays: the last window that says anything broke a limit",
    ]
    assert Gate(shadow, NOON, lambda: NOON, said.append).passed(Progress(0, 0, 0))


@pytest.mark.parametrize("min_requests", [0, 300])
def test_without_data_it_stays_and_says_why(tmp_path: Path, min_requests: int) -> None:
    stages = STAGES.replace("min_requests: 300", f"min_requests: {min_requests}")
    here = emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="canary", extra=stages)
    looks = iter(range(30))

    def silent() -> Counts:
        if next(looks, None) is None:
            raise EOFError
        raise GatewayError("no gateway answers")

    said: list[str] = []
    with pytest.raises(EOFError):
        walk(here.plan, here.place, silent, said.append, clock=now)
    assert stage_of(here) == "canary"
    assert said.count("stage canary stays: no window has been good yet") == 1


def test_a_stage_without_a_time_is_left_after_a_good_window_alone(tmp_path: Path) -> None:
    stages = "monitoring: {every: 10ms}\nstages: [{name: canary, share: 10%}, {name: most, share: 90%}]\n"
    here = emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="canary", extra=stages)
    said: list[str] = []
    assert walk(here.plan, here.place, counting(False), said.append, clock=now)
    assert len([line for line in said if " good " in line]) == 1


def test_the_timetable(here: Site) -> None:
    steps = timetable(here.plan, NOON)
    assert [(step.stage, step.ends is None) for step in steps] == [("canary", False), ("half", False), ("most", True)]
    assert steps[1].starts == steps[0].ends
