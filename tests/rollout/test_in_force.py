"""Which stage is in force after a change that was killed: told by the gateway's file, or said to be unknown."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.rollout.live import Site, emitted

from llmmigrate.rollout import Counts, changing
from llmmigrate.rollout.answers import answer
from llmmigrate.rollout.changing import roll_back, take_stage
from llmmigrate.rollout.gateways import envoy
from llmmigrate.rollout.watch import Options, Watch

Run = Callable[..., Any]
NOTHING_SEEN = {"schema": "", "plan": "", "at": "", "verdict": "inconclusive", "reasons": [], "streak": 0}


class KilledError(BaseException):
    """Ends a change like a kill: nothing is put back."""


def die(*_: object, **__: object) -> None:
    raise KilledError


@pytest.fixture
def here(tmp_path: Path) -> Site:
    """An emitted plan for Envoy with its stage half in force; nothing runs."""
    found = emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="half", extra="monitoring: {every: 10ms}\n")
    take_stage(found.plan, found.place, "half")
    return found


def killed(change: Callable[[], object], *, exchanged: bool) -> None:
    """Make a change that dies just before the file is exchanged, or just after."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(*(envoy, "reload") if exchanged else (changing, "replace_file"), die)
        with pytest.raises(KilledError):
            change()


def stage_of(here: Site) -> str | None:
    state = here.place.state()
    assert state is not None
    return state.stage


def locked(here: Site) -> bool:
    state = here.place.state()
    return state is not None and state.lock is not None


def status(here: Site, run: Run) -> Any:
    return json.loads(run("rollout", "status", str(here.path), "--format", "json").out)


@pytest.mark.parametrize(("exchanged", "stage"), [(False, "half"), (True, "canary")])
def test_a_stage_that_was_killed_is_told_by_the_file(exchanged: bool, stage: str, here: Site, llmmigrate: Run) -> None:
    killed(lambda: take_stage(here.plan, here.place, "canary"), exchanged=exchanged)
    found = status(here, llmmigrate)
    assert (found["stage"], found["stage_in_file"], found["lock"]) == (stage, stage, None)
    assert found["due"].startswith("stage canary was begun at ")
    assert found["due"] in llmmigrate("rollout", "status", str(here.path)).out.replace("\n", " ")
    assert llmmigrate("rollout", "emit", str(here.path)).code == 0
    assert stage_of(here) == stage
    take_stage(here.plan, here.place, "canary")
    assert (status(here, llmmigrate)["due"], stage_of(here)) == (None, "canary")


@pytest.mark.parametrize(("exchanged", "stage"), [(False, "half"), (True, "back")])
def test_a_rollback_that_was_killed_never_leaves_the_way_up_open(
    exchanged: bool, stage: str, here: Site, llmmigrate: Run
) -> None:
    killed(lambda: roll_back(here.plan, here.place, "answers are cut off"), exchanged=exchanged)
    assert (stage_of(here), locked(here)) == (stage, True)
    refused = llmmigrate("rollout", "stage", str(here.path), "half")
    assert (refused.code, "locked" in refused.err) == (1, True)
    before = (here.directory / "rds.json").read_text()
    emission = llmmigrate("rollout", "emit", str(here.path))
    assert (emission.code, (here.directory / "rds.json").read_text()) == (0 if exchanged else 1, before)
    assert exchanged or "llmmigrate rollback" in emission.err
    assert roll_back(here.plan, here.place, "again").before == stage
    assert (stage_of(here), status(here, llmmigrate)["due"]) == ("back", None)


def test_a_release_that_was_killed_before_the_file_keeps_the_lock(here: Site) -> None:
    roll_back(here.plan, here.place, "x")
    killed(lambda: take_stage(here.plan, here.place, "canary", release=True), exchanged=False)
    assert (stage_of(here), locked(here)) == ("back", True)
    killed(lambda: take_stage(here.plan, here.place, "canary", release=True), exchanged=True)
    assert (stage_of(here), locked(here)) == ("canary", False)


@pytest.mark.parametrize("exchanged", [False, True])
def test_the_first_stage_of_all_is_told_by_the_file_too(exchanged: bool, tmp_path: Path) -> None:
    found = emitted(tmp_path, "envoy", [1, 2, 3, 4, 5], stage="shadow")
    killed(lambda: take_stage(found.plan, found.place, "canary"), exchanged=exchanged)
    state = found.place.state()
    assert (state.stage if state is not None else None) == ("canary" if exchanged else None)


@pytest.mark.parametrize("exchanged", [False, True])
def test_the_watch_finishes_a_rollback_that_was_killed(exchanged: bool, here: Site) -> None:
    killed(lambda: roll_back(here.plan, here.place, "by hand"), exchanged=exchanged)
    counts = iter([Counts(100 * n, 50 * n, 100 * n, 0, 0) for n in range(9)])
    assert Watch(here.plan, here.place, lambda: next(counts), Options(apply=True), print).run()
    state = here.place.state()
    assert state is not None
    assert state.lock is not None
    assert (state.stage, state.pending, state.lock.reason) == ("back", None, "by hand")


def test_a_verdict_says_that_a_rollback_is_due_until_it_is_done(here: Site) -> None:
    from llmmigrate.rollout.answers import Report

    empty = Report(**NOTHING_SEEN, straight=0, window=None)  # type: ignore[arg-type]
    killed(lambda: roll_back(here.plan, here.place, "by hand"), exchanged=False)
    found = answer(empty, None, here.place)
    assert (found.verdict, found.stage, found.reasons[0]) == ("due", "half", "by hand")
    roll_back(here.plan, here.place, "by hand")
    assert answer(empty, None, here.place).verdict == "rolled_back"


def test_what_cannot_be_told_is_said_and_not_guessed(here: Site, llmmigrate: Run) -> None:
    killed(lambda: take_stage(here.plan, here.place, "canary"), exchanged=True)
    (here.directory / "rds.json").write_text("{}")
    found = status(here, llmmigrate)
    assert (found["stage"], found["share"], found["stage_in_file"]) == (None, None, None)
    assert "which stage is in force cannot be told" in llmmigrate("rollout", "status", str(here.path)).out
    refused = llmmigrate("rollout", "emit", str(here.path))
    assert (refused.code, (here.directory / "rds.json").read_text()) == (1, "{}")
    assert "cannot be told" in refused.err
    done = llmmigrate("rollback", str(here.path), "--reason", "x")
    assert (done.code, done.out.startswith("an unknown stage → back")) == (0, True)


def test_the_way_back_by_hand_after_a_kill_is_told_by_what_was_emitted(here: Site, llmmigrate: Run) -> None:
    assert llmmigrate("rollout", "emit", str(here.path)).code == 0
    killed(lambda: take_stage(here.plan, here.place, "canary"), exchanged=True)
    (here.directory / "rds.json").write_text((here.directory / "stages" / "back" / "rds.json").read_text())
    assert stage_of(here) == "back"
